# The estate as a whole, its modules together. Nothing is deployed: the provider is a mock.

mock_provider "azurerm" {
  mock_data "azurerm_client_config" {
    defaults = { subscription_id = "11111111-2222-3333-4444-555555555555" }
  }
}

variables {
  project = "aks-multiregion"
  regions = {
    primary = {
      location       = "eastus"
      resource_group = "rg-primary"
      zones          = ["1", "2", "3"]
      network = {
        name                    = "vnet-eastus"
        address_space           = ["10.1.0.0/16"]
        node_subnet             = { name = "snet-nodes", cidr = "10.1.1.0/24" }
        private_endpoint_subnet = { name = "snet-endpoints", cidr = "10.1.2.0/24" }
      }
    }
    secondary = {
      location       = "westus2"
      resource_group = "rg-secondary"
      zones          = ["1", "2", "3"]
      network = {
        name                    = "vnet-westus2"
        address_space           = ["10.2.0.0/16"]
        node_subnet             = { name = "snet-nodes", cidr = "10.2.1.0/24" }
        private_endpoint_subnet = { name = "snet-endpoints", cidr = "10.2.2.0/24" }
      }
    }
  }
  cluster = {
    name               = "aks"
    dns_prefix         = "aks"
    kubernetes_version = "1.36"
    support_plan       = "KubernetesOfficial"
    tier               = "Standard"
    pod_cidr           = "10.244.0.0/16"
    service_cidr       = "10.0.0.0/16"
    outbound           = "load_balancer"
    ingress_from       = ["Internet"]
    local_accounts     = true
    auto_upgrade       = "patch"
  }
  node_pools        = [{ name = "systempool", count = 3, vm_size = "Standard_D2s_v3", mode = "System" }]
  registry          = { resource_group = "rg-global", name = "azrunbookdv", sku = "Premium", replicated = true }
  postgres_password = "only-of-this-test"
  front_door = {
    resource_group                  = "rg-global"
    profile                         = "afd-dv"
    sku                             = "Standard_AzureFrontDoor"
    endpoint                        = "hello-world-dv"
    origin_group                    = "og-hello-world"
    route                           = "route-hello-world"
    origin_dns_label                = "aks-dv"
    origin_access                   = "public"
    origin_response_timeout_seconds = 60
    health_probe                    = { path = "/healthz", method = "HEAD", interval_seconds = 5 }
    load_balancing                  = { sample_size = 4, successful_samples = 3, additional_latency_milliseconds = 50 }
  }
  app = { release = "hello-world", namespace = "hello-world" }
}

run "two_regions_see_each_other" {
  command = plan

  assert {
    condition     = toset(keys(module.region)) == toset(["primary", "secondary"])
    error_message = "Not one stamp per region."
  }

  assert {
    condition     = length(azurerm_virtual_network_peering.this) == 2
    error_message = "The networks do not see each other both ways."
  }
}

run "one_region_alone" {
  command = plan

  variables {
    regions = {
      primary = {
        location       = "eastus"
        resource_group = "rg-primary"
        zones          = []
        network = {
          name                    = "vnet-eastus"
          address_space           = ["10.1.0.0/16"]
          node_subnet             = { name = "snet-nodes", cidr = "10.1.1.0/24" }
          private_endpoint_subnet = { name = "snet-endpoints", cidr = "10.1.2.0/24" }
        }
      }
    }
  }

  assert {
    condition     = length(azurerm_virtual_network_peering.this) == 0
    error_message = "A network sees one that is not there."
  }
}

run "a_copy_of_a_standard_registry" {
  command = plan

  variables {
    registry = { resource_group = "rg-global", name = "azrunbookdv", sku = "Standard", replicated = true }
  }

  expect_failures = [var.registry]
}

# One region: network, way out, identities, cluster. Nothing is deployed: the provider is a mock.

mock_provider "azurerm" {}

variables {
  role = "secondary"
  region = {
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
  names = {
    security_groups = { nodes = "nsg-snet-nodes", endpoints = "nsg-snet-endpoints" }
    nat_gateway     = "ng-vnet-westus2"
    nat_address     = "pip-ng-vnet-westus2"
    identities      = { control_plane = "id-aks-westus2", kubelet = "id-aks-kubelet-westus2", app = "id-app-westus2" }
    role_assignments = {
      network  = { name = "11111111-0000-0000-0000-000000000001", role_definition_id = "/network" }
      kubelet  = { name = "11111111-0000-0000-0000-000000000002", role_definition_id = "/kubelet" }
      registry = { name = "11111111-0000-0000-0000-000000000003", role_definition_id = "/registry" }
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
    ingress_from       = ["AzureFrontDoor.Backend", "192.0.2.0/24"]
    local_accounts     = true
    auto_upgrade       = "patch"
  }
  node_pools = [
    { name = "cpuopt", count = 2, vm_size = "Standard_F8s_v2", mode = "User", autoscale = { min_count = 2, max_count = 6 } },
    { name = "systempool", count = 3, vm_size = "Standard_D2s_v3", mode = "System" },
  ]
  app         = { release = "hello-world", namespace = "shop" }
  registry_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/azrunbookdv"
  tags        = { environment = "dv" }
}

run "the_system_pool_comes_with_the_cluster" {
  command = plan

  assert {
    condition     = azurerm_kubernetes_cluster.this.default_node_pool[0].name == "systempool"
    error_message = "The cluster's own pool is not the System pool."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.default_node_pool[0].only_critical_addons_enabled
    error_message = "Any pod may run on the System pool."
  }

  assert {
    condition     = toset(keys(azurerm_kubernetes_cluster_node_pool.this)) == toset(["cpuopt"])
    error_message = "The other pools are not made beside the cluster."
  }

  assert {
    condition     = azurerm_kubernetes_cluster_node_pool.this["cpuopt"].max_count == 6
    error_message = "The autoscaler's range is not the estate's."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.tags == tomap({ environment = "dv", role = "secondary" })
    error_message = "The cluster does not say which region it serves."
  }
}

run "each_source_has_a_rule_of_its_own" {
  command = plan

  assert {
    condition = { for rule in azurerm_network_security_group.nodes.security_rule : rule.priority => rule.source_address_prefix } == {
      101 = "AzureFrontDoor.Backend", 102 = "192.0.2.0/24"
    }
    error_message = "The nodes' subnet lets in others than the estate says."
  }
}

run "nodes_leave_by_a_gateway_where_asked" {
  command = plan

  variables {
    cluster = {
      name               = "aks"
      dns_prefix         = "aks"
      kubernetes_version = "1.36"
      support_plan       = "KubernetesOfficial"
      tier               = "Standard"
      pod_cidr           = "10.244.0.0/16"
      service_cidr       = "10.0.0.0/16"
      outbound           = "nat_gateway"
      ingress_from       = ["AzureFrontDoor.Backend"]
      local_accounts     = false
      auto_upgrade       = "none"
      entra              = { admin_groups = ["22222222-0000-0000-0000-000000000001"], azure_rbac = true }
      maintenance        = { day = "Sunday", start_time = "02:00", duration_hours = 4 }
    }
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.network_profile[0].outbound_type == "userAssignedNATGateway"
    error_message = "The cluster does not use the gateway."
  }

  assert {
    condition     = length(azurerm_subnet_nat_gateway_association.nodes) == 1
    error_message = "The nodes' subnet is not tied to the gateway."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.local_account_disabled && azurerm_kubernetes_cluster.this.automatic_upgrade_channel == null
    error_message = "Local accounts or upgrades are on."
  }

  assert {
    condition     = azurerm_kubernetes_cluster.this.maintenance_window_node_os[0].day_of_week == "Sunday"
    error_message = "Node images may be upgraded on any day."
  }
}

run "the_application_is_its_identity_by_the_clusters_issuer" {
  command = plan

  assert {
    condition     = azurerm_federated_identity_credential.app.subject == "system:serviceaccount:shop:hello-world"
    error_message = "Another service account than the release's."
  }
}

run "host_bits_in_a_range" {
  command = plan

  variables {
    region = {
      location       = "westus2"
      resource_group = "rg-secondary"
      zones          = []
      network = {
        name                    = "vnet-westus2"
        address_space           = ["10.2.0.1/16"]
        node_subnet             = { name = "snet-nodes", cidr = "10.2.1.0/24" }
        private_endpoint_subnet = { name = "snet-endpoints", cidr = "10.2.2.0/24" }
      }
    }
  }

  expect_failures = [var.region]
}

run "no_system_pool" {
  command = plan

  variables {
    node_pools = [{ name = "memopt", count = 2, vm_size = "Standard_E4s_v3", mode = "User" }]
  }

  expect_failures = [var.node_pools]
}

# What follows from an estate's names, and what is refused. Needs no provider: terraform init, terraform test.

variables {
  subscription_id = "11111111-2222-3333-4444-555555555555"
  regions = {
    primary = {
      location       = "eastus"
      resource_group = "rg-primary"
      network = {
        name                    = "vnet-eastus"
        node_subnet             = { name = "snet-nodes" }
        private_endpoint_subnet = { name = "snet-endpoints" }
      }
    }
  }
  cluster_name     = "aks"
  app_release      = "hello-world"
  registry         = { resource_group = "rg-global", name = "azrunbookdv" }
  service_names    = { postgres = "psql", redis = "redis", storage = "stazrdv" }
  origin_dns_label = "aks-dv"
}

run "names_follow_from_the_estate" {
  command = plan

  assert {
    condition     = output.regions["primary"].services == { postgres = "psql-eastus", redis = "redis-eastus", storage = "stazrdveastus" }
    error_message = "A service is <name>-<location>, a storage account <name><location>."
  }

  assert {
    condition     = output.regions["primary"].identities.kubelet == "id-aks-kubelet-eastus"
    error_message = "The kubelets' identity is id-<cluster>-kubelet-<location>."
  }

  assert {
    condition     = output.regions["primary"].origin_host == "aks-dv.eastus.cloudapp.azure.com"
    error_message = "An origin is where the region's load balancer answers."
  }
}

run "every_grant_has_a_name_of_its_own" {
  command = plan

  assert {
    condition     = length(distinct([for one in output.regions["primary"].role_assignments : one.name])) == 4
    error_message = "Two role assignments have one name."
  }
}

run "without_storage_nobody_reads_blobs" {
  command = plan

  variables {
    service_names = {}
  }

  assert {
    condition     = toset(keys(output.regions["primary"].role_assignments)) == toset(["kubelet", "network", "registry"])
    error_message = "A role on a storage account that is not there."
  }
}

run "a_subscription_that_is_no_guid" {
  command = plan

  variables {
    subscription_id = "production"
  }

  expect_failures = [var.subscription_id]
}

run "a_region_that_is_neither_primary_nor_secondary" {
  command = plan

  variables {
    regions = {
      third = {
        location       = "westus3"
        resource_group = "rg-third"
        network = {
          name                    = "vnet-westus3"
          node_subnet             = { name = "snet-nodes" }
          private_endpoint_subnet = { name = "snet-endpoints" }
        }
      }
    }
  }

  expect_failures = [var.regions]
}

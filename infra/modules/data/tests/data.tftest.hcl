# The data services of two regions. Nothing is deployed: the provider is a mock.

mock_provider "azurerm" {}

variables {
  project = "aks-multiregion"
  regions = {
    primary   = { location = "eastus", resource_group = "rg-primary", zones = ["1", "2", "3"] }
    secondary = { location = "westus2", resource_group = "rg-secondary", zones = ["1", "2", "3"] }
  }
  networks = {
    primary   = { id = "/vnet-eastus", name = "vnet-eastus", endpoint_subnet_id = "/vnet-eastus/snet-endpoints" }
    secondary = { id = "/vnet-westus2", name = "vnet-westus2", endpoint_subnet_id = "/vnet-westus2/snet-endpoints" }
  }
  names = {
    primary = {
      services         = { postgres = "psql-eastus", redis = "redis-eastus", storage = "stazrdveastus" }
      role_assignments = { storage = { name = "11111111-0000-0000-0000-000000000001", role_definition_id = "/blobs" } }
    }
    secondary = {
      services         = { postgres = "psql-westus2", redis = "redis-westus2", storage = "stazrdvwestus2" }
      role_assignments = { storage = { name = "11111111-0000-0000-0000-000000000002", role_definition_id = "/blobs" } }
    }
  }
  app_principal_ids = { primary = "22222222-0000-0000-0000-000000000001", secondary = "22222222-0000-0000-0000-000000000002" }
  postgres = {
    version               = "16"
    sku                   = "GP_Standard_D2s_v3"
    storage_gb            = 32
    administrator         = "psqladmin"
    database              = "hello_world"
    backup_retention_days = 7
    geo_redundant_backup  = false
    zone_redundant        = false
    replica               = true
    virtual_endpoint      = "psql"
  }
  postgres_password = "only-of-this-test"
  redis             = { kind = "managed", sku = "Balanced_B5", geo_replication = true }
  storage           = { sku = "Standard_ZRS", container = "static" }
  private_dns_group = "rg-global"
}

run "the_secondary_has_a_replica_behind_a_virtual_endpoint" {
  command = plan

  assert {
    condition     = azurerm_postgresql_flexible_server.replica[0].create_mode == "Replica"
    error_message = "The secondary's server is no replica."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server_virtual_endpoint.this[0].name == "psql"
    error_message = "Clients have no name that moves with the primary."
  }

  assert {
    condition     = azurerm_postgresql_flexible_server.primary[0].storage_mb == 32768
    error_message = "32 GB are 32768 MB."
  }
}

run "nothing_is_reached_publicly" {
  command = plan

  assert {
    condition = !anytrue(concat(
      [for one in concat(azurerm_postgresql_flexible_server.primary, azurerm_postgresql_flexible_server.replica) : one.public_network_access_enabled],
      [for one in azurerm_storage_account.this : one.public_network_access_enabled || one.shared_access_key_enabled],
      [for one in azurerm_managed_redis.this : one.public_network_access != "Disabled"],
    ))
    error_message = "A data service is public, or an account has a key."
  }

  assert {
    condition     = length(azurerm_private_endpoint.this) == 6 && length(azurerm_private_dns_zone_virtual_network_link.this) == 6
    error_message = "Each of three services has an endpoint in each region, and each zone a link to each network."
  }
}

run "one_region_replicates_nothing" {
  command = plan

  variables {
    regions = { primary = { location = "eastus", resource_group = "rg-primary", zones = [] } }
  }

  assert {
    condition = (
      length(azurerm_postgresql_flexible_server.replica) + length(azurerm_managed_redis_geo_replication.this) == 0
      && length(azurerm_private_endpoint.this) == 3
    )
    error_message = "Something of a second region."
  }
}

run "premium_caches_are_linked_after_their_endpoints" {
  command = plan

  variables {
    redis = { kind = "premium", sku = "P2", geo_replication = true }
  }

  assert {
    condition     = azurerm_redis_cache.this["primary"].capacity == 2 && length(azurerm_redis_linked_server.this) == 1
    error_message = "Not a linked pair of P2."
  }

  assert {
    condition     = azurerm_private_dns_zone.this["redis"].name == "privatelink.redis.cache.windows.net"
    error_message = "The caches' names do not resolve."
  }
}

run "an_estate_without_data" {
  command = plan

  variables {
    postgres          = null
    redis             = null
    storage           = null
    private_dns_group = null
  }

  assert {
    condition     = length(azurerm_private_endpoint.this) + length(azurerm_private_dns_zone.this) == 0
    error_message = "Endpoints or zones of nothing."
  }
}

run "a_premium_size_of_a_managed_cache" {
  command = plan

  variables {
    redis = { kind = "managed", sku = "P1", geo_replication = true }
  }

  expect_failures = [var.redis]
}

run "data_without_zones" {
  command = plan

  variables {
    private_dns_group = null
  }

  expect_failures = [var.private_dns_group]
}

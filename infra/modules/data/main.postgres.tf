resource "azurerm_postgresql_flexible_server" "primary" {
  count = var.postgres == null ? 0 : 1

  name                = var.names["primary"].services.postgres
  resource_group_name = var.regions["primary"].resource_group
  location            = var.regions["primary"].location
  tags                = var.tags

  # What is written only is shown nowhere. Marked as sensitive besides, a server that was imported would
  # differ, whose state has no such mark.
  administrator_password_wo         = nonsensitive(var.postgres_password)
  administrator_password_wo_version = var.postgres_password_version

  create_mode                   = "Default"
  version                       = var.postgres.version
  sku_name                      = var.postgres.sku
  storage_mb                    = var.postgres.storage_gb * 1024
  auto_grow_enabled             = true
  administrator_login           = var.postgres.administrator
  backup_retention_days         = var.postgres.backup_retention_days
  geo_redundant_backup_enabled  = var.postgres.geo_redundant_backup
  public_network_access_enabled = false

  authentication {
    active_directory_auth_enabled = false
    password_auth_enabled         = true
  }

  dynamic "high_availability" {
    for_each = var.postgres.zone_redundant ? ["ZoneRedundant"] : []

    content {
      mode = high_availability.value
    }
  }

  lifecycle {
    # Azure chooses the zones, and a failover within the region swaps them. How a server was made is
    # not read back, so that one that was imported would differ. A switchover gives this server a
    # source: that difference would replace it.
    ignore_changes = [zone, high_availability[0].standby_availability_zone, create_mode, source_server_id]
  }
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  count = var.postgres == null ? 0 : 1

  name      = var.postgres.database
  server_id = azurerm_postgresql_flexible_server.primary[0].id
  charset   = "UTF8"
  collation = "en_US.utf8"
}

# A replica takes version, administrator and password from its source. Switching over is not to be
# done here: azurerm cannot promote to the primary of a virtual endpoint; the library's procedure does.
resource "azurerm_postgresql_flexible_server" "replica" {
  count = local.has_replica ? 1 : 0

  name                = var.names["secondary"].services.postgres
  resource_group_name = var.regions["secondary"].resource_group
  location            = var.regions["secondary"].location
  tags                = var.tags

  create_mode                   = "Replica"
  source_server_id              = azurerm_postgresql_flexible_server.primary[0].id
  sku_name                      = var.postgres.sku
  storage_mb                    = var.postgres.storage_gb * 1024
  auto_grow_enabled             = true
  public_network_access_enabled = false

  lifecycle {
    # After a switchover it has no source; imported then, it would be replaced.
    ignore_changes = [zone, create_mode, source_server_id]
  }

  # While a replica is made its source takes no other change.
  depends_on = [azurerm_postgresql_flexible_server_database.this]
}

resource "azurerm_postgresql_flexible_server_virtual_endpoint" "this" {
  count = local.has_replica && try(var.postgres.virtual_endpoint, null) != null ? 1 : 0

  name              = var.postgres.virtual_endpoint
  source_server_id  = azurerm_postgresql_flexible_server.primary[0].id
  replica_server_id = azurerm_postgresql_flexible_server.replica[0].id
  type              = "ReadWrite"

  lifecycle {
    # A switchover swaps them, and replacing the endpoint would take the name that clients use.
    ignore_changes = [source_server_id, replica_server_id]
  }
}

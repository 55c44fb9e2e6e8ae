resource "azurerm_private_dns_zone" "this" {
  for_each = local.zones

  name                = each.value
  resource_group_name = var.private_dns_group
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = local.zone_links

  name                 = var.networks[each.value.role].name
  private_dns_zone_id  = azurerm_private_dns_zone.this[each.value.zone].id
  virtual_network_id   = var.networks[each.value.role].id
  registration_enabled = false
  tags                 = var.tags
}

resource "azurerm_private_endpoint" "this" {
  for_each = local.services

  name                          = "pe-${var.names[each.value.role].services[each.value.kind]}"
  resource_group_name           = var.regions[each.value.role].resource_group
  location                      = var.regions[each.value.role].location
  tags                          = var.tags
  subnet_id                     = var.networks[each.value.role].endpoint_subnet_id
  custom_network_interface_name = "nic-pe-${var.names[each.value.role].services[each.value.kind]}"

  private_service_connection {
    name                           = var.names[each.value.role].services[each.value.kind]
    private_connection_resource_id = each.value.id
    subresource_names              = [local.parts[each.value.kind]]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.this[each.value.kind].id]
  }

  # The database and the replica first: a server takes one change at a time.
  depends_on = [
    azurerm_postgresql_flexible_server_database.this,
    azurerm_postgresql_flexible_server_virtual_endpoint.this,
  ]
}

resource "azurerm_container_registry" "this" {
  name                = var.registry.name
  resource_group_name = azurerm_resource_group.this[var.registry.resource_group].name
  location            = var.location
  tags                = var.tags

  sku                           = var.registry.sku
  admin_enabled                 = false
  public_network_access_enabled = true

  dynamic "georeplications" {
    for_each = var.replica_location == null ? [] : [var.replica_location]

    content {
      location                        = georeplications.value
      global_endpoint_routing_enabled = true
      tags                            = var.tags
    }
  }
}

resource "azurerm_log_analytics_workspace" "this" {
  count = var.log_analytics == null ? 0 : 1

  name                = var.log_analytics.name
  resource_group_name = azurerm_resource_group.this[var.log_analytics.resource_group].name
  location            = var.location
  tags                = var.tags

  sku               = "PerGB2018"
  retention_in_days = var.log_analytics.retention_days
}

resource "azurerm_public_ip" "nat" {
  count = local.has_nat_gateway ? 1 : 0

  name                = var.names.nat_address
  resource_group_name = var.region.resource_group
  location            = var.region.location
  tags                = var.tags
  sku                 = "Standard"
  allocation_method   = "Static"
  ip_version          = "IPv4"
  zones               = local.zones
}

resource "azurerm_nat_gateway" "this" {
  count = local.has_nat_gateway ? 1 : 0

  name                    = var.names.nat_gateway
  resource_group_name     = var.region.resource_group
  location                = var.region.location
  tags                    = var.tags
  sku_name                = "Standard"
  idle_timeout_in_minutes = 4
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  count = local.has_nat_gateway ? 1 : 0

  nat_gateway_id       = azurerm_nat_gateway.this[0].id
  public_ip_address_id = azurerm_public_ip.nat[0].id
}

resource "azurerm_subnet_nat_gateway_association" "nodes" {
  count = local.has_nat_gateway ? 1 : 0

  subnet_id      = azurerm_subnet.nodes.id
  nat_gateway_id = azurerm_nat_gateway.this[0].id
}

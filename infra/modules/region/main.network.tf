resource "azurerm_network_security_group" "nodes" {
  name                = var.names.security_groups.nodes
  resource_group_name = var.region.resource_group
  location            = var.region.location
  tags                = var.tags

  security_rule = [
    for place, source in local.ingress_rules : {
      name                                       = "allow-ingress-${place}"
      description                                = ""
      direction                                  = "Inbound"
      access                                     = "Allow"
      priority                                   = 100 + place
      protocol                                   = "Tcp"
      source_address_prefix                      = source
      source_address_prefixes                    = []
      source_application_security_group_ids      = []
      source_port_range                          = "*"
      source_port_ranges                         = []
      destination_address_prefix                 = "*"
      destination_address_prefixes               = []
      destination_application_security_group_ids = []
      destination_port_range                     = ""
      destination_port_ranges                    = ["80", "443"]
    }
  ]
}

# Azure's own default rules let the networks in and the Internet not.
resource "azurerm_network_security_group" "endpoints" {
  name                = var.names.security_groups.endpoints
  resource_group_name = var.region.resource_group
  location            = var.region.location
  tags                = var.tags
  security_rule       = []
}

resource "azurerm_virtual_network" "this" {
  name                = var.region.network.name
  resource_group_name = var.region.resource_group
  location            = var.region.location
  tags                = var.tags
  address_space       = var.region.network.address_space
}

# Said on purpose in both subnets: the default of outbound access depends on the network's api-version.
resource "azurerm_subnet" "nodes" {
  name                            = var.region.network.node_subnet.name
  resource_group_name             = var.region.resource_group
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [var.region.network.node_subnet.cidr]
  default_outbound_access_enabled = false
  # Where a private link service takes its addresses; AKS's cloud provider would set it anyway.
  private_link_service_network_policies_enabled = false
}

resource "azurerm_subnet" "endpoints" {
  name                              = var.region.network.private_endpoint_subnet.name
  resource_group_name               = var.region.resource_group
  virtual_network_name              = azurerm_virtual_network.this.name
  address_prefixes                  = [var.region.network.private_endpoint_subnet.cidr]
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Disabled"
}

resource "azurerm_subnet_network_security_group_association" "nodes" {
  subnet_id                 = azurerm_subnet.nodes.id
  network_security_group_id = azurerm_network_security_group.nodes.id
}

resource "azurerm_subnet_network_security_group_association" "endpoints" {
  subnet_id                 = azurerm_subnet.endpoints.id
  network_security_group_id = azurerm_network_security_group.endpoints.id
}

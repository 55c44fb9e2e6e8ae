resource "azurerm_virtual_network_peering" "this" {
  for_each = local.peerings

  name                         = "to-${module.region[each.value].network_name}"
  resource_group_name          = local.regions[each.key].resource_group
  virtual_network_name         = module.region[each.key].network_name
  remote_virtual_network_id    = module.region[each.value].network_id
  allow_virtual_network_access = true
  allow_forwarded_traffic      = false
  allow_gateway_transit        = false
  use_remote_gateways          = false
}

output "regions" {
  description = "Names by role of the region."
  value = {
    for role, region in var.regions : role => {
      security_groups = {
        nodes     = "nsg-${region.network.node_subnet.name}"
        endpoints = "nsg-${region.network.private_endpoint_subnet.name}"
      }
      nat_gateway      = "ng-${region.network.name}"
      nat_address      = "pip-ng-${region.network.name}"
      identities       = local.identities[role]
      services         = local.services[role]
      role_assignments = local.role_assignments[role]
      origin_host      = "${var.origin_dns_label}.${region.location}.cloudapp.azure.com"
      # Made by the ingress's Service, not by this configuration.
      link_service_id = "/subscriptions/${var.subscription_id}/resourceGroups/${local.node_groups[role]}/providers/Microsoft.Network/privateLinkServices/pls-${var.origin_dns_label}"
    }
  }
}

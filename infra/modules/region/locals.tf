locals {
  zones           = length(var.region.zones) == 0 ? null : var.region.zones
  has_nat_gateway = var.cluster.outbound == "nat_gateway"

  system_pools = [for pool in var.node_pools : pool if pool.mode == "System"]
  first_pool   = local.system_pools[0]
  other_pools  = { for pool in var.node_pools : pool.name => pool if pool.name != local.first_pool.name }

  # AKS opens ports on its own security group only; the one of the nodes' subnet has to agree.
  ingress_rules = { for place, source in var.cluster.ingress_from : place + 1 => source }

  max_pods  = 110
  max_surge = "33%"
}

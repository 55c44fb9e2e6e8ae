locals {
  primary = var.regions["primary"]

  # The global groups live in the primary's location.
  shared_groups = distinct(compact([
    var.front_door.resource_group,
    var.registry.resource_group,
    try(var.private_dns.resource_group, null),
    try(var.log_analytics.resource_group, null),
  ]))
  resource_groups = merge(
    { for name in local.shared_groups : name => local.primary.location },
    { for region in var.regions : region.resource_group => region.location },
  )

  # Taken from the module that makes the groups, so that who uses one waits for it.
  regions = {
    for role, region in var.regions : role => merge(region, {
      resource_group = module.global.resource_group_names[region.resource_group]
    })
  }

  names = module.names.regions

  # Both ways: a pod of one region writes to the other's database by its private address.
  peerings = {
    for pair in setproduct(keys(var.regions), keys(var.regions)) : pair[0] => pair[1] if pair[0] != pair[1]
  }
}

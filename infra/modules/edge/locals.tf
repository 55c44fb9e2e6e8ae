locals {
  # The primary serves while it is healthy; the secondary stands by.
  priorities = { primary = 1, secondary = 2 }
  weight     = 1000

  is_linked    = var.front_door.origin_access == "private_link"
  is_reachable = var.front_door.ingress_is_up || !local.is_linked
  static       = var.front_door.static_assets
  stored       = try(local.static.source, null) == "storage" ? var.storage : {}
  link_message = "Front Door of this estate"
}

# HOW the estate is made is ../modules; WHAT it is stands in estate.yaml, which the library reads too.

locals {
  estate = yamldecode(file("${path.module}/estate.yaml"))

  regions = {
    for role in ["primary", "secondary"] : role => local.estate[role] if role == "primary" || local.estate.secondary_enabled
  }
}

module "estate" {
  source = "../modules"

  project                   = local.estate.project
  regions                   = local.regions
  cluster                   = local.estate.cluster
  node_pools                = local.estate.node_pools
  registry                  = local.estate.registry
  postgres                  = local.estate.postgres
  postgres_password         = var.postgres_password
  postgres_password_version = var.postgres_password_version
  redis                     = local.estate.redis
  storage                   = local.estate.storage
  private_dns               = local.estate.private_dns
  log_analytics             = local.estate.log_analytics
  front_door                = merge(local.estate.front_door, { ingress_is_up = var.ingress_is_up })
  app                       = local.estate.app
  tags                      = local.estate.tags
}

# The estate: names, what is global, a region for each entry of the map, the data services of all of
# them (a replica needs its source, so they are not a region's), and Front Door before it all.

data "azurerm_client_config" "current" {}

module "names" {
  source = "./names"

  subscription_id = data.azurerm_client_config.current.subscription_id
  regions         = var.regions
  cluster_name    = var.cluster.name
  app_release     = var.app.release
  registry        = var.registry
  service_names = {
    postgres = try(var.postgres.name, null)
    redis    = try(var.redis.name, null)
    storage  = try(var.storage.name, null)
  }
  origin_dns_label = var.front_door.origin_dns_label
}

module "global" {
  source = "./global"

  resource_groups  = local.resource_groups
  location         = local.primary.location
  replica_location = var.registry.replicated ? try(var.regions["secondary"].location, null) : null
  registry         = var.registry
  log_analytics    = var.log_analytics
  tags             = var.tags
}

module "region" {
  source   = "./region"
  for_each = local.regions

  role         = each.key
  region       = each.value
  names        = local.names[each.key]
  cluster      = var.cluster
  node_pools   = var.node_pools
  app          = var.app
  registry_id  = module.global.registry_id
  workspace_id = module.global.workspace_id
  tags         = var.tags
}

module "data" {
  source = "./data"

  project = var.project
  regions = local.regions
  networks = {
    for role, region in module.region : role => {
      id                 = region.network_id
      name               = region.network_name
      endpoint_subnet_id = region.endpoint_subnet_id
    }
  }
  names                     = local.names
  app_principal_ids         = { for role, region in module.region : role => region.app_identity.principal_id }
  postgres                  = var.postgres
  postgres_password         = var.postgres_password
  postgres_password_version = var.postgres_password_version
  redis                     = var.redis
  storage                   = var.storage
  storage_is_public         = try(var.front_door.static_assets.source, null) == "storage"
  private_dns_group         = try(module.global.resource_group_names[var.private_dns.resource_group], null)
  tags                      = var.tags
}

module "edge" {
  source = "./edge"

  regions    = var.regions
  names      = local.names
  front_door = merge(var.front_door, { resource_group = module.global.resource_group_names[var.front_door.resource_group] })
  storage    = module.data.storage
  tags       = var.tags
}

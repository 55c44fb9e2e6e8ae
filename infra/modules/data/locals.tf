locals {
  has_secondary = contains(keys(var.regions), "secondary")
  has_replica   = local.has_secondary && try(var.postgres.replica, false)

  managed_caches = try(var.redis.kind, null) == "managed" ? var.regions : {}
  premium_caches = try(var.redis.kind, null) == "premium" ? var.regions : {}
  is_replicated  = local.has_secondary && try(var.redis.geo_replication, false)

  accounts = var.storage == null ? {} : var.regions

  zones = merge(
    var.postgres == null ? {} : { postgres = "privatelink.postgres.database.azure.com" },
    var.redis == null ? {} : {
      redis = var.redis.kind == "managed" ? "privatelink.redis.azure.net" : "privatelink.redis.cache.windows.net"
    },
    var.storage == null ? {} : { storage = "privatelink.blob.core.windows.net" },
  )

  # Azure's word for the part of a service that an endpoint leads to.
  parts = {
    postgres = "postgresqlServer"
    redis    = try(var.redis.kind, null) == "premium" ? "redisCache" : "redisEnterprise"
    storage  = "blob"
  }

  # Each service has one endpoint, in its own region: two would overwrite each other's record in the
  # shared zone. The other region reaches it through the peering.
  services = merge(
    var.postgres == null ? {} : { "postgres-primary" = { kind = "postgres", role = "primary", id = azurerm_postgresql_flexible_server.primary[0].id } },
    local.has_replica ? { "postgres-secondary" = { kind = "postgres", role = "secondary", id = azurerm_postgresql_flexible_server.replica[0].id } } : {},
    { for role in keys(local.managed_caches) : "redis-${role}" => { kind = "redis", role = role, id = azurerm_managed_redis.this[role].id } },
    { for role in keys(local.premium_caches) : "redis-${role}" => { kind = "redis", role = role, id = azurerm_redis_cache.this[role].id } },
    { for role in keys(local.accounts) : "storage-${role}" => { kind = "storage", role = role, id = azurerm_storage_account.this[role].id } },
  )

  zone_links = {
    for pair in setproduct(keys(local.zones), keys(var.regions)) : "${pair[0]}-${pair[1]}" => { zone = pair[0], role = pair[1] }
  }
}

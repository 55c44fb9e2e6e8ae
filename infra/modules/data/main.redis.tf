resource "azurerm_managed_redis" "this" {
  for_each = local.managed_caches

  name                = var.names[each.key].services.redis
  resource_group_name = each.value.resource_group
  location            = each.value.location
  tags                = var.tags

  sku_name                  = var.redis.sku
  high_availability_enabled = true
  public_network_access     = "Disabled"

  default_database {
    client_protocol   = "Encrypted"
    clustering_policy = "EnterpriseCluster"
    eviction_policy   = "NoEviction"
    # The application signs in with a key.
    access_keys_authentication_enabled = true
    geo_replication_group_name         = var.redis.geo_replication ? var.project : null
  }
}

resource "azurerm_managed_redis_geo_replication" "this" {
  count = local.is_replicated && length(local.managed_caches) > 0 ? 1 : 0

  managed_redis_id         = azurerm_managed_redis.this["primary"].id
  linked_managed_redis_ids = [azurerm_managed_redis.this["secondary"].id]
}

resource "azurerm_redis_cache" "this" {
  for_each = local.premium_caches

  name                = var.names[each.key].services.redis
  resource_group_name = each.value.resource_group
  location            = each.value.location
  tags                = var.tags
  zones               = length(each.value.zones) == 0 ? null : each.value.zones

  sku_name                      = "Premium"
  family                        = "P"
  capacity                      = tonumber(substr(var.redis.sku, 1, 1))
  non_ssl_port_enabled          = false
  minimum_tls_version           = "1.2"
  public_network_access_enabled = false

  redis_configuration {
    maxmemory_policy = "noeviction"
  }
}

resource "azurerm_redis_linked_server" "this" {
  count = local.is_replicated && length(local.premium_caches) > 0 ? 1 : 0

  resource_group_name         = var.regions["primary"].resource_group
  target_redis_cache_name     = azurerm_redis_cache.this["primary"].name
  linked_redis_cache_id       = azurerm_redis_cache.this["secondary"].id
  linked_redis_cache_location = azurerm_redis_cache.this["secondary"].location
  server_role                 = "Secondary"

  # A linked cache takes no private endpoint any more.
  depends_on = [azurerm_private_endpoint.this]
}

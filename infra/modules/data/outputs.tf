output "postgres_hosts" {
  description = "Host names of the PostgreSQL servers by role; they resolve inside the networks."
  value = merge(
    { for server in azurerm_postgresql_flexible_server.primary : "primary" => server.fqdn },
    { for server in azurerm_postgresql_flexible_server.replica : "secondary" => server.fqdn },
  )
}

output "redis_hosts" {
  description = "Host names of the caches by role."
  value = merge(
    { for role, cache in azurerm_managed_redis.this : role => cache.hostname },
    { for role, cache in azurerm_redis_cache.this : role => cache.hostname },
  )
}

output "storage" {
  description = "Storage accounts by role: id, blob host name and container."
  value = {
    for role, account in azurerm_storage_account.this : role => {
      id        = account.id
      host      = "${account.name}.blob.core.windows.net"
      container = var.storage.container
    }
  }
}

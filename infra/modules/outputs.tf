output "public_host" {
  description = "Where users reach the application."
  value       = module.edge.public_host
}

output "registry_login_server" {
  description = "Host name that images are pulled from."
  value       = module.global.registry_login_server
}

output "cluster_ids" {
  description = "Ids of the managed clusters by role."
  value       = { for role, region in module.region : role => region.cluster_id }
}

output "cluster_endpoints" {
  description = "Host names of the API servers by role."
  value       = { for role, region in module.region : role => region.cluster_endpoint }
}

output "app_client_ids" {
  description = "What the application's service account is annotated with, by role."
  value       = { for role, region in module.region : role => region.app_identity.client_id }
}

output "postgres_hosts" {
  description = "Host names of the PostgreSQL servers by role."
  value       = module.data.postgres_hosts
}

output "redis_hosts" {
  description = "Host names of the caches by role."
  value       = module.data.redis_hosts
}

output "kubeconfigs" {
  description = "Kubeconfigs with the clusters' own certificates by role; empty without local accounts."
  value       = { for role, region in module.region : role => region.kubeconfig if var.cluster.local_accounts }
  sensitive   = true
}

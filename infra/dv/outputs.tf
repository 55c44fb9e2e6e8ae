output "environment" {
  description = "Which environment this is."
  value       = local.estate.environment

  precondition {
    condition     = local.estate.environment == basename(abspath(path.module))
    error_message = "estate.yaml is of environment ${local.estate.environment}, its folder is ${basename(abspath(path.module))}; for example infra/dv holds environment: dv."
  }
}

output "public_host" {
  description = "Where users reach the application."
  value       = module.estate.public_host
}

output "registry_login_server" {
  description = "Host name that images are pulled from."
  value       = module.estate.registry_login_server
}

output "cluster_ids" {
  description = "Ids of the managed clusters by role."
  value       = module.estate.cluster_ids
}

output "cluster_endpoints" {
  description = "Host names of the API servers by role."
  value       = module.estate.cluster_endpoints
}

output "app_client_ids" {
  description = "What the application's service account is annotated with, by role."
  value       = module.estate.app_client_ids
}

output "postgres_hosts" {
  description = "Host names of the PostgreSQL servers by role."
  value       = module.estate.postgres_hosts
}

output "redis_hosts" {
  description = "Host names of the caches by role."
  value       = module.estate.redis_hosts
}

output "kubeconfigs" {
  description = "Kubeconfigs by role; for example: terraform output -json kubeconfigs | jq -r .primary"
  value       = module.estate.kubeconfigs
  sensitive   = true
}

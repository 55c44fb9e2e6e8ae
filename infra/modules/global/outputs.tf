output "resource_group_names" {
  description = "Names by themselves: who takes one from here waits for its group."
  value       = { for name, group in azurerm_resource_group.this : name => group.name }
}

output "registry_id" {
  description = "Id of the container registry."
  value       = azurerm_container_registry.this.id
}

output "registry_login_server" {
  description = "Host name that images are pulled from."
  value       = azurerm_container_registry.this.login_server
}

output "workspace_id" {
  description = "Id of the workspace; null when there is none."
  value       = one(azurerm_log_analytics_workspace.this[*].id)
}

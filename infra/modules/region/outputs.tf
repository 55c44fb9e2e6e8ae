output "network_id" {
  description = "Id of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "network_name" {
  description = "Name of the virtual network: who takes it from here waits for its subnets."
  value       = azurerm_virtual_network.this.name
  depends_on  = [azurerm_subnet.nodes, azurerm_subnet.endpoints]
}

output "endpoint_subnet_id" {
  description = "Id of the subnet of private endpoints."
  value       = azurerm_subnet.endpoints.id
  depends_on  = [azurerm_subnet_network_security_group_association.endpoints]
}

output "cluster_id" {
  description = "Id of the managed cluster."
  value       = azurerm_kubernetes_cluster.this.id
}

output "cluster_endpoint" {
  description = "Host name of the API server."
  value       = azurerm_kubernetes_cluster.this.fqdn
}

output "app_identity" {
  description = "The application's identity: client_id for its service account, principal_id for roles."
  value = {
    client_id    = azurerm_user_assigned_identity.this["app"].client_id
    principal_id = azurerm_user_assigned_identity.this["app"].principal_id
  }
}

output "kubeconfig" {
  description = "Kubeconfig with the cluster's own certificate."
  value       = azurerm_kubernetes_cluster.this.kube_config_raw
  sensitive   = true
}

resource "azurerm_user_assigned_identity" "this" {
  for_each = var.names.identities

  name                = each.value
  resource_group_name = var.region.resource_group
  location            = var.region.location
  tags                = var.tags
}

locals {
  grants = {
    network  = { scope = azurerm_virtual_network.this.id, identity = "control_plane" }
    kubelet  = { scope = azurerm_user_assigned_identity.this["kubelet"].id, identity = "control_plane" }
    registry = { scope = var.registry_id, identity = "kubelet" }
  }
}

# What a cluster needs to come up and to pull: its subnet, its kubelets, the registry.
resource "azurerm_role_assignment" "cluster" {
  for_each = local.grants

  name               = var.names.role_assignments[each.key].name
  scope              = each.value.scope
  role_definition_id = var.names.role_assignments[each.key].role_definition_id
  principal_id       = azurerm_user_assigned_identity.this[each.value.identity].principal_id
  # Without it a new identity is looked up in the directory, which lags behind.
  principal_type = "ServicePrincipal"
}

# The application's service account is its identity, by the cluster's issuer.
resource "azurerm_federated_identity_credential" "app" {
  name                      = var.app.release
  user_assigned_identity_id = azurerm_user_assigned_identity.this["app"].id
  issuer                    = azurerm_kubernetes_cluster.this.oidc_issuer_url
  subject                   = "system:serviceaccount:${var.app.namespace}:${var.app.release}"
  audience                  = ["api://AzureADTokenExchange"]
}

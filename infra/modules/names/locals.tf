# Every name that is not in the estate file follows from one that is. The library has the same rules
# in azrunbook/resources; a test compares both for every environment.

locals {
  groups = {
    for role, region in var.regions : role => "/subscriptions/${var.subscription_id}/resourceGroups/${region.resource_group}"
  }

  # AKS's own name for it.
  node_groups = {
    for role, region in var.regions : role => substr("MC_${region.resource_group}_${var.cluster_name}_${region.location}", 0, 80)
  }

  identities = {
    for role, region in var.regions : role => {
      control_plane = "id-${var.cluster_name}-${region.location}"
      kubelet       = "id-${var.cluster_name}-kubelet-${region.location}"
      app           = "id-${var.app_release}-${region.location}"
    }
  }

  services = {
    for role, region in var.regions : role => {
      postgres = var.service_names.postgres == null ? null : "${var.service_names.postgres}-${region.location}"
      redis    = var.service_names.redis == null ? null : "${var.service_names.redis}-${region.location}"
      storage  = var.service_names.storage == null ? null : "${var.service_names.storage}${region.location}"
    }
  }

  identity_ids = {
    for role, names in local.identities : role => {
      for purpose, name in names : purpose => "${local.groups[role]}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}"
    }
  }

  network_ids = {
    for role, region in var.regions : role => "${local.groups[role]}/providers/Microsoft.Network/virtualNetworks/${region.network.name}"
  }

  registry_id = "/subscriptions/${var.subscription_id}/resourceGroups/${var.registry.resource_group}/providers/Microsoft.ContainerRegistry/registries/${var.registry.name}"

  # Azure's built-in roles have the same id in every tenant.
  role_definitions = {
    for name, id in {
      acr_pull            = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
      network_contributor = "4d97b98b-1d4f-4787-a291-c67834d212e7"
      identity_operator   = "f1a07417-d97a-45cb-824c-7a7467783830"
      blob_reader         = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    } : name => { guid = id, id = "/subscriptions/${var.subscription_id}/providers/Microsoft.Authorization/roleDefinitions/${id}" }
  }

  # Who may do what where.
  grants = {
    for role in keys(var.regions) : role => {
      network = {
        scope    = local.network_ids[role]
        role     = "network_contributor"
        identity = "control_plane"
      }
      kubelet = {
        scope    = local.identity_ids[role].kubelet
        role     = "identity_operator"
        identity = "control_plane"
      }
      registry = {
        scope    = local.registry_id
        role     = "acr_pull"
        identity = "kubelet"
      }
      storage = {
        scope    = local.services[role].storage == null ? null : "${local.groups[role]}/providers/Microsoft.Storage/storageAccounts/${local.services[role].storage}"
        role     = "blob_reader"
        identity = "app"
      }
    }
  }

  # An assignment's name is a GUID; made of what it says, every run arrives at the same one.
  role_assignments = {
    for role, grants in local.grants : role => {
      for purpose, grant in grants : purpose => {
        name               = uuidv5("url", lower("${grant.scope}|${local.role_definitions[grant.role].guid}|${local.identity_ids[role][grant.identity]}"))
        role_definition_id = local.role_definitions[grant.role].id
      } if grant.scope != null
    }
  }
}

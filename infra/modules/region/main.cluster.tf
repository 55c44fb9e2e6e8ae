resource "azurerm_kubernetes_cluster" "this" {
  name                = var.cluster.name
  resource_group_name = var.region.resource_group
  location            = var.region.location
  tags                = merge(var.tags, { role = var.role })

  dns_prefix                        = var.cluster.dns_prefix
  kubernetes_version                = var.cluster.kubernetes_version
  sku_tier                          = var.cluster.tier
  support_plan                      = var.cluster.support_plan
  automatic_upgrade_channel         = var.cluster.auto_upgrade == "none" ? null : var.cluster.auto_upgrade
  node_os_upgrade_channel           = "NodeImage"
  role_based_access_control_enabled = true
  local_account_disabled            = !var.cluster.local_accounts
  oidc_issuer_enabled               = true
  workload_identity_enabled         = true

  default_node_pool {
    name                 = local.first_pool.name
    vm_size              = local.first_pool.vm_size
    os_sku               = "AzureLinux"
    vnet_subnet_id       = azurerm_subnet.nodes.id
    zones                = local.zones
    max_pods             = local.max_pods
    auto_scaling_enabled = local.first_pool.autoscale != null
    # An autoscaled pool starts with its least and is the autoscaler's from then on.
    node_count = local.first_pool.autoscale == null ? local.first_pool.count : null
    min_count  = try(local.first_pool.autoscale.min_count, null)
    max_count  = try(local.first_pool.autoscale.max_count, null)
    # Pods that may run anywhere stay off the system pool, as AKS advises.
    only_critical_addons_enabled = true

    upgrade_settings {
      max_surge = local.max_surge
    }
  }

  node_provisioning_profile {
    mode = "Manual"
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this["control_plane"].id]
  }

  kubelet_identity {
    user_assigned_identity_id = azurerm_user_assigned_identity.this["kubelet"].id
    client_id                 = azurerm_user_assigned_identity.this["kubelet"].client_id
    object_id                 = azurerm_user_assigned_identity.this["kubelet"].principal_id
  }

  # Overlay: pods have addresses of their own, so that a /24 of nodes is not full with eight.
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    pod_cidr            = var.cluster.pod_cidr
    service_cidr        = var.cluster.service_cidr
    # AKS wants an address inside the service range that is not its first.
    dns_service_ip    = cidrhost(var.cluster.service_cidr, 10)
    load_balancer_sku = "standard"
    outbound_type     = local.has_nat_gateway ? "userAssignedNATGateway" : "loadBalancer"
  }

  dynamic "azure_active_directory_role_based_access_control" {
    for_each = var.cluster.entra == null ? [] : [var.cluster.entra]
    iterator = entra

    content {
      azure_rbac_enabled     = entra.value.azure_rbac
      admin_group_object_ids = entra.value.admin_groups
    }
  }

  dynamic "maintenance_window_auto_upgrade" {
    for_each = var.cluster.maintenance == null ? [] : [var.cluster.maintenance]
    iterator = window

    content {
      frequency   = "Weekly"
      interval    = 1
      day_of_week = window.value.day
      start_time  = window.value.start_time
      duration    = window.value.duration_hours
      utc_offset  = "+00:00"
    }
  }

  dynamic "maintenance_window_node_os" {
    for_each = var.cluster.maintenance == null ? [] : [var.cluster.maintenance]
    iterator = window

    content {
      frequency   = "Weekly"
      interval    = 1
      day_of_week = window.value.day
      start_time  = window.value.start_time
      duration    = window.value.duration_hours
      utc_offset  = "+00:00"
    }
  }

  dynamic "oms_agent" {
    for_each = var.workspace_id == null ? [] : [var.workspace_id]

    content {
      log_analytics_workspace_id      = oms_agent.value
      msi_auth_for_monitoring_enabled = true
    }
  }

  depends_on = [
    azurerm_role_assignment.cluster,
    azurerm_subnet_nat_gateway_association.nodes,
    azurerm_nat_gateway_public_ip_association.this,
    azurerm_subnet_network_security_group_association.nodes,
  ]
}

resource "azurerm_kubernetes_cluster_node_pool" "this" {
  for_each = local.other_pools

  name                  = each.key
  kubernetes_cluster_id = azurerm_kubernetes_cluster.this.id
  # The cluster's tags and its pools' are separate things; the library gives pools none either.
  mode                 = each.value.mode
  vm_size              = each.value.vm_size
  os_type              = "Linux"
  os_sku               = "AzureLinux"
  vnet_subnet_id       = azurerm_subnet.nodes.id
  zones                = local.zones
  max_pods             = local.max_pods
  auto_scaling_enabled = each.value.autoscale != null
  node_count           = each.value.autoscale == null ? each.value.count : null
  min_count            = try(each.value.autoscale.min_count, null)
  max_count            = try(each.value.autoscale.max_count, null)
  node_taints          = each.value.mode == "System" ? ["CriticalAddonsOnly=true:NoSchedule"] : null

  upgrade_settings {
    max_surge = local.max_surge
  }
}

resource "azurerm_cdn_frontdoor_profile" "this" {
  name                = var.front_door.profile
  resource_group_name = var.front_door.resource_group
  tags                = var.tags
  sku_name            = var.front_door.sku
  # Said on purpose: the documentation and azurerm disagree on the default.
  response_timeout_seconds = var.front_door.origin_response_timeout_seconds
}

resource "azurerm_cdn_frontdoor_endpoint" "this" {
  name                     = var.front_door.endpoint
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  tags                     = var.tags
  enabled                  = true
}

resource "azurerm_cdn_frontdoor_origin_group" "this" {
  name                     = var.front_door.origin_group
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  session_affinity_enabled = false

  load_balancing {
    sample_size                        = var.front_door.load_balancing.sample_size
    successful_samples_required        = var.front_door.load_balancing.successful_samples
    additional_latency_in_milliseconds = var.front_door.load_balancing.additional_latency_milliseconds
  }

  health_probe {
    path                = var.front_door.health_probe.path
    request_type        = var.front_door.health_probe.method
    protocol            = "Http"
    interval_in_seconds = var.front_door.health_probe.interval_seconds
  }
}

resource "azurerm_cdn_frontdoor_origin" "this" {
  for_each = { for role, region in var.regions : role => region if local.is_reachable }

  name                           = each.value.location
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.this.id
  host_name                      = var.names[each.key].origin_host
  origin_host_header             = var.names[each.key].origin_host
  http_port                      = 80
  https_port                     = 443
  priority                       = local.priorities[each.key]
  weight                         = local.weight
  enabled                        = true
  certificate_name_check_enabled = true

  # Its owner has to approve the connection once.
  dynamic "private_link" {
    for_each = local.is_linked ? [var.names[each.key].link_service_id] : []

    content {
      private_link_target_id = private_link.value
      location               = each.value.location
      request_message        = local.link_message
    }
  }
}

resource "azurerm_cdn_frontdoor_route" "this" {
  count = local.is_reachable ? 1 : 0

  name                            = var.front_door.route
  cdn_frontdoor_endpoint_id       = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id   = azurerm_cdn_frontdoor_origin_group.this.id
  cdn_frontdoor_custom_domain_ids = azurerm_cdn_frontdoor_custom_domain.this[*].id
  supported_protocols             = ["Http", "Https"]
  patterns_to_match               = ["/*"]
  # TLS ends at the edge; the origins serve plain HTTP on port 80.
  forwarding_protocol    = "HttpOnly"
  https_redirect_enabled = true
  link_to_default_domain = true
  enabled                = true

  # A route to a group without an origin is refused. Azure does not show the origins of a route, so
  # that an argument for them would differ for ever after an import.
  depends_on = [azurerm_cdn_frontdoor_origin.this]
}

resource "azurerm_cdn_frontdoor_origin_group" "static" {
  count = length(local.stored) > 0 ? 1 : 0

  name                     = local.static.origin_group
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  session_affinity_enabled = false

  # The runbook uploads what is asked for along with the assets.
  health_probe {
    path                = "/${local.stored["primary"].container}/probe.txt"
    request_type        = "HEAD"
    protocol            = "Https"
    interval_in_seconds = var.front_door.health_probe.interval_seconds
  }

  load_balancing {
    sample_size                        = var.front_door.load_balancing.sample_size
    successful_samples_required        = var.front_door.load_balancing.successful_samples
    additional_latency_in_milliseconds = var.front_door.load_balancing.additional_latency_milliseconds
  }
}

resource "azurerm_cdn_frontdoor_origin" "static" {
  for_each = local.stored

  name                           = var.regions[each.key].location
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.static[0].id
  host_name                      = each.value.host
  origin_host_header             = each.value.host
  http_port                      = 80
  https_port                     = 443
  priority                       = local.priorities[each.key]
  weight                         = local.weight
  enabled                        = true
  certificate_name_check_enabled = true

  private_link {
    private_link_target_id = each.value.id
    location               = var.regions[each.key].location
    target_type            = "blob"
    request_message        = local.link_message
  }
}

# Who serves the static assets: the storage accounts, or the application.
locals {
  static_origin_group_id = one(concat(azurerm_cdn_frontdoor_origin_group.static[*].id, length(local.stored) > 0 ? [] : [azurerm_cdn_frontdoor_origin_group.this.id]))
}

resource "azurerm_cdn_frontdoor_route" "static" {
  count = local.static != null && (local.is_reachable || length(local.stored) > 0) ? 1 : 0

  name                            = local.static.route
  cdn_frontdoor_endpoint_id       = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id   = local.static_origin_group_id
  cdn_frontdoor_custom_domain_ids = azurerm_cdn_frontdoor_custom_domain.this[*].id
  supported_protocols             = ["Http", "Https"]
  patterns_to_match               = [local.static.pattern]
  forwarding_protocol             = length(local.stored) > 0 ? "HttpsOnly" : "HttpOnly"
  https_redirect_enabled          = true
  link_to_default_domain          = true
  enabled                         = true

  cache {
    query_string_caching_behavior = "IgnoreQueryString"
    compression_enabled           = true
    content_types_to_compress = [
      "application/javascript", "application/json", "image/svg+xml", "text/css", "text/html",
      "text/javascript", "text/plain",
    ]
  }

  depends_on = [azurerm_cdn_frontdoor_origin.static, azurerm_cdn_frontdoor_origin.this]
}

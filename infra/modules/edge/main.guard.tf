# A host name of one's own; its DNS is not ours.
resource "azurerm_cdn_frontdoor_custom_domain" "this" {
  count = var.front_door.custom_domain == null ? 0 : 1

  name                     = var.front_door.custom_domain.name
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  host_name                = var.front_door.custom_domain.host_name

  tls {
    certificate_type = "ManagedCertificate"
    minimum_version  = "TLS12"
  }
}

resource "azurerm_cdn_frontdoor_firewall_policy" "this" {
  count = var.front_door.waf == null ? 0 : 1

  name                = var.front_door.waf.name
  resource_group_name = var.front_door.resource_group
  tags                = var.tags
  sku_name            = var.front_door.sku
  enabled             = true
  mode                = var.front_door.waf.mode

  # The managed rules of Azure; only the Premium sku has them.
  dynamic "managed_rule" {
    for_each = var.front_door.sku == "Premium_AzureFrontDoor" ? ["2.1"] : []

    content {
      type    = "Microsoft_DefaultRuleSet"
      version = managed_rule.value
      action  = "Block"
    }
  }
}

resource "azurerm_cdn_frontdoor_security_policy" "this" {
  count = var.front_door.waf == null ? 0 : 1

  name                     = var.front_door.waf.name
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.this[0].id

      association {
        patterns_to_match = ["/*"]

        dynamic "domain" {
          for_each = concat([azurerm_cdn_frontdoor_endpoint.this.id], azurerm_cdn_frontdoor_custom_domain.this[*].id)

          content {
            cdn_frontdoor_domain_id = domain.value
          }
        }
      }
    }
  }
}

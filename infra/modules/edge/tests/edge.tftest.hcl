# Front Door. Nothing is deployed: the provider is a mock.

mock_provider "azurerm" {}

variables {
  regions = { primary = { location = "eastus" }, secondary = { location = "westus2" } }
  names = {
    primary   = { origin_host = "aks-dv.eastus.cloudapp.azure.com", link_service_id = "/pls-eastus" }
    secondary = { origin_host = "aks-dv.westus2.cloudapp.azure.com", link_service_id = "/pls-westus2" }
  }
  front_door = {
    resource_group                  = "rg-global"
    profile                         = "afd-dv"
    sku                             = "Standard_AzureFrontDoor"
    endpoint                        = "hello-world-dv"
    origin_group                    = "og-hello-world"
    route                           = "route-hello-world"
    origin_access                   = "public"
    origin_response_timeout_seconds = 60
    health_probe                    = { path = "/healthz", method = "HEAD", interval_seconds = 5 }
    load_balancing                  = { sample_size = 4, successful_samples = 3, additional_latency_milliseconds = 50 }
    static_assets                   = { route = "route-static", pattern = "/static/*", source = "app", origin_group = "og-static" }
  }
}

run "the_primary_serves_while_it_is_healthy" {
  command = plan

  assert {
    condition     = { for role, origin in azurerm_cdn_frontdoor_origin.this : role => origin.priority } == { primary = 1, secondary = 2 }
    error_message = "The secondary does not stand by."
  }

  assert {
    condition     = length(azurerm_cdn_frontdoor_origin_group.static) == 0 && length(azurerm_cdn_frontdoor_route.static) == 1
    error_message = "The application's static assets are not cached, or have origins of their own."
  }
}

run "private_origins_and_assets_behind_a_firewall" {
  command = plan

  variables {
    front_door = {
      resource_group                  = "rg-global"
      profile                         = "afd-prod"
      sku                             = "Premium_AzureFrontDoor"
      endpoint                        = "hello-world-prod"
      origin_group                    = "og-hello-world"
      route                           = "route-hello-world"
      origin_access                   = "private_link"
      origin_response_timeout_seconds = 60
      health_probe                    = { path = "/healthz", method = "HEAD", interval_seconds = 5 }
      load_balancing                  = { sample_size = 4, successful_samples = 3, additional_latency_milliseconds = 50 }
      static_assets                   = { route = "route-static", pattern = "/static/*", source = "storage", origin_group = "og-static" }
      custom_domain                   = { name = "hello-example-com", host_name = "hello.example.com" }
      waf                             = { name = "wafprod", mode = "Prevention" }
    }
    storage = {
      primary   = { id = "/stazreastus", host = "stazreastus.blob.core.windows.net", container = "static" }
      secondary = { id = "/stazrwestus2", host = "stazrwestus2.blob.core.windows.net", container = "static" }
    }
  }

  assert {
    condition     = azurerm_cdn_frontdoor_origin.this["secondary"].private_link[0].private_link_target_id == "/pls-westus2"
    error_message = "An origin is not reached by its private link service."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_origin.static["primary"].private_link[0].target_type == "blob"
    error_message = "A storage account is not reached by private link."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_route.static[0].forwarding_protocol == "HttpsOnly"
    error_message = "Storage accounts serve HTTPS only."
  }

  assert {
    condition     = azurerm_cdn_frontdoor_firewall_policy.this[0].managed_rule[0].type == "Microsoft_DefaultRuleSet"
    error_message = "The firewall has no rules."
  }
}

run "private_origins_wait_for_the_ingress" {
  command = plan

  variables {
    front_door = {
      ingress_is_up                   = false
      resource_group                  = "rg-global"
      profile                         = "afd-prod"
      sku                             = "Premium_AzureFrontDoor"
      endpoint                        = "hello-world-prod"
      origin_group                    = "og-hello-world"
      route                           = "route-hello-world"
      origin_access                   = "private_link"
      origin_response_timeout_seconds = 60
      health_probe                    = { path = "/healthz", method = "HEAD", interval_seconds = 5 }
      load_balancing                  = { sample_size = 4, successful_samples = 3, additional_latency_milliseconds = 50 }
      static_assets                   = { route = "route-static", pattern = "/static/*", source = "storage", origin_group = "og-static" }
    }
    storage = { primary = { id = "/stazreastus", host = "stazreastus.blob.core.windows.net", container = "static" } }
  }

  assert {
    condition     = length(azurerm_cdn_frontdoor_origin.this) + length(azurerm_cdn_frontdoor_route.this) == 0
    error_message = "Front Door would be led to link services that are not there."
  }

  assert {
    condition     = length(azurerm_cdn_frontdoor_origin.static) + length(azurerm_cdn_frontdoor_route.static) == 2
    error_message = "Storage does not wait for the ingress."
  }
}

run "private_links_of_a_standard_profile" {
  command = plan

  variables {
    front_door = {
      resource_group                  = "rg-global"
      profile                         = "afd-dv"
      sku                             = "Standard_AzureFrontDoor"
      endpoint                        = "hello-world-dv"
      origin_group                    = "og-hello-world"
      route                           = "route-hello-world"
      origin_access                   = "private_link"
      origin_response_timeout_seconds = 60
      health_probe                    = { path = "/healthz", method = "HEAD", interval_seconds = 5 }
      load_balancing                  = { sample_size = 4, successful_samples = 3, additional_latency_milliseconds = 50 }
    }
  }

  expect_failures = [var.front_door]
}

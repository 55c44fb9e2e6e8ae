# Groups, registry and workspace. Nothing is deployed: the provider is a mock.

mock_provider "azurerm" {}

variables {
  resource_groups = { rg-global = "eastus", rg-primary = "eastus", rg-secondary = "westus2" }
  location        = "eastus"
  registry        = { resource_group = "rg-global", name = "azrunbookdv", sku = "Premium" }
  tags            = { environment = "dv" }
}

run "every_group_is_where_its_region_is" {
  command = plan

  assert {
    condition     = tomap({ for name, group in azurerm_resource_group.this : name => group.location }) == var.resource_groups
    error_message = "A group is in another location than the estate says."
  }

  assert {
    condition     = azurerm_container_registry.this.admin_enabled == false
    error_message = "The registry has a password that nobody needs."
  }

  assert {
    condition     = output.workspace_id == null
    error_message = "A workspace that the estate does not have."
  }
}

run "the_registry_keeps_a_copy_in_the_second_region" {
  command = plan

  variables {
    replica_location = "westus2"
  }

  assert {
    condition     = azurerm_container_registry.this.georeplications[*].location == tolist(["westus2"])
    error_message = "The registry has no copy in westus2."
  }
}

run "a_workspace_keeps_logs_as_long_as_asked" {
  command = plan

  variables {
    log_analytics = { resource_group = "rg-global", name = "log-dv", retention_days = 90 }
  }

  assert {
    condition     = azurerm_log_analytics_workspace.this[0].retention_in_days == 90
    error_message = "The workspace does not keep its logs for 90 days."
  }
}

run "a_copy_of_a_basic_registry" {
  command = plan

  variables {
    registry         = { resource_group = "rg-global", name = "azrunbookdv", sku = "Basic" }
    replica_location = "westus2"
  }

  expect_failures = [var.replica_location]
}

run "logs_kept_for_a_day" {
  command = plan

  variables {
    log_analytics = { resource_group = "rg-global", name = "log-dv", retention_days = 1 }
  }

  expect_failures = [var.log_analytics]
}

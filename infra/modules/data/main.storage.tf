resource "azurerm_storage_account" "this" {
  for_each = local.accounts

  name                = var.names[each.key].services.storage
  resource_group_name = each.value.resource_group
  location            = each.value.location
  tags                = var.tags

  account_kind               = "StorageV2"
  account_tier               = split("_", var.storage.sku)[0]
  account_replication_type   = split("_", var.storage.sku)[1]
  access_tier                = "Hot"
  https_traffic_only_enabled = true
  min_tls_version            = "TLS1_2"
  # Front Door asks as nobody, and what it serves is public anyway; the network lets only private endpoints in.
  allow_nested_items_to_be_public = var.storage_is_public
  public_network_access_enabled   = false
  # Whoever reads does so as an identity; there is no key to lose.
  shared_access_key_enabled = false

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
  }
}

resource "azurerm_storage_container" "this" {
  for_each = local.accounts

  name                  = var.storage.container
  storage_account_id    = azurerm_storage_account.this[each.key].id
  container_access_type = var.storage_is_public ? "blob" : "private"
}

resource "azurerm_role_assignment" "app_reads_blobs" {
  for_each = local.accounts

  name               = var.names[each.key].role_assignments["storage"].name
  scope              = azurerm_storage_account.this[each.key].id
  role_definition_id = var.names[each.key].role_assignments["storage"].role_definition_id
  principal_id       = var.app_principal_ids[each.key]
  principal_type     = "ServicePrincipal"
}

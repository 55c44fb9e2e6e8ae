output "public_host" {
  description = "Where users reach the application."
  value       = azurerm_cdn_frontdoor_endpoint.this.host_name
}

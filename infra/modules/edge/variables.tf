variable "regions" {
  type        = map(object({ location = string }))
  description = "Regions in use by their role."

  validation {
    condition     = contains(keys(var.regions), "primary")
    error_message = "regions has the key primary, for example { primary = { location = \"eastus\" } }."
  }
}

variable "names" {
  type        = map(object({ origin_host = string, link_service_id = string }))
  description = "Names by role, of the module names."
}

variable "front_door" {
  type = object({
    resource_group                  = string
    profile                         = string
    sku                             = string
    endpoint                        = string
    origin_group                    = string
    route                           = string
    origin_access                   = string
    ingress_is_up                   = optional(bool, true)
    origin_response_timeout_seconds = number
    health_probe                    = object({ path = string, method = string, interval_seconds = number })
    load_balancing = object({
      sample_size                     = number
      successful_samples              = number
      additional_latency_milliseconds = number
    })
    static_assets = optional(object({ route = string, pattern = string, source = string, origin_group = string }))
    custom_domain = optional(object({ name = string, host_name = string }))
    waf           = optional(object({ name = string, mode = string }))
  })
  description = "The one way in."

  validation {
    condition     = contains(["Standard_AzureFrontDoor", "Premium_AzureFrontDoor"], var.front_door.sku)
    error_message = "front_door.sku is Standard_AzureFrontDoor or Premium_AzureFrontDoor, for example \"Premium_AzureFrontDoor\"."
  }

  validation {
    condition = var.front_door.sku == "Premium_AzureFrontDoor" || (
      var.front_door.origin_access == "public" && try(var.front_door.static_assets.source, "app") == "app"
    )
    error_message = "front_door.sku has private links only when it is Premium; for example { sku = \"Premium_AzureFrontDoor\", origin_access = \"private_link\", … }."
  }

  validation {
    condition     = var.front_door.load_balancing.successful_samples <= var.front_door.load_balancing.sample_size
    error_message = "front_door.load_balancing.successful_samples is at most sample_size, for example { sample_size = 4, successful_samples = 3, … }."
  }
}

variable "storage" {
  type        = map(object({ id = string, host = string, container = string }))
  default     = {}
  description = "Storage accounts by role, for static assets from storage."

  validation {
    condition     = try(var.front_door.static_assets.source, "app") == "app" || length(var.storage) > 0
    error_message = "storage is needed with front_door.static_assets.source storage, for example { primary = { id = \"/subscriptions/…\", host = \"stazrdveastus.blob.core.windows.net\", container = \"static\" } }."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of every resource."
}

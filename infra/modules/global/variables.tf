variable "resource_groups" {
  type        = map(string)
  description = "Location of every resource group of the estate by its name."

  validation {
    condition     = alltrue([for name in keys(var.resource_groups) : can(regex("^[A-Za-z0-9]([A-Za-z0-9._-]{0,88}[A-Za-z0-9_])?$", name))])
    error_message = "A resource group's name is at most 90 letters, digits, ., - and _, for example { rg-aks-global = \"eastus\" }."
  }
}

variable "location" {
  type        = string
  description = "The primary's location, where the registry and the workspace are."

  validation {
    condition     = can(regex("^[a-z]+[a-z0-9]*$", var.location))
    error_message = "location is Azure's short name of a region, for example \"eastus\"."
  }
}

variable "replica_location" {
  type        = string
  default     = null
  description = "Where the registry keeps a copy; null: nowhere."

  validation {
    condition     = var.replica_location == null || (var.replica_location != var.location && var.registry.sku == "Premium")
    error_message = "replica_location is another location than the registry's, of a registry with sku Premium, for example \"westus2\"."
  }
}

variable "registry" {
  type        = object({ resource_group = string, name = string, sku = string })
  description = "The container registry of both regions."

  validation {
    condition     = contains(["Basic", "Standard", "Premium"], var.registry.sku)
    error_message = "registry.sku is Basic, Standard or Premium, for example { name = \"azrunbookdv\", sku = \"Premium\", … }."
  }
}

variable "log_analytics" {
  type        = object({ resource_group = string, name = string, retention_days = number })
  default     = null
  description = "The workspace of both clusters' logs; null: there is none."

  validation {
    condition     = var.log_analytics == null || try(var.log_analytics.retention_days >= 30 && var.log_analytics.retention_days <= 730, false)
    error_message = "log_analytics.retention_days is 30 to 730, for example { name = \"log-dv\", retention_days = 30, … }."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of every resource; no time among them, or every plan would show a change."

  validation {
    condition     = length(var.tags) <= 50
    error_message = "Azure takes at most 50 tags, for example { environment = \"dv\" }."
  }
}

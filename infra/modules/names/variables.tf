variable "subscription_id" {
  type        = string
  description = "Subscription of the estate; a part of every id."

  validation {
    condition     = can(regex("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", var.subscription_id))
    error_message = "subscription_id is a GUID, for example \"11111111-2222-3333-4444-555555555555\"."
  }
}

variable "regions" {
  type = map(object({
    location       = string
    resource_group = string
    network = object({
      name                    = string
      node_subnet             = object({ name = string })
      private_endpoint_subnet = object({ name = string })
    })
  }))
  description = "Regions in use by their role."

  validation {
    condition     = contains(keys(var.regions), "primary") && length(setsubtract(keys(var.regions), ["primary", "secondary"])) == 0
    error_message = "regions has the key primary and may have secondary, for example { primary = { location = \"eastus\", … } }."
  }
}

variable "cluster_name" {
  type        = string
  description = "Name of both clusters."

  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$", var.cluster_name))
    error_message = "cluster_name is at most 63 letters, digits, - and _, for example \"aks-multiregion-cluster\"."
  }
}

variable "app_release" {
  type        = string
  description = "Name of the application's release; its identity is named after it."

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.app_release))
    error_message = "app_release is a DNS label, for example \"hello-world\"."
  }
}

variable "registry" {
  type        = object({ resource_group = string, name = string })
  description = "Where the container registry is."

  validation {
    condition     = can(regex("^[a-z0-9]{5,50}$", var.registry.name))
    error_message = "registry.name is 5 to 50 lower-case letters and digits, for example \"azrunbookdv\"."
  }
}

variable "service_names" {
  type        = object({ postgres = optional(string), redis = optional(string), storage = optional(string) })
  description = "Names of the data services before their location is added; null: there is none."

  validation {
    condition     = var.service_names.storage == null || can(regex("^[a-z0-9]{3,17}$", var.service_names.storage))
    error_message = "service_names.storage is 3 to 17 lower-case letters and digits, for example \"stazrdv\"."
  }
}

variable "origin_dns_label" {
  type        = string
  description = "DNS label of each region's ingress."

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.origin_dns_label))
    error_message = "origin_dns_label is a DNS label, for example \"aks-multiregion-dv\"."
  }
}

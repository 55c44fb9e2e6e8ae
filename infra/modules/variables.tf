variable "project" {
  type        = string
  description = "Name of the project."

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.project))
    error_message = "project is a DNS label, for example \"aks-multiregion\"."
  }
}

variable "regions" {
  type = map(object({
    location       = string
    resource_group = string
    zones          = list(string)
    network = object({
      name                    = string
      address_space           = list(string)
      node_subnet             = object({ name = string, cidr = string })
      private_endpoint_subnet = object({ name = string, cidr = string })
    })
  }))
  description = "Regions in use by their role; a map, so that a second region is one more entry."

  validation {
    condition     = contains(keys(var.regions), "primary") && length(setsubtract(keys(var.regions), ["primary", "secondary"])) == 0
    error_message = "regions has the key primary and may have secondary, for example { primary = { location = \"eastus\", … } }."
  }

  validation {
    condition     = length(distinct([for region in var.regions : region.location])) == length(var.regions)
    error_message = "Every region has another location, for example eastus and westus2."
  }
}

variable "cluster" {
  type = object({
    name               = string
    dns_prefix         = string
    kubernetes_version = string
    support_plan       = string
    tier               = string
    pod_cidr           = string
    service_cidr       = string
    outbound           = string
    ingress_from       = list(string)
    local_accounts     = bool
    auto_upgrade       = string
    entra              = optional(object({ admin_groups = list(string), azure_rbac = bool }))
    maintenance        = optional(object({ day = string, start_time = string, duration_hours = number }))
  })
  description = "A managed cluster per region."

  validation {
    condition     = contains(["none", "patch"], var.cluster.auto_upgrade)
    error_message = "cluster.auto_upgrade is none or patch, for example \"patch\"."
  }
}

variable "node_pools" {
  type = list(object({
    name      = string
    count     = number
    vm_size   = string
    mode      = string
    autoscale = optional(object({ min_count = number, max_count = number }))
  }))
  description = "Node pools of every cluster."

  validation {
    condition     = length(distinct(var.node_pools[*].name)) == length(var.node_pools)
    error_message = "Node pools have different names, for example systempool, memopt and cpuopt."
  }
}

variable "registry" {
  type        = object({ resource_group = string, name = string, sku = string, replicated = bool })
  description = "The container registry."

  validation {
    condition     = var.registry.sku == "Premium" || !var.registry.replicated
    error_message = "registry.replicated needs sku Premium, for example { sku = \"Premium\", replicated = true, … }."
  }
}

variable "postgres" {
  type = object({
    name                  = string
    version               = string
    sku                   = string
    storage_gb            = number
    administrator         = string
    database              = string
    backup_retention_days = number
    geo_redundant_backup  = bool
    zone_redundant        = bool
    replica               = bool
    virtual_endpoint      = optional(string)
  })
  default     = null
  description = "PostgreSQL of both regions; null: there is none."

  validation {
    condition     = var.postgres == null || can(regex("^[a-z][a-z0-9-]{1,40}[a-z0-9]$", var.postgres.name))
    error_message = "postgres.name is lower-case letters, digits and -, for example \"psql-multiregion-dv\"."
  }
}

variable "postgres_password" {
  type        = string
  ephemeral   = true
  description = "Of PostgreSQL's administrator; used only where postgres_password_version is new."
}

variable "postgres_password_version" {
  type        = number
  default     = 0
  description = "Raise it to set another password; 0 is also what an imported server has."
}

variable "redis" {
  type        = object({ kind = string, name = string, sku = string, geo_replication = bool })
  default     = null
  description = "Redis of both regions; null: there is none."

  validation {
    condition     = var.redis == null || can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.redis.name))
    error_message = "redis.name is lower-case letters, digits and single -, for example \"redis-multiregion-dv\"."
  }
}

variable "storage" {
  type        = object({ name = string, sku = string, container = string })
  default     = null
  description = "Storage of both regions; null: there is none."
}

variable "private_dns" {
  type        = object({ resource_group = string })
  default     = null
  description = "Where the private DNS zones are; null with no data service."
}

variable "log_analytics" {
  type        = object({ resource_group = string, name = string, retention_days = number })
  default     = null
  description = "The workspace of both clusters' logs; null: there is none."
}

variable "front_door" {
  type = object({
    resource_group                  = string
    profile                         = string
    sku                             = string
    endpoint                        = string
    origin_group                    = string
    route                           = string
    origin_dns_label                = string
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
    condition     = contains(["public", "private_link"], var.front_door.origin_access)
    error_message = "front_door.origin_access is public or private_link, for example \"public\"."
  }
}

variable "app" {
  type        = object({ release = string, namespace = string })
  description = "The application's release: its identity is made here."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of every resource."
}

variable "project" {
  type        = string
  description = "Name of the caches' replication group."

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
  }))
  description = "Regions in use by their role."

  validation {
    condition     = contains(keys(var.regions), "primary")
    error_message = "regions has the key primary, for example { primary = { location = \"eastus\", … } }."
  }
}

variable "networks" {
  type        = map(object({ id = string, name = string, endpoint_subnet_id = string }))
  description = "Networks by role: what private endpoints and zones are tied to."
}

variable "names" {
  type = map(object({
    services         = object({ postgres = optional(string), redis = optional(string), storage = optional(string) })
    role_assignments = map(object({ name = string, role_definition_id = string }))
  }))
  description = "Names by role, of the module names."
}

variable "app_principal_ids" {
  type        = map(string)
  description = "The application's identities by role: they read the storage accounts."
}

variable "postgres" {
  type = object({
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
  description = "PostgreSQL; null: there is none."

  validation {
    condition     = var.postgres == null || can(regex("^(GP|MO)_Standard_\\w+$", var.postgres.sku))
    error_message = "postgres.sku is general purpose or memory optimized, for example \"GP_Standard_D2s_v3\"."
  }

  validation {
    condition     = var.postgres == null || try(var.postgres.backup_retention_days >= 7 && var.postgres.backup_retention_days <= 35, false)
    error_message = "postgres.backup_retention_days is 7 to 35, for example 7."
  }
}

variable "postgres_password" {
  type        = string
  ephemeral   = true
  description = "Of the administrator; goes to Azure and into no file, and is used only where postgres_password_version is new."

  validation {
    condition     = length(var.postgres_password) >= 12 && length(var.postgres_password) <= 128
    error_message = "postgres_password has 12 to 128 characters; for example: export TF_VAR_postgres_password=\"$(openssl rand -base64 24)\"."
  }
}

variable "postgres_password_version" {
  type        = number
  default     = 0
  description = "Raise it to set another password; 0 is also what an imported server has."

  validation {
    condition     = var.postgres_password_version >= 0 && floor(var.postgres_password_version) == var.postgres_password_version
    error_message = "postgres_password_version is a whole number from 0 on, for example 1."
  }
}

variable "redis" {
  type        = object({ kind = string, sku = string, geo_replication = bool })
  default     = null
  description = "Redis; null: there is none."

  validation {
    condition     = var.redis == null || try(contains(["managed", "premium"], var.redis.kind), false)
    error_message = "redis.kind is managed or premium, for example { kind = \"managed\", sku = \"Balanced_B5\", … }."
  }

  validation {
    condition     = var.redis == null || try((var.redis.kind == "premium") == can(regex("^P[1-5]$", var.redis.sku)), false)
    error_message = "redis.sku is P1 to P5 with kind premium, else a size of Azure Managed Redis, for example \"Balanced_B5\"."
  }
}

variable "storage" {
  type        = object({ sku = string, container = string })
  default     = null
  description = "Storage; null: there is none."

  validation {
    condition     = var.storage == null || can(regex("^Standard_(LRS|ZRS|GRS|RAGRS|GZRS|RAGZRS)$", var.storage.sku))
    error_message = "storage.sku is Standard and how it replicates, for example \"Standard_ZRS\"."
  }
}

variable "storage_is_public" {
  type        = bool
  default     = false
  description = "Whether Front Door serves what is in storage to everybody."
}

variable "private_dns_group" {
  type        = string
  default     = null
  description = "Resource group of the private DNS zones."

  validation {
    condition     = var.private_dns_group != null || (var.postgres == null && var.redis == null && var.storage == null)
    error_message = "private_dns_group is needed with postgres, redis or storage: their names resolve through it; for example \"rg-aks-global\"."
  }
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of every resource."
}

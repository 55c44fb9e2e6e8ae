variable "role" {
  type        = string
  description = "What the region is to the estate; a tag of its cluster."

  validation {
    condition     = contains(["primary", "secondary"], var.role)
    error_message = "role is primary or secondary, for example \"primary\"."
  }
}

variable "region" {
  type = object({
    location       = string
    resource_group = string
    zones          = list(string)
    network = object({
      name                    = string
      address_space           = list(string)
      node_subnet             = object({ name = string, cidr = string })
      private_endpoint_subnet = object({ name = string, cidr = string })
    })
  })
  description = "Where the region is and what its network is."

  validation {
    condition = alltrue([
      for block in concat(var.region.network.address_space, [var.region.network.node_subnet.cidr, var.region.network.private_endpoint_subnet.cidr]) :
      can(cidrhost(block, 0)) && try(cidrhost(block, 0) == split("/", block)[0], false)
    ])
    error_message = "Address ranges are CIDR blocks whose host bits are zero, for example \"10.1.0.0/16\"."
  }

  validation {
    condition     = length(setsubtract(var.region.zones, ["1", "2", "3"])) == 0
    error_message = "zones are of 1, 2 and 3, for example [\"1\", \"2\", \"3\"]."
  }
}

variable "names" {
  type = object({
    security_groups  = object({ nodes = string, endpoints = string })
    nat_gateway      = string
    nat_address      = string
    identities       = object({ control_plane = string, kubelet = string, app = string })
    role_assignments = map(object({ name = string, role_definition_id = string }))
  })
  description = "The region's names, of the module names."
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
  description = "The managed cluster."

  validation {
    condition     = can(regex("^1\\.\\d+(\\.\\d+)?$", var.cluster.kubernetes_version))
    error_message = "cluster.kubernetes_version is a minor version or a patch of one, for example \"1.36\"."
  }

  validation {
    condition     = var.cluster.support_plan != "AKSLongTermSupport" || var.cluster.tier == "Premium"
    error_message = "cluster.tier is Premium with support_plan AKSLongTermSupport, for example { support_plan = \"AKSLongTermSupport\", tier = \"Premium\", … }."
  }

  validation {
    condition     = contains(["load_balancer", "nat_gateway"], var.cluster.outbound)
    error_message = "cluster.outbound is load_balancer or nat_gateway, for example \"nat_gateway\"."
  }

  validation {
    condition     = var.cluster.local_accounts || var.cluster.entra != null
    error_message = "cluster.entra is needed with local_accounts false, else nobody can sign in; for example { admin_groups = [], azure_rbac = true }."
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
  description = "The node pools; the first one with mode System comes with the cluster."

  validation {
    condition     = anytrue([for pool in var.node_pools : pool.mode == "System"])
    error_message = "At least one node pool has mode System, for example [{ name = \"systempool\", count = 3, vm_size = \"Standard_D2s_v3\", mode = \"System\" }]."
  }

  validation {
    condition     = alltrue([for pool in var.node_pools : can(regex("^[a-z][a-z0-9]{0,11}$", pool.name))])
    error_message = "A node pool's name is at most twelve lower-case letters and digits, a letter first, for example \"memopt\"."
  }
}

variable "app" {
  type        = object({ release = string, namespace = string })
  description = "Whose service account is the application's identity."

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.app.namespace))
    error_message = "app.namespace is a DNS label, for example { release = \"hello-world\", namespace = \"hello-world\" }."
  }
}

variable "registry_id" {
  type        = string
  description = "The registry that the region's nodes pull from."

  validation {
    condition     = can(regex("/registries/", var.registry_id))
    error_message = "registry_id is the id of a container registry, for example \"/subscriptions/…/registries/azrunbookdv\"."
  }
}

variable "workspace_id" {
  type        = string
  default     = null
  description = "Where the cluster sends its logs; null: nowhere."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of every resource."

  validation {
    condition     = length(var.tags) < 50
    error_message = "Azure takes at most 50 tags, and a cluster gets one more, for example { environment = \"dv\" }."
  }
}

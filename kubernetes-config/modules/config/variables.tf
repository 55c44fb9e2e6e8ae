variable "environment" {
  type        = string
  description = "A label of the namespace."

  validation {
    condition     = contains(["dv", "staging", "prod"], var.environment)
    error_message = "environment is dv, staging or prod, for example \"dv\"."
  }
}

variable "ingress" {
  type = object({
    repository   = string
    chart        = string
    version      = string
    release      = string
    namespace    = string
    replicas     = number
    service_type = string
    image_tag    = string
    resources = object({
      cpu_request    = string
      memory_request = string
      cpu_limit      = string
      memory_limit   = string
    })
    log_level = string
  })
  description = "WHAT the ingress is: traefik.yaml."

  validation {
    condition     = can(regex("^(https|oci)://", var.ingress.repository))
    error_message = "ingress.repository begins with https:// or oci://, for example \"https://traefik.github.io/charts\"."
  }

  validation {
    condition     = can(regex("^\\d+\\.\\d+\\.\\d+", var.ingress.version))
    error_message = "ingress.version is a whole version, for example \"41.3.0\"."
  }

  validation {
    condition     = var.ingress.replicas >= 1 && var.ingress.replicas <= 99
    error_message = "ingress.replicas is 1 to 99, for example 3."
  }

  validation {
    condition     = contains(["LoadBalancer", "ClusterIP", "NodePort"], var.ingress.service_type)
    error_message = "ingress.service_type is LoadBalancer, ClusterIP or NodePort, for example \"LoadBalancer\"."
  }

  validation {
    condition     = can(regex("^v\\d+\\.\\d+\\.\\d+$", var.ingress.image_tag))
    error_message = "ingress.image_tag is v and a version, for example \"v3.7.15\"."
  }

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.ingress.log_level)
    error_message = "ingress.log_level is DEBUG, INFO, WARN or ERROR, for example \"INFO\"."
  }
}

variable "base_values" {
  type        = string
  description = "What is the same in every environment: the text of helm-charts/traefik/values.yaml."

  validation {
    condition     = can(yamldecode(var.base_values))
    error_message = "base_values is YAML, for example file(\"../helm-charts/traefik/values.yaml\")."
  }
}

variable "dns_label" {
  type        = string
  description = "Label of the public address, or of the private link service, by which Front Door finds the region."

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", var.dns_label))
    error_message = "dns_label is a DNS label, for example \"aks-multiregion-dv\"."
  }
}

variable "origin_access" {
  type        = string
  default     = "public"
  description = "How Front Door reaches the region."

  validation {
    condition     = contains(["public", "private_link"], var.origin_access)
    error_message = "origin_access is public or private_link, for example \"public\"."
  }
}

locals {
  annotations = var.ingress.service_type == "LoadBalancer" ? {
    "service.beta.kubernetes.io/azure-dns-label-name" = var.dns_label
  } : {}

  # WHAT the environment's file says, in the chart's words; the library's roll-out says the same.
  values = {
    deployment = { replicas = var.ingress.replicas }
    service    = { spec = { type = var.ingress.service_type }, annotations = local.annotations }
    image      = { tag = var.ingress.image_tag }
    resources = {
      requests = { cpu = var.ingress.resources.cpu_request, memory = var.ingress.resources.memory_request }
      limits   = { cpu = var.ingress.resources.cpu_limit, memory = var.ingress.resources.memory_limit }
    }
    log = { level = var.ingress.log_level }
  }
}

locals {
  # How AKS makes the load balancer: with a public name, or inside the network with a private link service before it.
  access = {
    public = { dns-label-name = var.dns_label }
    private_link = {
      load-balancer-internal = "true"
      pls-create             = "true"
      pls-name               = "pls-${var.dns_label}"
    }
  }

  annotations = {
    for name, value in local.access[var.origin_access] : "service.beta.kubernetes.io/azure-${name}" => value
    if var.ingress.service_type == "LoadBalancer"
  }

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

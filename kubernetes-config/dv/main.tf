# HOW is ../modules/config; WHAT the ingress is stands in traefik.yaml, and WHERE in the estate file.
#
# This layer has a state of its own: a change here cannot touch a cluster, nor one there an ingress. It is
# removed first, so that the clusters give back the addresses that they made for it.

locals {
  estate = yamldecode(file("${path.module}/../../infra/${basename(abspath(path.module))}/estate.yaml"))

  settings = {
    environment   = local.estate.environment
    ingress       = yamldecode(file("${path.module}/traefik.yaml"))
    base_values   = file("${path.module}/../helm-charts/traefik/values.yaml")
    dns_label     = local.estate.front_door.origin_dns_label
    origin_access = local.estate.front_door.origin_access
  }
}

# Written twice, because a provider's alias is no value: for_each over a map of regions cannot choose one.
# All that the two differ in is the providers.
module "primary" {
  source = "../modules/config"

  environment   = local.settings.environment
  ingress       = local.settings.ingress
  base_values   = local.settings.base_values
  dns_label     = local.settings.dns_label
  origin_access = local.settings.origin_access

  providers = {
    helm       = helm.primary
    kubernetes = kubernetes.primary
  }
}

module "secondary" {
  source = "../modules/config"
  count  = local.estate.secondary_enabled ? 1 : 0

  environment   = local.settings.environment
  ingress       = local.settings.ingress
  base_values   = local.settings.base_values
  dns_label     = local.settings.dns_label
  origin_access = local.settings.origin_access

  providers = {
    helm       = helm.secondary
    kubernetes = kubernetes.secondary
  }
}

# The ingress of one region. Nothing is deployed: both providers are mocks.

mock_provider "helm" {}
mock_provider "kubernetes" {}

variables {
  environment = "dv"
  ingress = {
    repository   = "https://traefik.github.io/charts"
    chart        = "traefik"
    version      = "41.3.0"
    release      = "traefik"
    namespace    = "ingress"
    replicas     = 3
    service_type = "LoadBalancer"
    image_tag    = "v3.7.15"
    resources    = { cpu_request = "100m", memory_request = "256Mi", cpu_limit = "500m", memory_limit = "512Mi" }
    log_level    = "INFO"
  }
  base_values = "ingressClass: {enabled: true}"
  dns_label   = "aks-multiregion-dv"
}

run "the_release_lands_in_the_namespace_that_is_made_for_it" {
  command = plan

  assert {
    condition     = kubernetes_namespace_v1.this.metadata[0].name == "ingress" && helm_release.traefik.namespace == "ingress"
    error_message = "Namespace and release do not meet."
  }

  assert {
    condition     = helm_release.traefik.create_namespace == false
    error_message = "Helm would make the namespace a second time."
  }

  assert {
    condition     = yamldecode(helm_release.traefik.values[1]).service.annotations["service.beta.kubernetes.io/azure-dns-label-name"] == "aks-multiregion-dv"
    error_message = "Front Door would not find the region."
  }
}

run "a_private_ingress_is_behind_a_private_link_service" {
  command = plan

  variables {
    origin_access = "private_link"
  }

  assert {
    condition = yamldecode(helm_release.traefik.values[1]).service.annotations == {
      "service.beta.kubernetes.io/azure-load-balancer-internal" = "true"
      "service.beta.kubernetes.io/azure-pls-create"             = "true"
      "service.beta.kubernetes.io/azure-pls-name"               = "pls-aks-multiregion-dv"
    }
    error_message = "Front Door's private link would lead nowhere."
  }
}

run "an_ingress_without_an_address_has_no_label" {
  command = plan

  variables {
    ingress = {
      repository   = "https://traefik.github.io/charts"
      chart        = "traefik"
      version      = "41.3.0"
      release      = "traefik"
      namespace    = "ingress"
      replicas     = 3
      service_type = "ClusterIP"
      image_tag    = "v3.7.15"
      resources    = { cpu_request = "100m", memory_request = "256Mi", cpu_limit = "500m", memory_limit = "512Mi" }
      log_level    = "INFO"
    }
  }

  assert {
    condition     = length(output.values.service.annotations) == 0
    error_message = "A label for an address that is not there."
  }
}

run "a_tag_that_is_no_version" {
  command = plan

  variables {
    ingress = {
      repository   = "https://traefik.github.io/charts"
      chart        = "traefik"
      version      = "41.3.0"
      release      = "traefik"
      namespace    = "ingress"
      replicas     = 3
      service_type = "LoadBalancer"
      image_tag    = "latest"
      resources    = { cpu_request = "100m", memory_request = "256Mi", cpu_limit = "500m", memory_limit = "512Mi" }
      log_level    = "INFO"
    }
  }

  expect_failures = [var.ingress]
}

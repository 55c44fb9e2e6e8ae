# The namespace is made here, for its labels, and before the release; so the release does not create one:
# whichever of the two came second would fail.
resource "kubernetes_namespace_v1" "this" {
  metadata {
    name = var.ingress.namespace

    labels = {
      name        = var.ingress.namespace
      environment = var.environment
      managed_by  = "terraform"
    }
  }
}

# The IngressClass is the chart's (ingressClass in the base values), for the same reason.
resource "helm_release" "traefik" {
  name             = var.ingress.release
  namespace        = kubernetes_namespace_v1.this.metadata[0].name
  create_namespace = false
  repository       = var.ingress.repository
  chart            = var.ingress.chart
  version          = var.ingress.version
  values           = [var.base_values, yamlencode(local.values)]
  wait             = true
  timeout          = 600
  max_history      = 10

  # A release that does not come up is taken back, so that the next plan starts from what serves.
  atomic          = true
  cleanup_on_fail = true
}

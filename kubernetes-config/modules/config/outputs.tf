output "release" {
  description = "The release: its name, namespace and the version of its chart."
  value = {
    name      = helm_release.traefik.name
    namespace = helm_release.traefik.namespace
    version   = helm_release.traefik.version
  }
}

output "values" {
  description = "What is laid over the base values."
  value       = local.values
}

variable "kubeconfigs" {
  type        = object({ primary = string, secondary = optional(string) })
  description = "Paths of the regions' kubeconfig files; for example: az aks get-credentials --file primary.yaml, or what azrunbook keeps in .azrunbook/kube."

  validation {
    condition     = alltrue([for path in values(var.kubeconfigs) : fileexists(path) if path != null])
    error_message = "kubeconfigs are paths of files, for example { primary = \"/home/me/primary.yaml\", secondary = \"/home/me/secondary.yaml\" }."
  }
}

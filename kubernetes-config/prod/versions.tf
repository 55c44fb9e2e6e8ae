# State: as in infra, a local file that git ignores, or the backend of ../../infra/backend.tf.example.
terraform {
  required_version = ">= 1.11"

  required_providers {
    helm = {
      source  = "hashicorp/helm"
      version = "~> 3.1"
    }
    kubernetes = {
      source  = "hashicorp/kubernetes"
      version = "~> 3.0"
    }
  }
}

# The credentials stay in their files: read from the state of infra they would stand in this one too.
provider "kubernetes" {
  alias       = "primary"
  config_path = var.kubeconfigs.primary
}

provider "kubernetes" {
  alias       = "secondary"
  config_path = var.kubeconfigs.secondary
}

provider "helm" {
  alias      = "primary"
  kubernetes = { config_path = var.kubeconfigs.primary }
}

provider "helm" {
  alias      = "secondary"
  kubernetes = { config_path = var.kubeconfigs.secondary }
}

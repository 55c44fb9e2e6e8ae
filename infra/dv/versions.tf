# No backend stands here: the state is a local file, which git ignores. Before a second person works
# on this environment, copy ../backend.tf.example to backend.tf in this folder.
terraform {
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.2"
    }
  }
}

# Which subscription, as whom and, for another cloud than Azure, where: from ARM_SUBSCRIPTION_ID and the
# other ARM_… variables, so that the same configuration works on every target.
provider "azurerm" {
  # The storage accounts have no keys.
  storage_use_azuread = true

  features {}
}

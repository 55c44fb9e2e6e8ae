variable "postgres_password" {
  type        = string
  ephemeral   = true
  sensitive   = true
  description = "Of PostgreSQL's administrator, asked for at every run and used only where the version below is new: it is written nowhere. For example: export TF_VAR_postgres_password=\"$(openssl rand -base64 24)\""
}

variable "postgres_password_version" {
  type        = number
  default     = 0
  description = "Raise it to set another password; 0 is also what an imported server has."
}

variable "ingress_is_up" {
  type        = bool
  default     = true
  description = "Whether the ingress is rolled out; false leaves out the origins by private link that need its link service, and their routes."
}

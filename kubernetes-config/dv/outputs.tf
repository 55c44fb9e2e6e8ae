output "releases" {
  description = "The release of each region."
  value = merge(
    { primary = module.primary.release },
    { for one in module.secondary : "secondary" => one.release },
  )
}

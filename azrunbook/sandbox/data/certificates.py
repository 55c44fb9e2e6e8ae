"""The names that a flexible server's certificate carries. Pure.

Azure's certificates are wildcards of the service's domains, so a virtual endpoint or a private
link name needs no new one; so are these.
"""

POSTGRES_DOMAIN = "postgres.database.azure.com"


def name_postgres(address: str) -> list[str]:
    """Names of a flexible server at an address."""
    parts = ("", "privatelink.", "writer.", "reader.")
    return [*(f"*.{part}{POSTGRES_DOMAIN}" for part in parts), address]

"""The container registry of an estate. Pure."""

from azrunbook import estate
from azrunbook.resources import model


def list_registries(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """One registry in the primary's location; both regions pull from it, each from its copy."""
    registry = declared.registry
    one = model.describe(
        registry_id(declared, subscription_id),
        model.REGISTRY,
        region=declared.primary.location,
        body={
            "location": declared.primary.location,
            "tags": dict(declared.tags),
            "sku": {"name": registry.sku},
            "properties": {"adminUserEnabled": False, "publicNetworkAccess": "Enabled"},
        },
        depends_on=(model.group_id(subscription_id, registry.resource_group),),
    )
    if not (registry.replicated and declared.secondary_enabled):
        return (one,)
    location = declared.secondary.location
    replication = model.describe(
        f"{one.id}/replications/{location}",
        model.REPLICATION,
        region=location,
        body={"location": location, "tags": dict(declared.tags)},
        depends_on=(one.id,),
    )
    return (one, replication)


def registry_id(declared: estate.Estate, subscription_id: str) -> str:
    registry = declared.registry
    return model.resource_id(
        subscription_id, registry.resource_group, model.REGISTRY, registry.name
    )

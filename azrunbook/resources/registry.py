"""The container registry of an estate, replicated to the second region where its SKU can. Pure."""

from azrunbook import estate
from azrunbook.resources import model


def list_registries(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """The registry, and with SKU Premium a replication in every other region."""
    registry = declared.registry
    home = model.describe(
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
    others = [
        region.location
        for region in declared.regions.values()
        if registry.sku == "Premium" and region.location != declared.primary.location
    ]
    return (home, *(_replication(declared, subscription_id, home, place) for place in others))


def registry_id(declared: estate.Estate, subscription_id: str) -> str:
    registry = declared.registry
    return model.resource_id(
        subscription_id, registry.resource_group, model.REGISTRY, registry.name
    )


def _replication(
    declared: estate.Estate, subscription_id: str, home: model.DesiredResource, location: str
) -> model.DesiredResource:
    return model.describe(
        model.resource_id(
            subscription_id,
            declared.registry.resource_group,
            model.REPLICATION,
            declared.registry.name,
            location,
        ),
        model.REPLICATION,
        region=location,
        body={"location": location, "tags": dict(declared.tags)},
        depends_on=(home.id,),
    )

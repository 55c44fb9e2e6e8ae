"""Estate to desired ARM resources, and what differs from what is there. Pure: no SDK, no network.

``desired_resources`` says what an estate is in Azure's own words, ``graph`` in which order it
comes to be, ``plan_changes`` what would have to change. Azure is the state; nothing is kept here.
"""

from collections.abc import Iterable

from azrunbook import estate
from azrunbook.resources import (
    cluster,
    edge,
    identity,
    model,
    monitoring,
    network,
    postgres,
    private,
    redis,
    registry,
    storage,
)
from azrunbook.resources.comparison import create_body, merge_body, plan_changes
from azrunbook.resources.edge import name_link_service
from azrunbook.resources.graph import list_waves
from azrunbook.resources.model import DesiredResource
from azrunbook.resources.storage import name_account

__all__ = [
    "DesiredResource",
    "create_body",
    "desired_resources",
    "list_companions",
    "list_removed",
    "list_waves",
    "merge_body",
    "name_account",
    "name_link_service",
    "plan_changes",
]


def desired_resources(
    declared: estate.Estate, subscription_id: str, *, writer: str = "primary"
) -> tuple[DesiredResource, ...]:
    """Everything the estate declares, each resource after those it depends on.

    Args:
        declared: the estate.
        subscription_id: where it is.
        writer: the region whose database takes writes, by role; the secondary's after a failover.
    """
    parts = (declared, subscription_id)
    services = (
        *postgres.list_services(*parts),
        *redis.list_services(*parts),
        *storage.list_services(*parts),
    )
    found = (
        *network.list_groups(*parts),
        *network.list_networks(*parts),
        *identity.list_identities(*parts),
        *registry.list_registries(*parts),
        *identity.list_cluster_roles(*parts),
        *monitoring.list_workspaces(*parts),
        *cluster.list_clusters(*parts),
        *postgres.list_postgres(*parts, writer=writer),
        *redis.list_redis(*parts, writer=writer),
        *storage.list_storage(*parts),
        *private.list_private(*parts, services),
        *edge.list_edge(*parts),
    )
    return tuple(one for wave in list_waves(found) for one in wave)


def list_removed(declared: estate.Estate, subscription_id: str) -> tuple[DesiredResource, ...]:
    """What belongs to the estate's second region and is not wanted while it is not enabled."""
    if declared.secondary_enabled:
        return ()
    whole = declared.model_copy(update={"secondary_enabled": True})
    kept = {one.id for one in desired_resources(declared, subscription_id)}
    return tuple(one for one in desired_resources(whole, subscription_id) if one.id not in kept)


def list_companions(desired: Iterable[DesiredResource]) -> set[str]:
    """Ids, in lower case, of what Azure makes by itself along with these: endpoints' interfaces."""
    return {
        model.resource_id(
            one.id.split("/")[2],
            one.id.split("/")[4],
            "Microsoft.Network/networkInterfaces",
            one.body["properties"]["customNetworkInterfaceName"],
        ).lower()
        for one in desired
        if one.type == model.PRIVATE_ENDPOINT
    }

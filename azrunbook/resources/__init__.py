"""Estate to desired ARM resources, and what differs from what is there. Pure: no SDK, no network.

``desired_resources`` says what an estate is in Azure's own words, ``graph`` in which order it
comes to be, ``plan_changes`` what would have to change. Azure is the state; nothing is kept here.
"""

from azrunbook import estate
from azrunbook.resources import cluster, edge, network, registry
from azrunbook.resources.comparison import merge_body, plan_changes
from azrunbook.resources.graph import list_waves
from azrunbook.resources.model import DesiredResource

__all__ = ["DesiredResource", "desired_resources", "list_waves", "merge_body", "plan_changes"]


def desired_resources(declared: estate.Estate, subscription_id: str) -> tuple[DesiredResource, ...]:
    """Everything the estate declares, each resource after those it depends on."""
    groups = network.list_groups(declared, subscription_id)
    networks = network.list_networks(declared, subscription_id)
    return (
        *groups,
        *networks,
        *cluster.list_clusters(declared, subscription_id),
        *registry.list_registries(declared, subscription_id),
        *edge.list_edge(declared, subscription_id),
    )

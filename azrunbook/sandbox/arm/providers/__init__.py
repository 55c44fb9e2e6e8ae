"""The emulated resource providers, one module per namespace, put together here."""

import dataclasses

from azrunbook.sandbox.arm import blobs, routing, services
from azrunbook.sandbox.arm.providers import (
    agent_pools,
    clusters,
    container_service,
    network,
    resources,
)


@dataclasses.dataclass(frozen=True)
class Providers:
    """All routes, and what the server must serve beside them."""

    routes: list[routing.Route]
    blobs: blobs.Blobs

    async def stop(self) -> None:
        """Cancel what runs outside operations."""


def build(parts: services.Services) -> Providers:
    """Create every provider on these parts; all are registered unless the settings say not."""
    network_provider = network.NetworkProvider(parts)
    cluster_provider = container_service.ContainerService(parts)
    pool_provider = agent_pools.AgentPools(parts)
    namespaces = [network.NAMESPACE, clusters.NAMESPACE, "Microsoft.Resources"]
    absent = {name.lower() for name in parts.settings.unregistered}
    parts.registered |= {name.lower() for name in namespaces} - absent
    group_provider = resources.Resources(parts, namespaces)
    routes = [
        *group_provider.routes(),
        *network_provider.routes(),
        *cluster_provider.routes(),
        *pool_provider.routes(),
    ]
    return Providers(routes, blobs.Blobs())

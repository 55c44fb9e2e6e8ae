"""The emulated resource providers, one module per namespace, put together here."""

import dataclasses

from azrunbook.sandbox.arm import blobs, routing, services
from azrunbook.sandbox.arm.providers import (
    agent_pools,
    cdn,
    clusters,
    compute,
    container_registry,
    container_service,
    network,
    registry_runs,
    resources,
)

_NAMESPACES = [
    "Microsoft.Resources",
    network.NAMESPACE,
    compute.NAMESPACE,
    clusters.NAMESPACE,
    cdn.NAMESPACE,
    container_registry.NAMESPACE,
]


@dataclasses.dataclass(frozen=True)
class Providers:
    """All routes, and what the server must serve and stop beside them."""

    routes: list[routing.Route]
    blobs: blobs.Blobs
    runs: registry_runs.Runs

    async def stop(self) -> None:
        """Cancel what runs outside operations."""
        await self.runs.stop()


def build(parts: services.Services) -> Providers:
    """Create every provider on these parts; all are registered unless the settings say not."""
    absent = {name.lower() for name in parts.settings.unregistered}
    parts.registered |= {name.lower() for name in _NAMESPACES} - absent
    stored = blobs.Blobs()
    registry = container_registry.ContainerRegistry(parts, stored)
    routes = [
        *resources.Resources(parts, _NAMESPACES).routes(),
        *network.NetworkProvider(parts).routes(),
        *compute.ComputeProvider(parts).routes(),
        *container_service.ContainerService(parts).routes(),
        *agent_pools.AgentPools(parts).routes(),
        *cdn.CdnProvider(parts).routes(),
        *registry.routes(),
    ]
    return Providers(routes, stored, registry.runs)

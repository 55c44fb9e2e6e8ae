"""The emulated resource providers, one module per namespace, put together here."""

import dataclasses

from azrunbook.sandbox.arm import blobs, routing, services
from azrunbook.sandbox.arm.providers import (
    agent_pools,
    authorization,
    cache,
    cdn,
    clusters,
    compute,
    container_registry,
    container_service,
    insights,
    maintenance,
    managed_identity,
    network,
    networking,
    operational_insights,
    postgresql,
    private_dns,
    private_endpoints,
    private_links,
    registry_runs,
    resources,
    storage,
)

_NAMESPACES = [
    "Microsoft.Resources",
    network.NAMESPACE,
    compute.NAMESPACE,
    clusters.NAMESPACE,
    cdn.NAMESPACE,
    container_registry.NAMESPACE,
    authorization.NAMESPACE,
    managed_identity.NAMESPACE,
    postgresql.NAMESPACE,
    cache.NAMESPACE,
    storage.NAMESPACE,
    operational_insights.NAMESPACE,
    insights.NAMESPACE,
]


@dataclasses.dataclass(frozen=True)
class Providers:
    """All routes, and what the server must serve and stop beside them."""

    routes: list[routing.Route]
    blobs: blobs.Blobs
    runs: registry_runs.Runs
    guard: authorization.Authorization
    activity: insights.ActivityLog

    async def stop(self) -> None:
        """Cancel what runs outside operations."""
        await self.runs.stop()


def build(parts: services.Services) -> Providers:
    """Create every provider on these parts; all are registered unless the settings say not."""
    absent = {name.lower() for name in parts.settings.unregistered}
    parts.registered |= {name.lower() for name in _NAMESPACES} - absent
    stored = blobs.Blobs()
    registry = container_registry.ContainerRegistry(parts, stored)
    guard = authorization.Authorization(parts)
    activity = insights.ActivityLog(parts)
    links = private_links.PrivateLinks(parts)
    routes = [
        *resources.Resources(parts, _NAMESPACES).routes(),
        *guard.routes(),
        *activity.routes(),
        *managed_identity.ManagedIdentity(parts).routes(),
        *network.NetworkProvider(parts).routes(),
        *networking.Networking(parts).routes(),
        *private_endpoints.PrivateEndpoints(parts).routes(),
        *links.routes(),
        *private_dns.PrivateDns(parts).routes(),
        *compute.ComputeProvider(parts).routes(),
        *container_service.ContainerService(parts).routes(),
        *agent_pools.AgentPools(parts).routes(),
        *maintenance.Maintenance(parts).routes(),
        *postgresql.PostgreSql(parts).routes(),
        *cache.Cache(parts).routes(),
        *storage.Storage(parts, links).routes(),
        *operational_insights.OperationalInsights(parts).routes(),
        *cdn.CdnProvider(parts, links).routes(),
        *registry.routes(),
    ]
    return Providers(routes, stored, registry.runs, guard, activity)

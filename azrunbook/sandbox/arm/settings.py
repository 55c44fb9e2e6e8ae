"""How one ARM server is set up. Values only.

Times of long-running operations are Azure's own by :data:`AZURE_SECONDS`, scaled by one factor, so
that a rehearsal keeps their proportions without their length.
"""

import dataclasses
import uuid
from collections.abc import Mapping
from typing import Literal

Transition = float | Literal["immediate", "manual"]

# Typical durations in seconds, by type or `type:verb`; a rehearsal only needs the proportions.
AZURE_SECONDS: dict[str, float] = {
    "Microsoft.ContainerService/managedClusters": 240.0,
    "Microsoft.ContainerService/managedClusters:stop": 120.0,
    "Microsoft.ContainerService/managedClusters:start": 180.0,
    "Microsoft.ContainerService/managedClusters/agentPools": 120.0,
    "Microsoft.Network/virtualNetworks": 4.0,
    "Microsoft.Network/virtualNetworks/subnets": 3.0,
    "Microsoft.Cdn/profiles": 20.0,
    "Microsoft.Cdn/profiles/afdEndpoints": 15.0,
    "Microsoft.Cdn/profiles/afdEndpoints/routes": 10.0,
    "Microsoft.Cdn/profiles/originGroups": 5.0,
    "Microsoft.Cdn/profiles/originGroups/origins": 5.0,
    "Microsoft.ContainerRegistry/registries": 10.0,
    "Microsoft.ContainerRegistry/registries/replications": 30.0,
    "Microsoft.Resources/resourceGroups": 15.0,
    "Microsoft.Network/natGateways": 5.0,
    "Microsoft.Network/publicIPAddresses": 3.0,
    "Microsoft.Network/networkSecurityGroups": 3.0,
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": 5.0,
    "Microsoft.Network/privateEndpoints": 25.0,
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": 8.0,
    "Microsoft.Network/privateDnsZones": 30.0,
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": 30.0,
    "Microsoft.DBforPostgreSQL/flexibleServers": 160.0,
    "Microsoft.DBforPostgreSQL/flexibleServers:update": 60.0,
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": 10.0,
    "Microsoft.DBforPostgreSQL/flexibleServers/virtualendpoints": 15.0,
    # A quarter of an hour on Azure; shorter here, because nothing but waiting happens meanwhile.
    "Microsoft.Cache/redisEnterprise": 160.0,
    "Microsoft.Cache/redisEnterprise/databases": 60.0,
    "Microsoft.Cache/redis": 160.0,
    "Microsoft.Cache/redis/linkedServers": 60.0,
    "Microsoft.Storage/storageAccounts": 20.0,
    "Microsoft.Cdn/profiles/customDomains": 10.0,
    "Microsoft.Cdn/profiles/securityPolicies": 10.0,
}


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long an operation takes: ``"immediate"``, seconds, or ``"manual"`` until advanced.

    Attributes:
        default: for what ``by_type`` does not name.
        by_type: keys are resource types or ``type:verb`` (create, update, delete, start, stop);
            letter case does not matter, the more specific key wins.
        factor: seconds are multiplied by it.
    """

    default: Transition = "immediate"
    by_type: Mapping[str, Transition] = dataclasses.field(default_factory=dict)
    factor: float = 1.0

    def transition(self, type_: str, verb: str) -> Transition:
        """Return what an operation of this type and verb takes, seconds already scaled."""
        table = {key.lower(): value for key, value in self.by_type.items()}
        kind = type_.lower()
        found = table.get(f"{kind}:{verb.lower()}", table.get(kind, self.default))
        return found if isinstance(found, str) else found * self.factor


@dataclasses.dataclass(frozen=True)
class Principal:
    """A service principal: its application's id, and one secret of that."""

    client_id: str
    client_secret: str = dataclasses.field(repr=False)

    @property
    def object_id(self) -> str:
        """Of the service principal, as Entra would name it."""
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self.client_id))


@dataclasses.dataclass(frozen=True)
class ArmSettings:
    """Address, the one subscription with its service principals, and the limits.

    Attributes:
        port: 0 takes any free one.
        throttling_scale: multiplies every bucket and refill rate; 1.0 is Azure's own limits.
        core_quota: vCPUs per VM family and region.
        core_quotas: exceptions from it, by ``(location, family)`` in lower case.
        unregistered: resource provider namespaces that start out not registered.
        page_size: how many items a list answers before it links to the next page.
        taken_names: names of accounts, servers, caches and registries that somebody else has.
        caller_role: what every service principal is in the subscription.
        colleagues: service principals beside the first, so that somebody else can do something.
    """

    address: str
    port: int
    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: str = dataclasses.field(repr=False)
    timing: Timing = dataclasses.field(default_factory=Timing)
    throttling_scale: float = 100.0
    core_quota: int = 100
    core_quotas: Mapping[tuple[str, str], int] = dataclasses.field(default_factory=dict)
    token_lifetime_seconds: int = 3599
    unregistered: frozenset[str] = frozenset()
    page_size: int = 100
    taken_names: frozenset[str] = frozenset()
    caller_role: Literal["Owner", "Contributor", "Reader"] = "Owner"
    colleagues: tuple[Principal, ...] = ()

    @property
    def principals(self) -> tuple[Principal, ...]:
        return (Principal(self.client_id, self.client_secret), *self.colleagues)

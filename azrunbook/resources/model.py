"""One desired ARM resource as a value, and how its id is spelled.

The api-versions stand in one table here, because ARM wants one with every request and the same
type must always be read and written with the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GROUP = "Microsoft.Resources/resourceGroups"
NETWORK = "Microsoft.Network/virtualNetworks"
PEERING = f"{NETWORK}/virtualNetworkPeerings"
SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"
PUBLIC_ADDRESS = "Microsoft.Network/publicIPAddresses"
NAT_GATEWAY = "Microsoft.Network/natGateways"
PRIVATE_ENDPOINT = "Microsoft.Network/privateEndpoints"
ZONE_GROUP = f"{PRIVATE_ENDPOINT}/privateDnsZoneGroups"
ZONE = "Microsoft.Network/privateDnsZones"
ZONE_LINK = f"{ZONE}/virtualNetworkLinks"
LINK_SERVICE = "Microsoft.Network/privateLinkServices"
FIREWALL_POLICY = "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
FEDERATION = f"{IDENTITY}/federatedIdentityCredentials"
ROLE_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
LOCK = "Microsoft.Authorization/locks"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
CLUSTER = "Microsoft.ContainerService/managedClusters"
MAINTENANCE = f"{CLUSTER}/maintenanceConfigurations"
REGISTRY = "Microsoft.ContainerRegistry/registries"
REPLICATION = f"{REGISTRY}/replications"
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
DATABASE = f"{SERVER}/databases"
VIRTUAL_ENDPOINT = f"{SERVER}/virtualendpoints"
MANAGED_CACHE = "Microsoft.Cache/redisEnterprise"
MANAGED_CACHE_DATABASE = f"{MANAGED_CACHE}/databases"
CACHE = "Microsoft.Cache/redis"
CACHE_LINK = f"{CACHE}/linkedServers"
STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{STORAGE}/blobServices/containers"
PROFILE = "Microsoft.Cdn/profiles"
ENDPOINT = f"{PROFILE}/afdEndpoints"
ORIGIN_GROUP = f"{PROFILE}/originGroups"
ORIGIN = f"{ORIGIN_GROUP}/origins"
ROUTE = f"{ENDPOINT}/routes"
DOMAIN = f"{PROFILE}/customDomains"
SECURITY_POLICY = f"{PROFILE}/securityPolicies"

# Key: a type, or the namespace of the types that are not named. The versions that azurerm 5.2
# uses, where it has one of its own.
_API_VERSIONS: Mapping[str, str] = {
    "Microsoft.Resources": "2025-04-01",
    "Microsoft.Network": "2025-01-01",
    ZONE: "2024-06-01",
    ZONE_LINK: "2024-06-01",
    FIREWALL_POLICY: "2025-03-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.OperationalInsights": "2023-09-01",
    "Microsoft.DBforPostgreSQL": "2025-08-01",
    CACHE: "2024-11-01",
    CACHE_LINK: "2024-11-01",
    "Microsoft.Cache": "2025-07-01",
    "Microsoft.Storage": "2025-08-01",
    "Microsoft.ContainerService": "2026-08-01",
    "Microsoft.ContainerRegistry": "2025-11-01",
    "Microsoft.Cdn": "2025-12-01",
}

GLOBAL = "global"


@dataclass(frozen=True)
class DesiredResource:
    """What one resource shall be.

    Attributes:
        id: full ARM id, starting with ``/subscriptions/``.
        type: ``Namespace/type`` in Azure's own spelling.
        region: location, or ``global``; shown to people.
        body: the PUT body, camelCase, holding only what the estate decides.
        depends_on: ids that must exist first.
        creation: what is laid over the body when the resource is created, and never again: what
            Azure takes once and does not show (a password, where a replica comes from).
    """

    id: str
    type: str
    api_version: str
    name: str
    region: str
    body: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    creation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path_name(self) -> str:
        """The names below the provider, which tell children of one name apart: ``pe-a/default``."""
        scope, _, below = self.id.rpartition("/providers/")
        names = below.split("/")[2::2] if scope else [self.name]
        if self.type == ROLE_ASSIGNMENT:  # a name that nobody recognises: say what it is on
            names = [scope.rpartition("/")[2], *names]
        return "/".join(names)


def describe(
    resource_id: str,
    type_: str,
    *,
    region: str,
    body: Mapping[str, Any],
    depends_on: tuple[str, ...],
    creation: Mapping[str, Any] | None = None,
) -> DesiredResource:
    """A desired resource whose name and api-version follow from its id and type."""
    return DesiredResource(
        id=resource_id,
        type=type_,
        api_version=get_api_version(type_),
        name=resource_id.rpartition("/")[2],
        region=region,
        body=body,
        depends_on=depends_on,
        creation=creation or {},
    )


def get_api_version(type_: str) -> str:
    return _API_VERSIONS.get(type_) or _API_VERSIONS[type_.partition("/")[0]]


def group_id(subscription_id: str, group: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}"


def resource_id(subscription_id: str, group: str, type_: str, *names: str) -> str:
    """Spell an id: the type's parts and the names in turn."""
    namespace, *kinds = type_.split("/")
    path = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
    return f"{group_id(subscription_id, group)}/providers/{namespace}/{path}"

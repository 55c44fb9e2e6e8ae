"""Microsoft.Network: virtual networks and subnets.

Subnets are documents of their own; a virtual network shows them, and a list in a PUT replaces
them, so leaving one out deletes it. A subnet that holds the nodes of a pool cannot be deleted.
"""

import ipaddress
import itertools
import uuid
from collections.abc import Sequence
from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft

Json = dict[str, Any]
Network = ipaddress.IPv4Network

NAMESPACE = "Microsoft.Network"
VNET = "Microsoft.Network/virtualNetworks"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
ENDPOINT = "Microsoft.Network/privateEndpoints"
POOL = "Microsoft.ContainerService/managedClusters/agentPools"
API_VERSIONS = (
    "2023-11-01",
    "2024-01-01",
    "2024-03-01",
    "2024-05-01",
    "2024-07-01",
    "2024-10-01",
    "2025-01-01",
    "2025-03-01",
    "2025-05-01",
    "2025-07-01",
    "2026-01-01",
    "2026-03-01",
)
_BASE = f"{routing.SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
STYLE = operations.PollingStyle(
    status=f"{_BASE}/operations/{{operationId}}",
    result=f"{_BASE}/operationResults/{{operationId}}",
)


_VNET_DEFAULTS: Json = {
    "virtualNetworkPeerings": [],
    "enableDdosProtection": False,
    "privateEndpointVNetPolicies": "Disabled",
}


class NetworkProvider:
    """Rules of virtual networks; requests are served by two collections."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def routes(self) -> list[routing.Route]:
        vnets = collection.Kind(
            type=VNET,
            operation_prefix="VirtualNetworks",
            api_versions=API_VERSIONS,
            style=STYLE,
            complete=self._complete_vnet,
            tracked=True,
            states=("Updating", "Updating"),
            stored=self._store_subnets,
            check_delete=self._check_delete,
            render=self._render_vnet,
        )
        subnets = collection.Kind(
            type=SUBNET,
            operation_prefix="Subnets",
            api_versions=API_VERSIONS,
            style=STYLE,
            complete=self._complete_subnet,
            states=("Updating", "Updating"),
            check_delete=self._check_delete,
            render=self._render_subnet,
        )
        polls = self._parts.long_running
        return [
            *collection.Collection(vnets, self._parts).routes(),
            *collection.Collection(subnets, self._parts).routes(),
            routing.Route(
                "GET", str(STYLE.status), "Operations_Get", polls.status_answer, API_VERSIONS
            ),
            routing.Route(
                "GET", str(STYLE.result), "OperationResults_Get", polls.result_answer, API_VERSIONS
            ),
        ]

    def _complete_vnet(self, draft: Draft) -> Json:
        prefixes = (draft.properties.get("addressSpace") or {}).get("addressPrefixes") or []
        if not prefixes:
            raise errors.bad_request(
                f"Virtual network '{draft.resource.name}' has no address space: expected "
                'properties.addressSpace.addressPrefixes, for example ["10.1.0.0/16"].',
                code="VnetAddressSpaceNotSpecified",
            )
        space = [_network(text, draft.resource) for text in prefixes]
        subnets = self._wanted_subnets(draft)
        for resource, properties in subnets:
            _check_range(resource, subnet_networks(properties, resource), space)
        _check_overlaps([(r, subnet_networks(p, r)) for r, p in subnets])
        self._check_left_out(draft, [resource for resource, _ in subnets])
        before = (draft.existing or {}).get("properties", {})
        sent = {key: value for key, value in draft.properties.items() if key != "subnets"}
        server: Json = {"resourceGuid": before.get("resourceGuid", str(uuid.uuid4()))}
        return {**_VNET_DEFAULTS, **sent, **server}

    def _wanted_subnets(self, draft: Draft) -> list[tuple[paths.ResourceId, Json]]:
        """What a write leaves: a list takes away what it does not name, no list takes nothing."""
        if draft.properties.get("subnets") is None:
            there = self._subnets(draft.resource)
            return [(paths.parse(one["id"]), one["properties"]) for one in there]
        return [
            (draft.resource.child("subnets", subnet["name"]), subnet.get("properties") or {})
            for subnet in draft.properties.get("subnets") or []
        ]

    def _check_left_out(self, draft: Draft, wanted: Sequence[paths.ResourceId]) -> None:
        kept = {resource.key for resource in wanted}
        for subnet in self._subnets(draft.resource):
            if subnet["id"].lower() not in kept:
                self._check_unused(paths.parse(subnet["id"]))

    def _store_subnets(self, draft: Draft) -> None:
        wanted = self._wanted_subnets(draft)
        kept = {resource.key for resource, _ in wanted}
        for subnet in self._subnets(draft.resource):
            if subnet["id"].lower() not in kept:
                self._parts.store.delete(paths.parse(subnet["id"]))
        for resource, properties in wanted:
            body = {
                "properties": {**_subnet_defaults(properties), "provisioningState": "Succeeded"}
            }
            self._parts.store.put(resource, SUBNET, body)

    def _complete_subnet(self, draft: Draft) -> Json:
        vnet = self._parts.store.get(draft.resource.parent, VNET)
        own = subnet_networks(draft.properties, draft.resource)
        prefixes = vnet["properties"]["addressSpace"]["addressPrefixes"]
        _check_range(draft.resource, own, [_network(text, draft.resource) for text in prefixes])
        others = [
            (paths.parse(other["id"]), subnet_networks(other["properties"], draft.resource))
            for other in self._subnets(draft.resource.parent)
            if other["id"].lower() != draft.resource.key
        ]
        _check_overlaps([*others, (draft.resource, own)])
        return _subnet_defaults(draft.properties)

    def _check_delete(self, resource: paths.ResourceId) -> None:
        for subnet in self._subnets(resource) if resource.type == VNET else []:
            self._check_unused(paths.parse(subnet["id"]))
        self._check_unused(resource)

    def _check_unused(self, subnet: paths.ResourceId) -> None:
        """Refuse to take a subnet away from under a node pool."""
        for pool in self._parts.store.list_by_type(POOL):
            if str(pool["properties"].get("vnetSubnetID", "")).lower() == subnet.key:
                raise subnet_in_use(subnet, _configuration(paths.parse(pool["id"])))
        for endpoint in self._parts.store.list_by_type(ENDPOINT):
            properties = endpoint["properties"]
            if str(properties["subnet"]["id"]).lower() == subnet.key:
                interface = properties["networkInterfaces"][0]["id"]
                raise subnet_in_use(subnet, f"{interface}/ipConfigurations/privateEndpointIpConfig")

    def _subnets(self, vnet: paths.ResourceId) -> list[Json]:
        return self._parts.store.list_by_type(SUBNET, below=vnet)

    def _render_vnet(self, document: Json) -> Json:
        resource = paths.parse(document["id"])
        subnets = [self._render_subnet(subnet) for subnet in self._subnets(resource)]
        properties = {**document["properties"], "subnets": subnets}
        return {**document, "etag": self._etag(resource), "properties": properties}

    def _render_subnet(self, document: Json) -> Json:
        return {**document, "etag": self._etag(paths.parse(document["id"]))}

    def _etag(self, resource: paths.ResourceId) -> str:
        return f'W/"{self._parts.store.etag(resource)}"'


def subnet_in_use(subnet: paths.ResourceId, user: str) -> errors.ArmError:
    """Return the refusal to delete a subnet, naming who holds an address in it."""
    return errors.bad_request(
        f"Subnet {subnet.name} is in use by {user} and cannot be deleted. In order to delete the "
        "subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
        code="InUseSubnetCannotBeDeleted",
    )


def subnet_networks(properties: Json, resource: paths.ResourceId) -> list[Network]:
    """Return the ranges of a subnet, given as ``addressPrefix`` or ``addressPrefixes``."""
    texts = properties.get("addressPrefixes") or [properties.get("addressPrefix")]
    return [_network(text, resource) for text in texts]


def _network(text: Any, resource: paths.ResourceId) -> Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        hint = ""
    try:
        hint = f" For the given prefix length, it should be {Network(text, strict=False)}."
    except ValueError:
        hint = " Expected for example 10.1.1.0/24."
    raise errors.bad_request(
        f"The address prefix '{text}' in resource {resource} has an invalid CIDR notation.{hint}",
        code="InvalidCIDRNotation",
    )


def _check_range(resource: paths.ResourceId, own: list[Network], space: list[Network]) -> None:
    for network in own:
        if not any(network.subnet_of(outer) for outer in space):
            raise errors.bad_request(
                f"Subnet '{resource.name}' is not valid because its IP address range is outside "
                f"the IP address range of virtual network '{resource.parent.name}'.",
                code="NetcfgSubnetRangeOutsideVnet",
            )


def _check_overlaps(subnets: Sequence[tuple[paths.ResourceId, list[Network]]]) -> None:
    for (_, first), (resource, second) in itertools.combinations(subnets, 2):
        if any(a.overlaps(b) for a in first for b in second):
            raise errors.bad_request(
                f"Subnet '{resource.name}' is not valid because its IP address range overlaps "
                "with that of an existing subnet in virtual network "
                f"'{resource.parent.name}'.",
                code="NetcfgSubnetRangesOverlap",
            )


def _subnet_defaults(properties: Json) -> Json:
    defaults: Json = {
        "delegations": [],
        "privateEndpointNetworkPolicies": "Disabled",
        "privateLinkServiceNetworkPolicies": "Enabled",
    }
    return {**defaults, **properties}


def _configuration(pool: paths.ResourceId) -> str:
    """Return the id of an address a pool's first node holds, as Azure names it in the refusal."""
    cluster = pool.parent
    scale_set = f"aks-{pool.name}-vmss"
    return (
        f"/subscriptions/{pool.subscription}/resourceGroups/MC_{pool.group}_{cluster.name}"
        f"/providers/Microsoft.Compute/virtualMachineScaleSets/{scale_set}/virtualMachines/0"
        f"/networkInterfaces/{scale_set}/ipConfigurations/ipconfig1"
    )

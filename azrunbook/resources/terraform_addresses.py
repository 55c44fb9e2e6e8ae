"""Where ``infra/modules`` states each resource, and by which id azurerm imports it. Pure.

So that terraform can take over what the other engine made, or what it made itself and could not
write down any more. A test holds these addresses and ids against terraform's own plan of every
estate file. Ids are spelled as azurerm's documentation of each type's import spells them, because
azurerm reads them with their letter case.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from azrunbook import estate
from azrunbook.resources import identity, model, postgres, redis, storage

Body = Mapping[str, Any]
# What azurerm makes along with another resource of its own.
_INSIDE = frozenset(
    {model.MAINTENANCE, model.REPLICATION, model.MANAGED_CACHE_DATABASE, model.ZONE_GROUP}
)
# Of which an environment has one.
_SINGLE = {
    model.WORKSPACE: "module.global.azurerm_log_analytics_workspace.this[0]",
    model.REGISTRY: "module.global.azurerm_container_registry.this",
    model.DATABASE: "module.data.azurerm_postgresql_flexible_server_database.this[0]",
    model.VIRTUAL_ENDPOINT: (
        "module.data.azurerm_postgresql_flexible_server_virtual_endpoint.this[0]"
    ),
    model.CACHE_LINK: "module.data.azurerm_redis_linked_server.this[0]",
    model.PROFILE: "module.edge.azurerm_cdn_frontdoor_profile.this",
    model.ENDPOINT: "module.edge.azurerm_cdn_frontdoor_endpoint.this",
    model.DOMAIN: "module.edge.azurerm_cdn_frontdoor_custom_domain.this[0]",
    model.FIREWALL_POLICY: "module.edge.azurerm_cdn_frontdoor_firewall_policy.this[0]",
    model.SECURITY_POLICY: "module.edge.azurerm_cdn_frontdoor_security_policy.this[0]",
}
# Of which each region has one, in the region's module.
_IN_REGION = {
    model.NETWORK: "azurerm_virtual_network.this",
    model.CLUSTER: "azurerm_kubernetes_cluster.this",
    model.FEDERATION: "azurerm_federated_identity_credential.app",
    model.PUBLIC_ADDRESS: "azurerm_public_ip.nat[0]",
    model.NAT_GATEWAY: "azurerm_nat_gateway.this[0]",
}
# Of which each region has one, stated over the roles.
_BY_ROLE = {
    model.PEERING: "azurerm_virtual_network_peering.this",
    model.MANAGED_CACHE: "module.data.azurerm_managed_redis.this",
    model.CACHE: "module.data.azurerm_redis_cache.this",
    model.STORAGE: "module.data.azurerm_storage_account.this",
    model.CONTAINER: "module.data.azurerm_storage_container.this",
}
_ZONES = {
    postgres.ZONE: "postgres",
    storage.ZONE: "storage",
    **dict.fromkeys(redis.ZONES.values(), "redis"),
}
_SERVICES = {
    "Microsoft.DBforPostgreSQL": "postgres",
    "Microsoft.Cache": "redis",
    "Microsoft.Storage": "storage",
}
_SCOPES = {"virtualNetworks": "network", "userAssignedIdentities": "kubelet"}
_SPELLED = {
    "/FrontDoorWebApplicationFirewallPolicies/": "/frontDoorWebApplicationFirewallPolicies/",
    "/virtualendpoints/": "/virtualEndpoints/",
}


@dataclasses.dataclass(frozen=True)
class Import:
    """One resource of terraform's that Azure may have already.

    Attributes:
        address: in the root module.
        id: what an import is told.
        resource_id: what Azure has to have.
        is_in: whether that resource, as it is, holds it; for what is a part of another one.
    """

    address: str
    id: str
    resource_id: str
    is_in: Callable[[Body], bool] = lambda _: True


def list_imports(
    declared: estate.Estate, desired: tuple[model.DesiredResource, ...]
) -> tuple[Import, ...]:
    """Everything that terraform states for an estate."""
    found: list[Import] = []
    for one in desired:
        if one.type not in _INSIDE:
            found.append(Import(_find_address(declared, one), _spell(one, desired), one.id))
        found += _list_parts(declared, one)
    return tuple(dataclasses.replace(one, address=f"module.estate.{one.address}") for one in found)


def write_blocks(ids: Mapping[str, str]) -> str:
    """``import`` blocks for a configuration, of ids by address."""
    return "".join(
        f"import {{\n  to = {address}\n  id = {json.dumps(id_)}\n}}\n\n"
        for address, id_ in ids.items()
    )


def _spell(one: model.DesiredResource, desired: tuple[model.DesiredResource, ...]) -> str:
    spelled = one.id
    for ours, azurerms in _SPELLED.items():
        spelled = spelled.replace(ours, azurerms)
    if one.type == model.VIRTUAL_ENDPOINT:  # azurerm names it at both of its servers
        (member,) = one.body["properties"]["members"]
        replica = next(o.id for o in desired if o.type == model.SERVER and o.name == member)
        return f"{spelled}|{replica}/virtualEndpoints/{one.name}"
    return spelled


def _key(role: str) -> str:
    return f"[{json.dumps(role)}]"


def _find_address(declared: estate.Estate, one: model.DesiredResource) -> str:
    if shared := _find_shared(declared, one):
        return shared
    role, region = declared.get_region(one.region)
    if one.type in _IN_REGION:
        return f"module.region{_key(role)}.{_IN_REGION[one.type]}"
    if one.type in _BY_ROLE:
        return f"{_BY_ROLE[one.type]}{_key(role)}"
    return _find_among(declared, one, role, region)


def _find_shared(declared: estate.Estate, one: model.DesiredResource) -> str | None:
    """Of what belongs to no region."""
    door = declared.front_door
    if one.type == model.GROUP:
        return f"module.global.azurerm_resource_group.this{_key(one.name)}"
    if one.type == model.ZONE:
        return f"module.data.azurerm_private_dns_zone.this{_key(_ZONES[one.name])}"
    if one.type == model.ORIGIN_GROUP:
        which = "this" if one.name == door.origin_group else "static[0]"
        return f"module.edge.azurerm_cdn_frontdoor_origin_group.{which}"
    if one.type == model.ROUTE:
        which = "this[0]" if one.name == door.route else "static[0]"
        return f"module.edge.azurerm_cdn_frontdoor_route.{which}"
    return _SINGLE.get(one.type)


def _find_among(
    declared: estate.Estate, one: model.DesiredResource, role: str, region: estate.Region
) -> str:
    """Of what a region has several of, or calls differently from the other."""
    above = one.id.split("/")[:-2]
    if one.type == model.SERVER:
        which = "primary" if role == "primary" else "replica"
        return f"module.data.azurerm_postgresql_flexible_server.{which}[0]"
    if one.type == model.ORIGIN:
        which = "this" if above[-1] == declared.front_door.origin_group else "static"
        return f"module.edge.azurerm_cdn_frontdoor_origin.{which}{_key(role)}"
    if one.type == model.ZONE_LINK:
        key = _key(f"{_ZONES[above[-1]]}-{role}")
        return f"module.data.azurerm_private_dns_zone_virtual_network_link.this{key}"
    if one.type == model.PRIVATE_ENDPOINT:
        (connection,) = one.body["properties"]["privateLinkServiceConnections"]
        namespace = connection["properties"]["privateLinkServiceId"].split("/")[6]
        key = _key(f"{_SERVICES[namespace]}-{role}")
        return f"module.data.azurerm_private_endpoint.this{key}"
    if one.type == model.ROLE_ASSIGNMENT and above[7] == "storageAccounts":
        return f"module.data.azurerm_role_assignment.app_reads_blobs{_key(role)}"
    return f"module.region{_key(role)}.{_find_in_region(declared, one, region)}"


def _find_in_region(
    declared: estate.Estate, one: model.DesiredResource, region: estate.Region
) -> str:
    if one.type == model.SECURITY_GROUP:
        is_nodes = one.name == f"nsg-{region.network.node_subnet.name}"
        return f"azurerm_network_security_group.{'nodes' if is_nodes else 'endpoints'}"
    if one.type == model.ROLE_ASSIGNMENT:
        key = _key(_SCOPES.get(one.id.split("/")[7], "registry"))
        return f"azurerm_role_assignment.cluster{key}"
    if one.type == model.IDENTITY:
        parts = (declared, one.id.split("/")[2], region)
        purposes = {
            identity.control_plane_id(*parts): "control_plane",
            identity.kubelet_id(*parts): "kubelet",
            identity.app_id(*parts): "app",
        }
        return f"azurerm_user_assigned_identity.this{_key(purposes[one.id])}"
    raise ValueError(f"{one.type} has no address in infra/modules. This is a bug. Please report.")


def _list_parts(declared: estate.Estate, one: model.DesiredResource) -> list[Import]:
    """What is a resource of terraform's and, for Azure, a part of this one."""
    if one.type == model.MANAGED_CACHE_DATABASE:
        return _list_links(declared, one)
    if one.type not in (model.NETWORK, model.NAT_GATEWAY, model.CLUSTER):
        return []
    role, region = declared.get_region(one.region)
    module = f"module.region{_key(role)}"
    if one.type == model.NETWORK:
        return _list_subnets(declared, one, module, region)
    if one.type == model.NAT_GATEWAY:
        (address,) = one.body["properties"]["publicIpAddresses"]
        kind = "azurerm_nat_gateway_public_ip_association"
        ids = f"{one.id}|{address['id']}"
        return [Import(f"{module}.{kind}.this[0]", ids, one.id, _has_address)]
    first, *_ = [pool for pool in declared.node_pools if pool.mode == "System"]
    return [
        Import(
            f"{module}.azurerm_kubernetes_cluster_node_pool.this{_key(pool.name)}",
            f"{one.id}/agentPools/{pool.name}",
            one.id,
            functools.partial(_holds, "agentPoolProfiles", pool.name, ""),
        )
        for pool in declared.node_pools
        if pool != first
    ]


def _list_subnets(
    declared: estate.Estate, one: model.DesiredResource, module: str, region: estate.Region
) -> list[Import]:
    group = "azurerm_subnet_network_security_group_association"
    nodes = region.network.node_subnet.name
    endpoints = region.network.private_endpoint_subnet.name
    parts = [
        ("azurerm_subnet.nodes", nodes, ""),
        ("azurerm_subnet.endpoints", endpoints, ""),
        (f"{group}.nodes", nodes, "networkSecurityGroup"),
        (f"{group}.endpoints", endpoints, "networkSecurityGroup"),
    ]
    if declared.cluster.outbound == "nat_gateway":
        parts.append(("azurerm_subnet_nat_gateway_association.nodes[0]", nodes, "natGateway"))
    return [
        Import(
            f"{module}.{name}",
            f"{one.id}/subnets/{subnet}",
            one.id,
            functools.partial(_holds, "subnets", subnet, needed),
        )
        for name, subnet, needed in parts
    ]


def _list_links(declared: estate.Estate, one: model.DesiredResource) -> list[Import]:
    """All databases are linked at the primary's cache, as the modules state it."""
    is_linked = declared.redis and declared.redis.geo_replication and declared.secondary_enabled
    if not is_linked or one.region != declared.primary.location:
        return []
    address = "module.data.azurerm_managed_redis_geo_replication.this[0]"
    return [Import(address, one.id.rpartition("/databases/")[0], one.id, _is_linked)]


def _holds(key: str, name: str, needed: str, body: Body) -> bool:
    """Whether a body has something of this name, with a property that is needed."""
    items = body["properties"].get(key) or ()
    found = next((item for item in items if item["name"].lower() == name.lower()), None)
    return found is not None and (not needed or bool(found["properties"].get(needed)))


def _has_address(gateway: Body) -> bool:
    return bool(gateway["properties"].get("publicIpAddresses"))


def _is_linked(database: Body) -> bool:
    geo = database["properties"].get("geoReplication") or {}
    return len(geo.get("linkedDatabases") or ()) > 1

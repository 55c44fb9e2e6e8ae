"""What differs between a desired body and what Azure has: only what is declared counts. Pure.

Azure fills in defaults, spells ids and enum words in another letter case from call to call and
sorts lists as it likes; none of that is a difference. Lists of named things (subnets, node pools)
are compared by name, other lists without their order.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azrunbook import plan
from azrunbook.resources import model, references

Body = Mapping[str, Any]

# Words of Azure's own vocabulary; a path or a label is not among them, its case matters.
_WORDS = frozenset(
    {
        "enabledState", "forwardingProtocol", "httpsRedirect", "linkToDefaultDomain",
        "loadBalancerSku", "mode", "networkDataplane", "networkPlugin", "networkPluginMode",
        "networkPolicy", "osSKU", "osType", "outboundType", "privateEndpointNetworkPolicies",
        "probeProtocol", "probeRequestType", "publicNetworkAccess", "sessionAffinityState",
        "supportPlan", "tier", "type", "vmSize", "hostName", "originHostHeader",
        "upgradeChannel", "nodeOSUpgradeChannel", "protocol", "access", "direction",
        "publicIPAllocationMethod", "geoRedundantBackup", "autoGrow", "principalType",
        "activeDirectoryAuth", "passwordAuth", "dayOfWeek", "serverRole", "clientProtocol",
        "clusteringPolicy", "evictionPolicy", "highAvailability", "accessKeysAuthentication",
        "accessTier", "publicAccess", "roleDefinitionId", "queryStringCachingBehavior",
    }
)  # fmt: skip

# An id, or a reference to one that only Azure knows yet.
_IDS = ("/subscriptions/", "[reference(")

# Properties that Azure does not change in place. Items of a list of named things stand as [].
_IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    model.GROUP: ("location",),
    model.NETWORK: ("location",),
    model.CLUSTER: (
        "location",
        "properties.dnsPrefix",
        "properties.networkProfile.networkPlugin",
        "properties.networkProfile.podCidr",
        "properties.networkProfile.serviceCidr",
        "properties.networkProfile.dnsServiceIP",
        "properties.networkProfile.outboundType",
        "properties.agentPoolProfiles[].availabilityZones",
        "properties.agentPoolProfiles[].maxPods",
        "properties.agentPoolProfiles[].osType",
        "properties.agentPoolProfiles[].vmSize",
        "properties.agentPoolProfiles[].vnetSubnetID",
    ),
    model.REGISTRY: ("location",),
    model.PUBLIC_ADDRESS: ("location", "sku.name", "zones"),
    model.NAT_GATEWAY: ("location",),
    model.SECURITY_GROUP: ("location",),
    model.PRIVATE_ENDPOINT: (
        "location",
        "properties.subnet.id",
        "properties.privateLinkServiceConnections[].properties.privateLinkServiceId",
        "properties.privateLinkServiceConnections[].properties.groupIds",
    ),
    model.ZONE_LINK: ("properties.virtualNetwork.id",),
    model.IDENTITY: ("location",),
    model.ROLE_ASSIGNMENT: ("properties.principalId", "properties.roleDefinitionId"),
    model.WORKSPACE: ("location",),
    model.SERVER: (
        "location",
        "properties.administratorLogin",
        "properties.backup.geoRedundantBackup",
    ),
    model.DATABASE: ("properties.charset", "properties.collation"),
    model.MANAGED_CACHE: ("location", "properties.highAvailability"),
    model.MANAGED_CACHE_DATABASE: (
        "properties.clusteringPolicy",
        "properties.geoReplication.groupNickname",
    ),
    model.CACHE: ("location", "zones"),
    model.CACHE_LINK: ("properties.linkedRedisCacheId", "properties.serverRole"),
    model.STORAGE: ("location", "kind"),
    model.FIREWALL_POLICY: ("location", "sku.name"),
    model.DOMAIN: ("properties.hostName",),
    model.PROFILE: ("location", "sku.name"),
    model.ENDPOINT: ("location",),
}

# Items that Azure adds to a list by itself: to a virtual endpoint's members the server that writes.
_ADDED = {"members": 1}


def plan_changes(
    desired: Iterable[model.DesiredResource], actual: Mapping[str, Body | None]
) -> tuple[plan.Change, ...]:
    """Decide per resource: create, update, replace or no_change, with the changed properties.

    ``actual`` holds the GET body by resource id; None or missing: it does not exist. References
    are resolved by it too; one to what does not exist yet is shown as it stands.
    """
    return tuple(_plan_change(one, actual.get(one.id), actual.get) for one in desired)


def create_body(desired: model.DesiredResource) -> dict[str, Any]:
    """The body that creates a resource: what it shall be, and what is said only once."""
    body: dict[str, Any] = _lay_over(desired.creation, desired.body)
    return body


def merge_body(declared: Any, actual: Any) -> Any:
    """Lay what is declared over what is there, so that a PUT keeps what others decided.

    Named things keep their properties too; one that is not declared stays. The count of an
    autoscaled node pool is the autoscaler's.
    """
    if isinstance(declared, Mapping) and isinstance(actual, Mapping):
        found = {key.lower(): key for key in actual}
        merged = dict(actual)
        for key, value in _without_scaled(declared, actual).items():
            # Keys that are ids come back in another letter case.
            merged_key = found.get(key.lower(), key)
            merged[merged_key] = merge_body(value, actual.get(merged_key))
        return merged
    if _is_named(declared) and _is_named(actual):
        there = {item["name"].lower(): item for item in actual}
        items = [merge_body(item, there.get(item["name"].lower())) for item in declared]
        names = {item["name"].lower() for item in declared}
        return items + [item for name, item in there.items() if name not in names]
    return declared


def _lay_over(upper: Any, lower: Any) -> Any:
    if isinstance(upper, Mapping) and isinstance(lower, Mapping):
        return {**lower, **{key: _lay_over(part, lower.get(key)) for key, part in upper.items()}}
    return upper


def _without_scaled(declared: Body, actual: Body) -> Body:
    """A pool whose count lies in its autoscaler's range keeps it."""
    is_scaled = declared.get("enableAutoScaling") and isinstance(actual.get("count"), int)
    if is_scaled and declared["minCount"] <= actual["count"] <= declared["maxCount"]:
        return {key: value for key, value in declared.items() if key != "count"}
    return declared


def _plan_change(
    desired: model.DesiredResource, actual: Body | None, find: references.Find
) -> plan.Change:
    wanted = references.resolve(desired.body if actual else create_body(desired), find)
    properties = tuple(_differences(wanted, actual or {}, ""))
    action: plan.Action = "no_change"
    if actual is None:
        action = "create"
    elif properties:
        # What is absent so far (a new node pool) can be added; only a value cannot be changed.
        fixed = _IMMUTABLE.get(desired.type, ())
        is_fixed = any(
            one.before is not None and re.sub(r"\[[^\]]*\]", "[]", one.path) in fixed
            for one in properties
        )
        action = "replace" if is_fixed else "update"
    return plan.Change(
        action=action,
        type=desired.type,
        name=desired.name,
        region=desired.region,
        id=desired.id,
        properties=properties,
    )


def _differences(desired: Any, actual: Any, path: str) -> Iterator[plan.PropertyChange]:
    if isinstance(desired, Mapping) and isinstance(actual or {}, Mapping):
        if not desired and actual is None:
            yield plan.PropertyChange(path, actual, desired)
        there = {key.lower(): value for key, value in (actual or {}).items()}
        for key, value in _without_scaled(desired, actual or {}).items():
            inner = f"{path}.{key}" if path else key
            yield from _differences(value, there.get(key.lower()), inner)
    elif _is_named(desired) and (_is_named(actual) or not actual):
        named = {item["name"].lower(): item for item in actual or ()}
        for item in desired:
            rest = {key: value for key, value in item.items() if key != "name"}
            found = named.get(item["name"].lower())
            yield from _differences(rest, found, f"{path}[{item['name']}]")
    elif not _is_same(desired, actual, path.rpartition(".")[2]):
        yield plan.PropertyChange(path, actual, desired)


def _is_named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in value)
    )


def _is_same(desired: Any, actual: Any, key: str) -> bool:
    if isinstance(desired, list) and isinstance(actual or [], list):
        return _is_same_list(desired, actual or [], key)
    if not (isinstance(desired, str) and isinstance(actual, str)):
        return bool(desired == actual)
    if key == "location":
        # Azure shows "East US" where it was given "eastus".
        return desired.replace(" ", "").lower() == actual.replace(" ", "").lower()
    if key == "kubernetesVersion":
        # A declared minor is met by any of its patches.
        return actual == desired or actual.startswith(f"{desired}.")
    if key in _WORDS or desired.startswith(_IDS):
        return desired.lower() == actual.lower()
    return desired == actual


def _is_same_list(desired: list[Any], actual: list[Any], key: str) -> bool:
    """Whether every wanted item is there and no other, in any order."""
    left = list(actual)
    for item in desired:
        match = next((one for one in left if not any(_differences(item, one, key))), None)
        if match is None:
            return False
        left.remove(match)
    return len(left) <= _ADDED.get(key, 0)

"""What differs between a desired body and what Azure has: only what is declared counts. Pure.

Azure fills in defaults, spells ids and enum words in another letter case from call to call and
sorts lists as it likes; none of that is a difference. Lists of named things (subnets, node pools)
are compared by name, other lists without their order.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azrunbook import plan
from azrunbook.resources import model

Body = Mapping[str, Any]

# Words of Azure's own vocabulary; a path or a label is not among them, its case matters.
_WORDS = frozenset(
    {
        "enabledState", "forwardingProtocol", "httpsRedirect", "linkToDefaultDomain",
        "loadBalancerSku", "mode", "networkDataplane", "networkPlugin", "networkPluginMode",
        "networkPolicy", "osSKU", "osType", "outboundType", "privateEndpointNetworkPolicies",
        "probeProtocol", "probeRequestType", "publicNetworkAccess", "sessionAffinityState",
        "supportPlan", "tier", "type", "vmSize", "hostName", "originHostHeader",
    }
)  # fmt: skip

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
    model.PROFILE: ("location", "sku.name"),
    model.ENDPOINT: ("location",),
}


def plan_changes(
    desired: Iterable[model.DesiredResource], actual: Mapping[str, Body | None]
) -> tuple[plan.Change, ...]:
    """Decide per resource: create, update, replace or no_change, with the changed properties.

    ``actual`` holds the GET body by resource id; None or missing: it does not exist.
    """
    return tuple(_plan_change(one, actual.get(one.id)) for one in desired)


def merge_body(declared: Any, actual: Any) -> Any:
    """Lay what is declared over what is there, so that a PUT keeps what others decided.

    Named things keep their properties too; one that is not declared stays.
    """
    if isinstance(declared, Mapping) and isinstance(actual, Mapping):
        return {
            **actual,
            **{key: merge_body(value, actual.get(key)) for key, value in declared.items()},
        }
    if _is_named(declared) and _is_named(actual):
        there = {item["name"].lower(): item for item in actual}
        merged = [merge_body(item, there.get(item["name"].lower())) for item in declared]
        names = {item["name"].lower() for item in declared}
        return merged + [item for name, item in there.items() if name not in names]
    return declared


def _plan_change(desired: model.DesiredResource, actual: Body | None) -> plan.Change:
    properties = tuple(_differences(desired.body, actual or {}, ""))
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
    if isinstance(desired, Mapping) and desired and isinstance(actual or {}, Mapping):
        there = actual or {}
        for key, value in desired.items():
            yield from _differences(value, there.get(key), f"{path}.{key}" if path else key)
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
    if isinstance(desired, list) and isinstance(actual, list):
        return sorted(map(str, desired)) == sorted(map(str, actual))
    if not (isinstance(desired, str) and isinstance(actual, str)):
        return bool(desired == actual)
    if key == "location":
        # Azure shows "East US" where it was given "eastus".
        return desired.replace(" ", "").lower() == actual.replace(" ", "").lower()
    if key == "kubernetesVersion":
        # A declared minor is met by any of its patches.
        return actual == desired or actual.startswith(f"{desired}.")
    if key in _WORDS or desired.startswith("/subscriptions/"):
        return desired.lower() == actual.lower()
    return desired == actual

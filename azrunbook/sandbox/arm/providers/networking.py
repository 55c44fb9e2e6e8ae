"""Microsoft.Network beside the networks: security groups, addresses, NAT, peerings, firewalls.

Each is refused to go while something uses it, as Azure refuses.
"""

import hashlib
import ipaddress
import uuid
from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import network

Json = dict[str, Any]

SECURITY_GROUP = "Microsoft.Network/networkSecurityGroups"
ADDRESS = "Microsoft.Network/publicIPAddresses"
NAT = "Microsoft.Network/natGateways"
PEERING = "Microsoft.Network/virtualNetworks/virtualNetworkPeerings"
FIREWALL = "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies"
FIREWALL_API_VERSIONS = ("2020-11-01", "2022-05-01", "2024-02-01", "2025-03-01", "2025-10-01")
_FIREWALL_STYLE = operations.PollingStyle(
    status=f"{routing.SUBSCRIPTION}/providers/Microsoft.Network/locations/{{location}}"
    "/frontDoorOperationResults/{operationId}"
)
_PRIORITIES = range(100, 4097)
_DIRECTIONS = ("Inbound", "Outbound")
_DEFAULT_RULES = (
    ("AllowVnetInBound", 65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowAzureLoadBalancerInBound", 65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
    ("DenyAllInBound", 65500, "Inbound", "Deny", "*", "*"),
    ("AllowVnetOutBound", 65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    ("AllowInternetOutBound", 65001, "Outbound", "Allow", "*", "Internet"),
    ("DenyAllOutBound", 65500, "Outbound", "Deny", "*", "*"),
)


class Networking:
    """Rules of what surrounds the networks."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def routes(self) -> list[routing.Route]:
        found = [
            route
            for kind in self._kinds()
            for route in collection.Collection(kind, self._parts).routes()
        ]
        answer = self._parts.long_running.status_answer
        path = str(_FIREWALL_STYLE.status)
        return [*found, routing.Route("GET", path, "Policies_Operation", answer,
                                      FIREWALL_API_VERSIONS)]  # fmt: skip

    def _kinds(self) -> list[Kind]:
        def kind(type_: str, prefix: str, **rules: Any) -> Kind:
            common: Json = {
                "api_versions": network.API_VERSIONS,
                "style": network.STYLE,
                "tracked": True,
                "states": ("Updating", "Updating"),
            }
            return Kind(type=type_, operation_prefix=prefix, **{**common, **rules})

        return [
            kind(SECURITY_GROUP, "NetworkSecurityGroups", complete=_complete_security_group,
                 render=self._render_security_group, check_delete=self._check_group_unused),
            kind(ADDRESS, "PublicIPAddresses", complete=_complete_address,
                 render=self._tagged, check_delete=self._check_address_unused),
            kind(NAT, "NatGateways", complete=self._complete_nat, render=self._render_nat,
                 check_delete=self._check_nat_unused),
            kind(PEERING, "VirtualNetworkPeerings", complete=self._complete_peering,
                 tracked=False, render=self._render_peering),
            kind(FIREWALL, "Policies", complete=_complete_firewall, render=self._render_firewall,
                 api_versions=FIREWALL_API_VERSIONS, style=_FIREWALL_STYLE,
                 states=("Creating", "Updating"), check_delete=self._check_firewall_unused),
        ]  # fmt: skip

    def _tagged(self, document: Json) -> Json:
        etag = self._parts.store.etag(paths.parse(document["id"]))
        return {**document, "etag": f'W/"{etag}"'}

    def _subnets_with(self, key: str, resource: paths.ResourceId) -> list[Json]:
        return [
            {"id": subnet["id"]}
            for subnet in self._parts.store.list_by_type(network.SUBNET)
            if str((subnet["properties"].get(key) or {}).get("id", "")).lower() == resource.key
        ]

    def _render_security_group(self, document: Json) -> Json:
        resource = paths.parse(document["id"])
        subnets = self._subnets_with("networkSecurityGroup", resource)
        properties = {**document["properties"]}
        if subnets:
            properties["subnets"] = subnets
        return self._tagged({**document, "properties": properties})

    def _check_group_unused(self, resource: paths.ResourceId) -> None:
        for subnet in self._subnets_with("networkSecurityGroup", resource):
            raise _in_use(
                "InUseNetworkSecurityGroupCannotBeDeleted",
                f"Network security group {resource} cannot be deleted because it is in use by the "
                f"following resources: {subnet['id']}. In order to delete the Network security "
                "group, remove the association with the resource(s).",
            )

    def _check_address_unused(self, resource: paths.ResourceId) -> None:
        for nat in self._parts.store.list_by_type(NAT):
            used = nat["properties"].get("publicIpAddresses") or []
            if any(str(one["id"]).lower() == resource.key for one in used):
                raise _in_use(
                    "PublicIPAddressCannotBeDeleted",
                    f"Public IP address {resource} can not be deleted since it is still allocated "
                    f"to resource {nat['id']}.",
                )

    def _complete_nat(self, draft: Draft) -> Json:
        # A client that sends all that it read sends the subnets too; they are counted anew.
        sent = {key: value for key, value in draft.properties.items() if key != "subnets"}
        minutes = {"idleTimeoutInMinutes": 4, **sent}
        collection.check_number(minutes, "idleTimeoutInMinutes", 4, 120, owner="NatGateway")
        for one in draft.properties.get("publicIpAddresses") or []:
            require(self._parts, one.get("id"), ADDRESS, draft.resource)
        draft.sent.setdefault("sku", {"name": "Standard"})
        return {**minutes, "resourceGuid": _guid(draft.resource)}

    def _render_nat(self, document: Json) -> Json:
        subnets = self._subnets_with("natGateway", paths.parse(document["id"]))
        extra = {"subnets": subnets} if subnets else {}
        return self._tagged({**document, "properties": {**document["properties"], **extra}})

    def _check_nat_unused(self, resource: paths.ResourceId) -> None:
        for subnet in self._subnets_with("natGateway", resource):
            raise _in_use(
                "NatGatewayInUseBySubnet",
                f"Nat gateway {resource} cannot be deleted because it is in use by subnet "
                f"{subnet['id']}.",
            )

    def _complete_peering(self, draft: Draft) -> Json:
        remote = require(
            self._parts,
            (draft.properties.get("remoteVirtualNetwork") or {}).get("id"),
            network.VNET,
            draft.resource,
        )
        own = self._parts.store.get(draft.resource.parent, network.VNET)
        _check_apart(own, remote)
        defaults = {
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": False,
            "allowGatewayTransit": False,
            "useRemoteGateways": False,
            "peerCompleteVnets": True,
        }
        return {
            **defaults,
            **draft.properties,
            "remoteAddressSpace": remote["properties"]["addressSpace"],
            "remoteVirtualNetworkAddressSpace": remote["properties"]["addressSpace"],
            "peeringSyncLevel": "FullyInSync",
            "resourceGuid": _guid(draft.resource),
        }

    def _render_peering(self, document: Json) -> Json:
        """Connected once the other side is peered back; Disconnected when it is gone."""
        own = paths.parse(document["id"]).parent
        remote = str(document["properties"]["remoteVirtualNetwork"]["id"]).lower()
        back = any(
            paths.parse(one["id"]).parent.key == remote
            and str(one["properties"]["remoteVirtualNetwork"]["id"]).lower() == own.key
            for one in self._parts.store.list_by_type(PEERING)
        )
        state = {"peeringState": "Connected" if back else "Initiated"}
        return self._tagged({**document, "properties": {**document["properties"], **state}})

    def _policies_of(self, resource: paths.ResourceId) -> list[Json]:
        return [
            one
            for one in self._parts.store.list_by_type("Microsoft.Cdn/profiles/securityPolicies")
            if str(one["properties"]["parameters"]["wafPolicy"]["id"]).lower() == resource.key
        ]

    def _render_firewall(self, document: Json) -> Json:
        found = self._policies_of(paths.parse(document["id"]))
        links = [{"id": one["id"]} for one in found]
        properties = {**document["properties"], "securityPolicyLinks": links}
        return self._tagged({**document, "properties": properties})

    def _check_firewall_unused(self, resource: paths.ResourceId) -> None:
        for one in self._policies_of(resource):
            raise errors.bad_request(
                f"The policy {resource.name} is linked to {one['id']} and cannot be deleted. "
                "Remove that security policy first.",
                code="WebApplicationFirewallPolicyInUse",
            )


def require(parts: services.Services, id_: Any, type_: str, referrer: paths.ResourceId) -> Json:
    """Return the resource that another one refers to.

    Raises:
        errors.ArmError: 400 InvalidResourceReference.
    """
    try:
        resource = paths.parse(str(id_))
    except paths.InvalidIdError:
        resource = None
    found = parts.store.find(resource) if resource else None
    if found is None or found["type"].lower() != type_.lower():
        raise errors.bad_request(
            f"Resource {id_} referenced by resource {referrer} was not found. Please make sure "
            f"that the referenced resource exists (expected a {type_}), and that both resources "
            "are in the same region.",
            code="InvalidResourceReference",
        )
    return found


def _complete_security_group(draft: Draft) -> Json:
    rules = []
    for rule in draft.properties.get("securityRules") or []:
        properties = rule.get("properties") or {}
        if properties.get("priority") not in _PRIORITIES:
            raise errors.bad_request(
                f"Security rule {rule.get('name')} has invalid Priority. Value provided: "
                f"{properties.get('priority')} Allowed range 100-4096.",
                code="SecurityRuleInvalidPriority",
            )
        if properties.get("direction") not in _DIRECTIONS:
            raise errors.bad_request(
                f"Security rule {rule.get('name')} has no direction: expected Inbound or Outbound.",
                code="SecurityRuleParameterMissing",
            )
        id_ = f"{draft.resource}/securityRules/{rule['name']}"
        state = {"provisioningState": "Succeeded"}
        lists: Json = {
            key: []
            for key in ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes",
                        "destinationAddressPrefixes")
        }  # fmt: skip
        rules.append(
            {
                "name": rule["name"],
                "id": id_,
                "type": f"{SECURITY_GROUP}/securityRules",
                "properties": {**lists, **properties, **state},
            }
        )
    _check_priorities(rules)
    return {
        "securityRules": rules,
        "defaultSecurityRules": [_default_rule(draft.resource, *row) for row in _DEFAULT_RULES],
        "resourceGuid": _guid(draft.resource),
    }


def _check_priorities(rules: list[Json]) -> None:
    seen: dict[tuple[str, int], str] = {}
    for rule in rules:
        key = (rule["properties"]["direction"], rule["properties"]["priority"])
        if key in seen:
            raise errors.bad_request(
                f"Security rules {seen[key]} and {rule['name']} have the same Priority and "
                "Direction. Security rules cannot have the same Priority and Direction.",
                code="SecurityRuleConflict",
            )
        seen[key] = rule["name"]


def _default_rule(
    group: paths.ResourceId, name: str, priority: int, direction: str, access: str,
    source: str, target: str,
) -> Json:  # fmt: skip
    return {
        "name": name,
        "id": f"{group}/defaultSecurityRules/{name}",
        "type": f"{SECURITY_GROUP}/defaultSecurityRules",
        "properties": {
            "priority": priority, "direction": direction, "access": access, "protocol": "*",
            "sourceAddressPrefix": source, "destinationAddressPrefix": target,
            "sourcePortRange": "*", "destinationPortRange": "*", "provisioningState": "Succeeded",
        },
    }  # fmt: skip


def _complete_address(draft: Draft) -> Json:
    sku = draft.sent.setdefault("sku", {"name": "Standard"})
    sku.setdefault("tier", "Regional")
    method = draft.properties.get("publicIPAllocationMethod", "Dynamic")
    if sku.get("name") == "Standard" and method != "Static":
        raise errors.bad_request(
            f"Standard sku publicIp {draft.resource} must have AllocationMethod set to Static.",
            code="StandardSkuPublicIPAddressesMustBeStatic",
        )
    digest = hashlib.sha256(draft.resource.key.encode()).digest()
    # 203.0.113.0/24 is for documentation; nobody is reached there.
    address = str(ipaddress.IPv4Address("203.0.113.0") + digest[0])
    defaults = {
        "publicIPAddressVersion": "IPv4",
        "idleTimeoutInMinutes": 4,
        "ipTags": [],
        "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
    }
    return {
        **defaults,
        **draft.properties,
        "ipAddress": address,
        "resourceGuid": _guid(draft.resource),
    }


def _complete_firewall(draft: Draft) -> Json:
    collection.check_name(draft.resource, r"[a-zA-Z][a-zA-Z0-9]{0,127}")
    sku = (draft.sent.get("sku") or {}).get("name")
    rules = (draft.properties.get("managedRules") or {}).get("managedRuleSets") or []
    if rules and sku != "Premium_AzureFrontDoor":
        raise errors.bad_request(
            f"WebApplicationFirewallPolicy validation failed. Managed rule sets are not supported "
            f"with sku {sku}: expected Premium_AzureFrontDoor.",
        )
    settings = {"enabledState": "Enabled", "mode": "Prevention", "requestBodyCheck": "Enabled"}
    return {
        "customRules": {"rules": []},
        "managedRules": {"managedRuleSets": []},
        **draft.properties,
        "policySettings": {**settings, **(draft.properties.get("policySettings") or {})},
        "frontendEndpointLinks": [],
        "routingRuleLinks": [],
        "resourceState": "Enabled",
    }


def _check_apart(own: Json, remote: Json) -> None:
    def ranges(document: Json) -> list[ipaddress.IPv4Network]:
        prefixes = document["properties"]["addressSpace"]["addressPrefixes"]
        return [ipaddress.IPv4Network(text) for text in prefixes]

    if any(one.overlaps(other) for one in ranges(own) for other in ranges(remote)):
        raise errors.bad_request(
            f"Cannot create or update peering: the address spaces of {own['id']} and "
            f"{remote['id']} overlap.",
            code="VnetAddressSpacesOverlap",
        )


def _in_use(code: str, message: str) -> errors.ArmError:
    return errors.bad_request(message, code=code)


def _guid(resource: paths.ResourceId) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, resource.key))

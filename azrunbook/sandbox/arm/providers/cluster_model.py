"""Managed clusters as documents: what Azure refuses, fills in and shows. Pure.

Server-filled values are derived from the id, so that a cluster created again in a rehearsal has
the same names.
"""

import hashlib
import re
import uuid
from typing import Any

from azrunbook.sandbox.arm import collection, errors, paths
from azrunbook.sandbox.arm.providers import kubernetes_versions

Json = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9]$|[a-zA-Z0-9][-_a-zA-Z0-9]{0,61}[a-zA-Z0-9]")
_TIERS = ("Free", "Standard", "Premium")
_MAX_NODE_GROUP = 80
_IMMUTABLE = (
    "dnsPrefix",
    "nodeResourceGroup",
    "enableRBAC",
    "networkProfile.networkPlugin",
    "networkProfile.podCidr",
    "networkProfile.serviceCidr",
    "networkProfile.dnsServiceIP",
    "networkProfile.loadBalancerSku",
)
_DEFAULTS: Json = {
    "kubernetesVersion": kubernetes_versions.DEFAULT,
    "supportPlan": kubernetes_versions.OFFICIAL,
    "enableRBAC": True,
    "disableLocalAccounts": False,
    "networkProfile": {
        "networkPlugin": "azure",
        "loadBalancerSku": "standard",
        "outboundType": "loadBalancer",
        "serviceCidr": "10.0.0.0/16",
        "dnsServiceIP": "10.0.0.10",
        "ipFamilies": ["IPv4"],
    },
    "nodeProvisioningProfile": {"mode": "Manual", "defaultNodePools": "Auto"},
    "oidcIssuerProfile": {"enabled": False},
    "securityProfile": {},
    "storageProfile": {
        "diskCSIDriver": {"enabled": True},
        "fileCSIDriver": {"enabled": True},
        "snapshotController": {"enabled": True},
    },
    "autoUpgradeProfile": {"nodeOSUpgradeChannel": "NodeImage"},
    "servicePrincipalProfile": {"clientId": "msi"},
}
_READ_ONLY = {
    "agentPoolProfiles",
    "provisioningState",
    "powerState",
    "currentKubernetesVersion",
    "fqdn",
    "azurePortalFQDN",
    "maxAgentPools",
    "resourceUID",
}


def complete(resource: paths.ResourceId, sent: Json, existing: Json | None, *, tenant: str) -> Json:
    """Return the cluster's document: sku, identity and properties, without its pools.

    Raises:
        errors.AksError: 400 for what Azure would refuse.
    """
    if not _NAME.fullmatch(resource.name):
        raise _refuse(
            f"The cluster name '{resource.name}' is invalid: 1 to 63 letters, digits, '_' and "
            "'-', a letter or digit at both ends.",
            target="name",
        )
    given = {
        key: value
        for key, value in collection.without_empty(sent.get("properties") or {}).items()
        if key not in _READ_ONLY and value is not None
    }
    before = (existing or {}).get("properties") or {}
    if existing:
        _check_immutable(given, before)
    properties = collection.merge(before or _DEFAULTS, given)
    properties.setdefault("dnsPrefix", f"{resource.name[:10]}-{_hash(resource, 6)}")
    properties.setdefault("nodeResourceGroup", _node_group(resource, sent))
    if profile := properties.get("aadProfile"):
        profile.setdefault("tenantID", tenant)
    _complete_ranges(properties["networkProfile"])
    sku = sent.get("sku") or (existing or {}).get("sku") or {}
    body: Json = {
        "kind": "Base",
        "sku": {"name": "Base", "tier": "Free", **sku},
        "properties": properties,
    }
    identity = sent.get("identity") or (existing or {}).get("identity")
    if identity:
        body["identity"] = _identity(resource, identity, tenant)
    _check_versions(resource, body, before)
    return body


def _complete_ranges(profile: Json) -> None:
    """Show the one range of each kind in its list as well."""
    for kind in ("podCidr", "serviceCidr"):
        if not profile.get(f"{kind}s") and kind in profile:
            profile[f"{kind}s"] = [profile[kind]]


def finish(resource: paths.ResourceId, body: Json, tenant: str) -> None:
    """Fill in what a cluster shows once its control plane runs."""
    properties = body["properties"]
    location = body["location"]
    host = f"{properties['dnsPrefix']}-{_hash(resource, 8)}"
    properties["currentKubernetesVersion"] = kubernetes_versions.resolve(
        properties["kubernetesVersion"]
    )
    properties["fqdn"] = f"{host}.hcp.{location}.azmk8s.io"
    properties["azurePortalFQDN"] = f"{host}.portal.hcp.{location}.azmk8s.io"
    properties["maxAgentPools"] = 100
    properties["resourceUID"] = _uuid(resource, "uid").replace("-", "")[:24]
    properties["powerState"] = {"code": "Running"}
    if properties["oidcIssuerProfile"].get("enabled"):
        properties["oidcIssuerProfile"]["issuerURL"] = (
            f"https://{location}.oic.prod-aks.azure.com/{tenant}/{_uuid(resource, 'issuer')}/"
        )
    if properties["networkProfile"].get("outboundType") == "loadBalancer":
        properties["networkProfile"]["loadBalancerProfile"] = {
            "managedOutboundIPs": {"count": 1},
            "effectiveOutboundIPs": [
                {
                    "id": f"/subscriptions/{resource.subscription}/resourceGroups/"
                    f"{properties['nodeResourceGroup']}/providers/Microsoft.Network/"
                    f"publicIPAddresses/{_uuid(resource, 'outbound')}"
                }
            ],
            "backendPoolType": "nodeIPConfiguration",
        }
    own = {
        "kubeletidentity": {
            "resourceId": f"/subscriptions/{resource.subscription}/resourceGroups/"
            f"{properties['nodeResourceGroup']}/providers/Microsoft.ManagedIdentity/"
            f"userAssignedIdentities/{resource.name}-agentpool",
            "clientId": _uuid(resource, "kubelet-client"),
            "objectId": _uuid(resource, "kubelet-object"),
        }
    }
    properties["identityProfile"] = {**own, **(properties.get("identityProfile") or {})}


def _check_versions(resource: paths.ResourceId, body: Json, before: Json) -> None:
    wanted = str(body["properties"]["kubernetesVersion"])
    tier = body["sku"]["tier"]
    if tier not in _TIERS:
        raise _refuse(f"The tier '{tier}' is unknown: expected {', '.join(_TIERS)}.", target="sku")
    kubernetes_versions.resolve(wanted)
    if current := before.get("currentKubernetesVersion"):
        kubernetes_versions.check_upgrade(current, wanted)
    plan = body["properties"]["supportPlan"]
    kubernetes_versions.check_support(resource.name, wanted, tier=tier, plan=plan)


def _check_immutable(given: Json, before: Json) -> None:
    for path in _IMMUTABLE:
        old, new = _at(before, path), _at(given, path)
        if new is not None and old is not None and new != old:
            raise _refuse(
                f"Changing property '{path}' is not allowed ({old} to {new}).",
                code="PropertyChangeNotAllowed",
                target=path,
            )


def _at(document: Json, path: str) -> Any:
    value: Any = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _refuse(message: str, *, code: str = "InvalidParameter", target: str) -> errors.AksError:
    return errors.AksError(400, code, message, target=target)


def _node_group(resource: paths.ResourceId, sent: Json) -> str:
    return f"MC_{resource.group}_{resource.name}_{sent.get('location')}"[:_MAX_NODE_GROUP]


def _identity(resource: paths.ResourceId, identity: Json, tenant: str) -> Json:
    if "SystemAssigned" not in str(identity.get("type")):
        return identity
    return {
        **identity,
        "principalId": _uuid(resource, "principal"),
        "tenantId": tenant,
    }


def _hash(resource: paths.ResourceId, length: int) -> str:
    return hashlib.sha256(resource.key.encode()).hexdigest()[:length]


def _uuid(resource: paths.ResourceId, purpose: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource.key}#{purpose}"))

"""One desired ARM resource as a value, and how its id is spelled.

The api-versions stand in one table here, because ARM wants one with every request and the same
type must always be read and written with the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GROUP = "Microsoft.Resources/resourceGroups"
NETWORK = "Microsoft.Network/virtualNetworks"
CLUSTER = "Microsoft.ContainerService/managedClusters"
REGISTRY = "Microsoft.ContainerRegistry/registries"
PROFILE = "Microsoft.Cdn/profiles"
ENDPOINT = f"{PROFILE}/afdEndpoints"
ORIGIN_GROUP = f"{PROFILE}/originGroups"
ORIGIN = f"{ORIGIN_GROUP}/origins"
ROUTE = f"{ENDPOINT}/routes"

# Key: the provider namespace. The versions that azurerm 5.2 uses, where it has one of its own.
_API_VERSIONS: Mapping[str, str] = {
    "Microsoft.Resources": "2025-04-01",
    "Microsoft.Network": "2025-01-01",
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
    """

    id: str
    type: str
    api_version: str
    name: str
    region: str
    body: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()


def describe(
    resource_id: str,
    type_: str,
    *,
    region: str,
    body: Mapping[str, Any],
    depends_on: tuple[str, ...],
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
    )


def get_api_version(type_: str) -> str:
    return _API_VERSIONS[type_.partition("/")[0]]


def group_id(subscription_id: str, group: str) -> str:
    return f"/subscriptions/{subscription_id}/resourceGroups/{group}"


def resource_id(subscription_id: str, group: str, type_: str, *names: str) -> str:
    """Spell an id: the type's parts and the names in turn."""
    namespace, *kinds = type_.split("/")
    path = "/".join(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
    return f"{group_id(subscription_id, group)}/providers/{namespace}/{path}"

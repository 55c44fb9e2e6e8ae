"""Microsoft.Network/privateDnsZones: zones with their SOA, links to networks, A records.

The slowest of the small services: writes answer 202 with both polling headers and no body. A zone
with links cannot be deleted, and a network can be linked once to zones of one name.
"""

import re
from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import network, networking

Json = dict[str, Any]

ZONE = "Microsoft.Network/privateDnsZones"
LINK = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
RECORD = "Microsoft.Network/privateDnsZones/A"
API_VERSIONS = ("2018-09-01", "2020-06-01", "2024-06-01")
_BASE = f"{routing.GROUP}/providers/Microsoft.Network"
STYLE = operations.PollingStyle(
    status=f"{_BASE}/privateDnsOperationStatuses/{{operationId}}",
    result=f"{_BASE}/privateDnsOperationResults/{{operationId}}",
    on_put=("status", "result"),
)
_SOA = f"{_BASE}/privateDnsZones/{{privateZoneName}}/SOA/{{relativeRecordSetName}}"
_ZONE_NAME = r"([a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?\.)+[a-zA-Z0-9]+"
_SOA_RECORD: Json = {
    "email": "azureprivatedns-host.microsoft.com",
    "host": "azureprivatedns.net",
    "serialNumber": 1,
    "refreshTime": 3600,
    "retryTime": 300,
    "expireTime": 2419200,
    "minimumTtl": 10,
}


class PrivateDns:
    """Rules of private zones."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def routes(self) -> list[routing.Route]:
        common: Json = {"api_versions": API_VERSIONS, "style": STYLE}
        slow: Json = {**common, "statuses": (202, 202, 202), "answers_empty": True, "tracked": True}
        kinds = (
            Kind(type=ZONE, operation_prefix="PrivateZones", complete=_complete_zone,
                 check_delete=self._check_zone, render=self._render_zone, **slow),
            Kind(type=LINK, operation_prefix="VirtualNetworkLinks", complete=self._complete_link,
                 render=self._tagged, **slow),
            Kind(type=RECORD, operation_prefix="RecordSets", complete=_complete_record,
                 at_once=collection.ALWAYS, render=self._render_record, **common),
        )  # fmt: skip
        polls = self._parts.long_running
        table = [
            ("GET", str(STYLE.status), "PrivateZones_OperationStatus", polls.status_answer),
            ("GET", str(STYLE.result), "PrivateZones_OperationResult", polls.result_answer),
            ("GET", _SOA, "RecordSets_GetSoa", self.get_soa),
        ]
        return [
            *(r for kind in kinds for r in collection.Collection(kind, self._parts).routes()),
            *(routing.Route(*row, API_VERSIONS) for row in table),
        ]

    def get_soa(self, call: routing.Call) -> routing.Answer:
        """The record that every zone has; azurerm reads it with its zone."""
        zone = self._parts.store.get(call.resource.parent, ZONE)
        properties = {
            "fqdn": f"{zone['name']}.",
            "ttl": 3600,
            "isAutoRegistered": False,
            "soaRecord": dict(_SOA_RECORD),
        }
        found = {"id": str(call.resource), "name": call.resource.name, "type": f"{ZONE}/SOA"}
        etag = self._parts.store.etag(call.resource.parent)
        return routing.Answer(200, {**found, "etag": etag, "properties": properties})

    def _check_zone(self, zone: paths.ResourceId) -> None:
        if links := self._parts.store.list_by_type(LINK, below=zone):
            raise errors.ArmError(
                409,
                "CannotDeleteResource",
                f"Cannot delete resource while nested resources exist. Some existing nested "
                f"resource IDs include: '{links[0]['id']}'. Please delete all nested resources "
                "before deleting this resource.",
            )

    def _complete_link(self, draft: Draft) -> Json:
        wanted = (draft.properties.get("virtualNetwork") or {}).get("id")
        vnet = networking.require(self._parts, wanted, network.VNET, draft.resource)
        zone = draft.resource.parent.name.lower()
        for link in self._parts.store.list_by_type(LINK):
            other = paths.parse(link["id"])
            is_same = str(link["properties"]["virtualNetwork"]["id"]).lower() == vnet["id"].lower()
            if is_same and other.parent.name.lower() == zone and other.key != draft.resource.key:
                raise errors.ArmError(
                    409,
                    "Conflict",
                    f"A virtual network cannot be linked to multiple zones with overlapping "
                    f"namespaces. You tried to link virtual network with '{zone}' and "
                    f"'{other.parent.name}' zones.",
                )
        return {
            "registrationEnabled": False,
            **draft.properties,
            "virtualNetworkLinkState": "Completed",
        }

    def _render_zone(self, document: Json) -> Json:
        zone = paths.parse(document["id"])
        records = self._parts.store.list_by_type(RECORD, below=zone)
        links = self._parts.store.list_by_type(LINK, below=zone)
        counts = {
            "maxNumberOfRecordSets": 25000,
            "numberOfRecordSets": len(records) + 1,  # the zone's SOA
            "maxNumberOfVirtualNetworkLinks": 1000,
            "numberOfVirtualNetworkLinks": len(links),
            "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
            "numberOfVirtualNetworkLinksWithRegistration": 0,
        }
        return self._tagged({**document, "properties": {**document["properties"], **counts}})

    def _render_record(self, document: Json) -> Json:
        found = collection.without_state(document)
        # What the sandbox noted for itself is not the client's.
        found["properties"].pop("metadata", None)
        return self._tagged(found)

    def _tagged(self, document: Json) -> Json:
        return {**document, "etag": self._parts.store.etag(paths.parse(document["id"]))}


def _complete_zone(draft: Draft) -> Json:
    if not re.fullmatch(_ZONE_NAME, draft.resource.name):
        raise errors.bad_request(
            f"The domain name '{draft.resource.name}' is invalid: expected at least two labels, "
            "for example privatelink.blob.core.windows.net."
        )
    if draft.sent.get("location", "global").lower() != "global":
        raise errors.bad_request(
            "The property 'location' of a private zone must be 'global'.", target="location"
        )
    return dict(draft.properties)


def _complete_record(draft: Draft) -> Json:
    zone = draft.resource.parent.name
    addresses = draft.properties.get("aRecords") or []
    if not addresses:
        raise errors.bad_request(f"Record set {draft.resource.name} of {zone} has no aRecords.")
    name = "" if draft.resource.name == "@" else f"{draft.resource.name}."
    return {"ttl": 3600, "isAutoRegistered": False, **draft.properties, "fqdn": f"{name}{zone}."}

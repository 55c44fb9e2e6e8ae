"""Microsoft.Network/privateEndpoints with zone groups and network interfaces.

An endpoint takes an address of its subnet, the service it leads to shows the connection, and a zone
group writes an A record into the private zone. Connections within one subscription are approved at
once; Front Door's are not, because Front Door is somebody else (see :mod:`.cdn`).
"""

import itertools
from typing import Any

from azrunbook.sandbox.arm import collection, errors, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import network, networking

Json = dict[str, Any]

ENDPOINT = "Microsoft.Network/privateEndpoints"
ZONE_GROUP = "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"
INTERFACE = "Microsoft.Network/networkInterfaces"
ZONE = "Microsoft.Network/privateDnsZones"
RECORD = "Microsoft.Network/privateDnsZones/A"
_RECORD_SECONDS = 10
# What each service can be reached as: the group id, and the name behind the endpoint.
_TARGETS = {
    "microsoft.dbforpostgresql/flexibleservers": (
        "postgresqlServer", "{}.postgres.database.azure.com",
    ),
    "microsoft.cache/redisenterprise": ("redisEnterprise", "{}.{location}.redis.azure.net"),
    "microsoft.cache/redis": ("redisCache", "{}.redis.cache.windows.net"),
    "microsoft.storage/storageaccounts": ("blob", "{}.blob.core.windows.net"),
    "microsoft.containerregistry/registries": ("registry", "{}.azurecr.io"),
}  # fmt: skip


class PrivateEndpoints:
    """Rules of private endpoints."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        parts.store.subscribe(self._forget)

    def routes(self) -> list[routing.Route]:
        common: Json = {
            "api_versions": network.API_VERSIONS,
            "style": network.STYLE,
            "states": ("Updating", "Updating"),
        }
        kinds = (
            Kind(type=ENDPOINT, operation_prefix="PrivateEndpoints", complete=self._complete,
                 tracked=True, stored=self._store_interface, render=self._render, **common),
            Kind(type=ZONE_GROUP, operation_prefix="PrivateDnsZoneGroups",
                 complete=self._complete_group, stored=self._store_records,
                 render=self._tagged, **common),
            Kind(type=INTERFACE, operation_prefix="NetworkInterfaces", complete=_refuse_interface,
                 tracked=True, check_delete=self._check_interface, render=self._tagged, **common),
        )  # fmt: skip
        return [
            route for kind in kinds for route in collection.Collection(kind, self._parts).routes()
        ]

    def _complete(self, draft: Draft) -> Json:
        subnet = (draft.properties.get("subnet") or {}).get("id")
        networking.require(self._parts, subnet, network.SUBNET, draft.resource)
        wanted = draft.properties.get("privateLinkServiceConnections") or []
        if not wanted:
            raise errors.bad_request(
                f"Private endpoint {draft.resource.name} must have exactly one private link "
                "service connection.",
                code="PrivateEndpointMustHaveConnection",
            )
        connections = [self._connect(draft, one) for one in wanted]
        before = (draft.existing or {}).get("properties", {})
        _check_same_target(draft, before, connections)
        interface = draft.properties.get("customNetworkInterfaceName") or ""
        interface = interface or f"{draft.resource.name}.nic"
        address = before.get("address") or self._take_address(str(subnet))
        host = self._host(connections[0]["properties"]["privateLinkServiceId"])
        return {
            **draft.properties,
            "privateLinkServiceConnections": connections,
            "manualPrivateLinkServiceConnections": [],
            "customNetworkInterfaceName": interface,
            "networkInterfaces": [{"id": self._interface_id(draft.resource, interface)}],
            "customDnsConfigs": [{"fqdn": host, "ipAddresses": [address]}],
            "address": address,
        }

    def _connect(self, draft: Draft, wanted: Json) -> Json:
        properties = wanted.get("properties") or {}
        target = str(properties.get("privateLinkServiceId"))
        found = self._find_target(target, draft.resource)
        group, _ = _TARGETS[found["type"].lower()]
        if (properties.get("groupIds") or []) != [group]:
            raise errors.bad_request(
                f"Call to {found['type']} failed. Error message: the group id "
                f"'{properties.get('groupIds')}' is invalid: expected ['{group}'].",
                code="CannotChangeGroupIdOnPrivateLinkServiceConnection"
                if draft.existing else "InvalidGroupId",
            )  # fmt: skip
        self._check_linked(found, draft)
        return {
            "name": wanted["name"],
            "id": f"{draft.resource}/privateLinkServiceConnections/{wanted['name']}",
            "type": f"{ENDPOINT}/privateLinkServiceConnections",
            "properties": {
                **properties,
                "provisioningState": "Succeeded",
                "privateLinkServiceConnectionState": {
                    "status": "Approved",
                    "description": "Auto-approved",
                    "actionsRequired": "None",
                },
            },
        }

    def _find_target(self, target: str, referrer: paths.ResourceId) -> Json:
        try:
            found = self._parts.store.find(paths.parse(target))
        except paths.InvalidIdError:
            found = None
        if found is None or found["type"].lower() not in _TARGETS:
            raise errors.bad_request(
                f"The private link service {target} of {referrer.name} was not found: expected "
                f"the id of one of {', '.join(_TARGETS)}.",
                code="PrivateLinkServiceNotFound",
            )
        return found

    def _check_linked(self, target: Json, draft: Draft) -> None:
        """Refuse a new endpoint on a cache that is passively replicated already."""
        if draft.existing or target["type"].lower() != "microsoft.cache/redis":
            return
        links = self._parts.store.list_by_type("Microsoft.Cache/redis/linkedServers")
        own = target["id"].lower()
        for link in links:
            pair = {
                str(paths.parse(link["id"]).parent).lower(),
                str(link["properties"]["linkedRedisCacheId"]).lower(),
            }
            if own in pair:
                raise errors.bad_request(
                    f"Private endpoints cannot be added to cache {target['name']} while it is "
                    "geo-replicated. Unlink the caches, add the endpoint and link them again.",
                )

    def _host(self, target: str) -> str:
        found = self._find_target(target, paths.parse(target))
        _, pattern = _TARGETS[found["type"].lower()]
        return pattern.format(found["name"].lower(), location=found.get("location", ""))

    def _take_address(self, subnet_id: str) -> str:
        """Return the first free address; Azure keeps the first four of every subnet."""
        subnet = self._parts.store.get(paths.parse(subnet_id))
        range_ = network.subnet_networks(subnet["properties"], paths.parse(subnet_id))[0]
        used = {
            one["properties"]["address"]
            for one in self._parts.store.list_by_type(ENDPOINT)
            if one["properties"]["subnet"]["id"].lower() == subnet_id.lower()
        }
        for address in itertools.islice(range_.hosts(), 3, None):
            if str(address) not in used:
                return str(address)
        raise errors.bad_request(
            f"Subnet {subnet_id} does not have enough capacity for one more IP address.",
            code="SubnetIsFull",
        )

    def _interface_id(self, endpoint: paths.ResourceId, name: str) -> str:
        return f"{endpoint.scope}/providers/{INTERFACE}/{name}"

    def _store_interface(self, draft: Draft) -> None:
        body = self._parts.store.get(draft.resource)
        properties = body["properties"]
        interface = paths.parse(properties["networkInterfaces"][0]["id"])
        configuration = {
            "name": f"privateEndpointIpConfig.{draft.resource.name}",
            "id": f"{interface}/ipConfigurations/privateEndpointIpConfig",
            "properties": {
                "privateIPAddress": properties["address"],
                "privateIPAllocationMethod": "Dynamic",
                "privateIPAddressVersion": "IPv4",
                "primary": True,
                "subnet": properties["subnet"],
                "provisioningState": "Succeeded",
            },
        }
        document = {
            "location": body["location"],
            "tags": {},
            "properties": {
                "provisioningState": "Succeeded",
                "ipConfigurations": [configuration],
                "privateEndpoint": {"id": str(draft.resource)},
                "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
                "enableIPForwarding": False,
                "nicType": "Standard",
            },
        }
        self._parts.store.put(interface, INTERFACE, document)

    def _check_interface(self, resource: paths.ResourceId) -> None:
        owner = self._parts.store.get(resource)["properties"]["privateEndpoint"]["id"]
        raise errors.bad_request(
            f"Network interface {resource.name} cannot be deleted because it is in use with "
            f"private endpoint {owner}.",
            code="NetworkInterfaceInUse",
        )

    def _render(self, document: Json) -> Json:
        properties = {k: v for k, v in document["properties"].items() if k != "address"}
        return self._tagged({**document, "properties": properties})

    def _tagged(self, document: Json) -> Json:
        etag = self._parts.store.etag(paths.parse(document["id"]))
        return {**document, "etag": f'W/"{etag}"'}

    def _complete_group(self, draft: Draft) -> Json:
        others = self._parts.store.list_by_type(ZONE_GROUP, below=draft.resource.parent)
        if any(one["id"].lower() != draft.resource.key for one in others):
            raise errors.bad_request(
                f"Private endpoint {draft.resource.parent.name} has a private DNS zone group "
                "already; it can have only one.",
                code="MultiplePrivateDnsZoneGroupsNotAllowed",
            )
        endpoint = self._parts.store.get(draft.resource.parent)["properties"]
        configurations = [
            self._configure(draft.resource, one, endpoint)
            for one in draft.properties.get("privateDnsZoneConfigs") or []
        ]
        return {"privateDnsZoneConfigs": configurations}

    def _configure(self, group: paths.ResourceId, wanted: Json, endpoint: Json) -> Json:
        zone_id = (wanted.get("properties") or {}).get("privateDnsZoneId")
        zone = networking.require(self._parts, zone_id, ZONE, group)
        config = endpoint["customDnsConfigs"][0]
        # mycache.eastus.redis.azure.net is mycache.eastus in the zone of redis.azure.net.
        public = zone["name"].removeprefix("privatelink.")
        label = str(config["fqdn"]).removesuffix(f".{public}")
        record = {
            "recordType": "A",
            "recordSetName": label,
            "fqdn": f"{label}.{zone['name']}",
            "ttl": _RECORD_SECONDS,
            "ipAddresses": config["ipAddresses"],
            "provisioningState": "Succeeded",
        }
        properties = {"privateDnsZoneId": zone_id, "recordSets": [record]}
        return {
            "name": wanted["name"],
            "id": f"{group}/privateDnsZoneConfigs/{wanted['name']}",
            "properties": properties,
        }

    def _store_records(self, draft: Draft) -> None:
        group = self._parts.store.get(draft.resource)["properties"]
        for config in group["privateDnsZoneConfigs"]:
            zone = paths.parse(config["properties"]["privateDnsZoneId"])
            for record in config["properties"]["recordSets"]:
                addresses = [{"ipv4Address": one} for one in record["ipAddresses"]]
                document = {
                    "properties": {
                        "fqdn": f"{record['fqdn']}.",
                        "ttl": record["ttl"],
                        "isAutoRegistered": False,
                        "aRecords": addresses,
                        "metadata": {"of": draft.resource.key},
                    }
                }
                self._parts.store.put(zone.child("A", record["recordSetName"]), RECORD, document)

    def _forget(self, kind: str, id_: str, type_: str) -> None:
        """Interfaces and records go with what made them."""
        if kind != "delete" or type_ not in {ENDPOINT, ZONE_GROUP}:
            return
        gone = id_.lower()
        for one in self._parts.store.list_by_type(INTERFACE):
            if one["properties"]["privateEndpoint"]["id"].lower() == gone:
                self._parts.store.delete(paths.parse(one["id"]))
        for one in self._parts.store.list_by_type(RECORD):
            if (one["properties"].get("metadata") or {}).get("of") == gone:
                self._parts.store.delete(paths.parse(one["id"]))


def list_connections(parts: services.Services, target: str) -> list[Json]:
    """Return the endpoint connections that a service shows of itself."""
    found = []
    for endpoint in parts.store.list_by_type(ENDPOINT):
        for one in endpoint["properties"]["privateLinkServiceConnections"]:
            if str(one["properties"]["privateLinkServiceId"]).lower() == target.lower():
                name = f"{endpoint['name']}.{paths.parse(endpoint['id']).group}"
                found.append({
                    "id": f"{target}/privateEndpointConnections/{name}",
                    "name": name,
                    "properties": {
                        "provisioningState": "Succeeded",
                        "privateEndpoint": {"id": endpoint["id"]},
                        "groupIds": one["properties"]["groupIds"],
                        "privateLinkServiceConnectionState":
                            one["properties"]["privateLinkServiceConnectionState"],
                    },
                })  # fmt: skip
    return found


def _check_same_target(draft: Draft, before: Json, connections: list[Json]) -> None:
    old = [c["properties"]["privateLinkServiceId"].lower()
           for c in before.get("privateLinkServiceConnections") or []]  # fmt: skip
    new = [c["properties"]["privateLinkServiceId"].lower() for c in connections]
    if old and old != new:
        raise errors.bad_request(
            f"Private endpoint {draft.resource.name} cannot be led to another service: "
            f"{old[0]} to {new[0]}. Create another endpoint.",
            code="CannotChangePrivateLinkServiceOnPrivateEndpoint",
        )


def _refuse_interface(draft: Draft) -> Json:
    raise errors.bad_request(
        f"Creating network interface {draft.resource.name} is not emulated: those there are belong "
        "to private endpoints. Add it in azrunbook/sandbox/arm/providers/private_endpoints.py.",
        code="NotEmulated",
    )

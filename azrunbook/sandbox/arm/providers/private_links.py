"""Private link services, and who asks to be connected: a request is pending until it is approved.

A service is made by AKS's cloud provider before an internal load balancer (the host tells of it by
:func:`ensure_service`), in the cluster's node resource group; nobody else can make one here. Front
Door asks for a connection when an origin is put that leads to a service or a storage account; its
endpoint lives in a subscription of Microsoft's, so no rule of ours approves it. What an owner
decides shows in the origin's ``sharedPrivateLinkResource.status``, which is what the edge acts on.
"""

import uuid
from typing import Any

from azrunbook.sandbox.arm import backends, collection, errors, paths, routing, services, store
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import network, private_endpoints
from azrunbook.sandbox.arm.routing import Answer, Call, Route

Json = dict[str, Any]

SERVICE = "Microsoft.Network/privateLinkServices"
ACCOUNT = "Microsoft.Storage/storageAccounts"
ORIGIN = "Microsoft.Cdn/profiles/originGroups/origins"
CONNECTIONS = "privateEndpointConnections"
DECISIONS = ("Approved", "Rejected")
_LINK = "sharedPrivateLinkResource"


class PrivateLinks:
    """Handlers of link services, and the requests of Front Door's origins."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        parts.store.subscribe(self._forget)

    def routes(self) -> list[Route]:
        kind = Kind(type=SERVICE, operation_prefix="PrivateLinkServices", tracked=True,
                    api_versions=network.API_VERSIONS, style=network.STYLE,
                    complete=_refuse_service, render=self._render)  # fmt: skip
        return [
            *collection.Collection(kind, self._parts).routes(),
            *self.list_routes(kind.template, "PrivateLinkServices", network.API_VERSIONS),
        ]

    def list_routes(self, owner: str, prefix: str, versions: tuple[str, ...]) -> list[Route]:
        """The requests to an owner whose route template this is: seen, decided, removed."""
        many = f"{owner}/{CONNECTIONS}"
        one = f"{many}/{{connectionName}}"
        table: list[tuple[str, str, str, routing.Handler]] = [
            ("GET", many, "List", self.list_all),
            ("GET", one, "Get", self.get),
            ("PUT", one, "Update", self.decide),
            ("DELETE", one, "Delete", self.delete),
        ]
        return [
            Route(method, path, f"{prefix}_{verb}PrivateEndpointConnection", handler, versions)
            for method, path, verb, handler in table
        ]

    def list_all(self, call: Call) -> Answer:
        owner = self._parts.store.get(call.resource)
        return Answer(200, {"value": list_connections(self._parts, owner["id"])})

    def get(self, call: Call) -> Answer:
        owner = self._parts.store.get(call.resource.parent)
        for one in list_connections(self._parts, owner["id"]):
            if one["name"].lower() == call.resource.name.lower():
                return Answer(200, one)
        raise errors.resource_not_found(
            call.resource.type, call.resource.path_name, call.resource.group
        )

    def decide(self, call: Call) -> Answer:
        """Approve or reject a request; either may be changed into the other."""
        sent = (call.body.get("properties") or {}).get("privateLinkServiceConnectionState") or {}
        if sent.get("status") not in DECISIONS:
            raise errors.bad_request(
                f"The status '{sent.get('status')}' of private endpoint connection "
                f"{call.resource.name} is invalid: expected one of {', '.join(DECISIONS)}.",
                code="InvalidPrivateLinkServiceConnectionStatus",
            )
        self.get(call)
        found = self._parts.store.find(call.resource)
        if found is None:
            raise errors.bad_request(
                f"Deciding anew about {call.resource.name}, which was approved as an endpoint of "
                "the same subscription, is not emulated. Add it in "
                "azrunbook/sandbox/arm/providers/private_links.py.",
                code="NotEmulated",
            )

        def write(body: Json) -> None:
            body["properties"]["privateLinkServiceConnectionState"].update(sent)

        self._parts.store.update(call.resource, write)
        _tell_origin(self._parts.store, found["properties"]["origin"], str(sent["status"]))
        return self.get(call)

    def delete(self, call: Call) -> Answer:
        return self._parts.delete_now(call.resource)

    def require_target(self, draft: Draft) -> collection.Work | None:
        """What putting an origin takes: an endpoint to what it leads to, which must exist."""
        target = _target(draft.properties)
        if target is None:
            return None

        async def connect() -> None:
            if self._parts.store.find(target) is None:
                raise backends.BackendError(
                    "BadRequest",
                    "PrivateEndpointProvisioning Failed. ErrorCode: ResourceNotFound. "
                    f"ErrorMessage: The Resource '{target.path_name}' of type '{target.type}' "
                    f"under resource group '{target.group}' was not found.",
                )

        return connect

    def ask(self, origin: paths.ResourceId, body: Json) -> None:
        """Leave the request of an origin with its target; the origin says how it stands."""
        target = _target(body["properties"])
        for one in self._list_of(origin):
            if target is None or not target.contains(paths.parse(one["id"])):
                self._parts.store.delete(paths.parse(one["id"]))
        if target is None:
            return
        found = next(iter(self._list_of(origin)), None)
        link = body["properties"][_LINK]
        if found is None:
            found = self._request(origin, target, link)
        link["status"] = found["properties"]["privateLinkServiceConnectionState"]["status"]

    def _request(self, origin: paths.ResourceId, target: paths.ResourceId, link: Json) -> Json:
        guid = uuid.uuid5(uuid.NAMESPACE_URL, f"{origin.key}|{target.key}")
        elsewhere = f"/subscriptions/{uuid.uuid5(uuid.NAMESPACE_DNS, 'azurefd.net')}"
        group = f"{elsewhere}/resourceGroups/eafd-Prod-{link['privateLinkLocation']}"
        properties: Json = {
            "provisioningState": "Succeeded",
            "privateEndpoint": {"id": f"{group}/providers/{private_endpoints.ENDPOINT}/{guid}"},
            "privateLinkServiceConnectionState": {
                "status": "Pending",
                "description": link["requestMessage"],
                "actionsRequired": "None",
            },
            "origin": origin.key,
        }
        if link.get("groupId"):
            properties["groupIds"] = [link["groupId"]]
        resource = target.child(CONNECTIONS, f"{guid}.{uuid.uuid5(guid, 'connection')}")
        owner = self._parts.store.get(target)["type"]
        return self._parts.store.put(resource, f"{owner}/{CONNECTIONS}", {"properties": properties})

    def _list_of(self, origin: paths.ResourceId) -> list[Json]:
        return [
            one
            for owner in (SERVICE, ACCOUNT)
            for one in self._parts.store.list_by_type(f"{owner}/{CONNECTIONS}")
            if one["properties"]["origin"] == origin.key
        ]

    def _render(self, document: Json) -> Json:
        extra = {CONNECTIONS: list_connections(self._parts, document["id"])}
        return {**document, "properties": {**document["properties"], **extra}}

    def _forget(self, kind: str, id_: str, type_: str) -> None:
        """A request goes with its origin; an origin is told when its request has gone."""
        if kind != "delete":
            return
        if type_ == ORIGIN:
            for one in self._list_of(paths.parse(id_)):
                self._parts.store.delete(paths.parse(one["id"]))
        elif type_ in {f"{SERVICE}/{CONNECTIONS}", f"{ACCOUNT}/{CONNECTIONS}"}:
            for origin in self._parts.store.list_by_type(ORIGIN):
                target = _target(origin["properties"])
                if target and target.contains(paths.parse(id_)):
                    _tell_origin(self._parts.store, origin["id"], "Disconnected")


def list_connections(parts: services.Services, owner: str) -> list[Json]:
    """Return the connections that a service or account shows of itself."""
    resource = paths.parse(owner)
    asked = parts.store.list_by_type(f"{resource.type}/{CONNECTIONS}", below=resource)
    for one in asked:
        del one["properties"]["origin"]
    return [*private_endpoints.list_connections(parts, owner), *asked]


def ensure_service(
    documents: store.Store,
    service: paths.ResourceId,
    *,
    location: str,
    tags: Json,
    frontend: str,
    subnet: str,
) -> None:
    """Keep the document of a link service as AKS's cloud provider makes it.

    Args:
        documents: where it is kept.
        service: its id, in the cluster's node resource group.
        location: of the cluster.
        tags: whose it is.
        frontend: name of the load balancer's address that it stands before.
        subnet: where its addresses are taken from.
    """
    balancer = f"{service.scope}/providers/Microsoft.Network/loadBalancers/kubernetes-internal"
    address = {
        "name": f"{paths.parse(subnet).name}-1" if subnet else "ipconfig-1",
        "properties": {
            "privateIPAllocationMethod": "Dynamic",
            "privateIPAddressVersion": "IPv4",
            "primary": True,
            "provisioningState": "Succeeded",
            "subnet": {"id": subnet},
        },
    }
    guid = uuid.uuid5(uuid.NAMESPACE_URL, service.key)
    properties = {
        "provisioningState": "Succeeded",
        "alias": f"{service.name}.{guid}.{location}.azure.privatelinkservice",
        "fqdns": [],
        "visibility": {"subscriptions": []},
        "autoApproval": {"subscriptions": []},
        "enableProxyProtocol": False,
        "loadBalancerFrontendIpConfigurations": [
            {"id": f"{balancer}/frontendIPConfigurations/{frontend}"}
        ],
        "ipConfigurations": [address],
    }
    body = {"location": location, "tags": tags, "properties": properties}
    before = documents.find(service)
    if before is None or {key: before[key] for key in body} != body:
        documents.put(service, SERVICE, body)


def _target(properties: Json) -> paths.ResourceId | None:
    link = properties.get(_LINK)
    return paths.parse(link["privateLink"]["id"]) if link else None


def _tell_origin(documents: store.Store, origin: str, status: str) -> None:
    def write(body: Json) -> None:
        body["properties"][_LINK]["status"] = status

    documents.update(paths.parse(origin), write)


def _refuse_service(draft: Draft) -> Json:
    raise errors.bad_request(
        f"Creating private link service {draft.resource.name} is not emulated: those there are "
        "were made by AKS for a Service with the annotation azure-pls-create. Add it in "
        "azrunbook/sandbox/arm/providers/private_links.py.",
        code="NotEmulated",
    )

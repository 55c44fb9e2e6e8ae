"""Microsoft.DBforPostgreSQL/flexibleServers: servers, replicas, databases, virtual endpoints.

A server has no provisioningState: its state is ``properties.state``, and only the polling headers
of the 202 say when an operation has ended. One operation runs on a server at a time, and making or
promoting a replica is one on its source too.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from azrunbook.sandbox.arm import backends, collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import names, postgresql_model, private_endpoints
from azrunbook.sandbox.arm.routing import GROUP, SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

NAMESPACE = "Microsoft.DBforPostgreSQL"
SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"
DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers/databases"
VIRTUAL_ENDPOINT = "Microsoft.DBforPostgreSQL/flexibleServers/virtualendpoints"
API_VERSIONS = ("2022-12-01", "2023-06-01-preview", "2024-08-01", "2025-06-01-preview",
                "2025-08-01", "2026-01-01-preview", "2026-04-01", "2026-10-01")  # fmt: skip
METRICS_VERSIONS = ("2018-01-01", "2023-10-01", "2024-02-01")
_BASE = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
STYLE = operations.PollingStyle(
    status=f"{_BASE}/azureAsyncOperation/{{operationId}}",
    result=f"{_BASE}/operationResults/{{operationId}}",
    on_put=("status", "result"),
)
_ONE = f"{GROUP}/providers/{SERVER}/{{serverName}}"


class PostgreSql:
    """Handlers of flexible servers."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        parts.teardowns[SERVER.lower()] = self._tear_down

    def routes(self) -> list[Route]:
        polls = self._parts.long_running
        table: list[tuple[str, str, str, routing.Handler | routing.Reader]] = [
            ("GET", f"{_ONE}/replicas", "Replicas_ListByServer", self.list_replicas),
            ("GET", f"{_ONE}/providers/Microsoft.Insights/metrics", "Metrics_List",
             self.list_metrics),
            ("POST", f"{_ONE}/start", "Servers_Start", self.start),
            ("POST", f"{_ONE}/stop", "Servers_Stop", self.stop),
            ("POST", f"{_ONE}/restart", "Servers_Restart", self.restart),
            ("GET", f"{_BASE}/capabilities", "CapabilitiesByLocation_List", self.capabilities),
            ("POST", f"{SUBSCRIPTION}/providers/{NAMESPACE}/checkNameAvailability",
             "NameAvailability_CheckGlobally", self.check_name),
            ("GET", str(STYLE.status), "Operations_Get", polls.status_answer),
            ("GET", str(STYLE.result), "OperationResults_Get", polls.result_answer),
        ]  # fmt: skip
        return [
            *(r for kind in self._kinds()
              for r in collection.Collection(kind, self._parts).routes()),
            *(Route(*row, METRICS_VERSIONS if "Insights" in row[1] else API_VERSIONS)
              for row in table),
        ]  # fmt: skip

    def _kinds(self) -> tuple[Kind, ...]:
        common: Json = {
            "api_versions": API_VERSIONS,
            "style": STYLE,
            "statuses": (202, 202, 202),
            "answers_empty": True,
        }
        return (
            Kind(type=SERVER, operation_prefix="Servers", complete=self._complete, tracked=True,
                 work=self._server_work, finished=self._finish, render=self._render, **common),
            Kind(type=DATABASE, operation_prefix="Databases", complete=self._complete_database,
                 work=self._database_work, render=collection.without_state, **common),
            Kind(type=VIRTUAL_ENDPOINT, operation_prefix="VirtualEndpoints",
                 complete=self._complete_endpoint, work=self._endpoint_work,
                 render=collection.without_state, **common),
        )  # fmt: skip

    async def list_replicas(self, call: Call) -> Answer:
        source = self._parts.store.get(call.resource, SERVER)
        found = [self._render(one) for one in self._replicas(call.resource)]
        measured = await self._measure(source)
        for one in found:
            if now := measured.get(one["id"].lower()):
                one["properties"]["replica"]["replicationState"] = now.state
        return Answer(200, {"value": found})

    async def _measure(self, source: Json) -> Mapping[str, backends.Replication]:
        backend = self._parts.backends.databases
        return await backend.measure(source["id"]) if backend else {}

    async def list_metrics(self, call: Call) -> Answer:
        """What Azure Monitor knows of a replica, as of now instead of the last minutes."""
        server = paths.parse(str(call.resource).partition("/providers/Microsoft.Insights")[0])
        body = self._parts.store.get(server, SERVER)
        source = body["properties"].get("sourceServerResourceId")
        measured = await self._measure({"id": source}) if source else {}
        asked = call.query.get("metricnames", "").split(",")
        return Answer(200, postgresql_model.render_metrics(server, asked, measured.get(server.key)))

    def check_name(self, call: Call) -> Answer:
        name = str(call.body.get("name", ""))
        return Answer(200, names.availability(self._parts, SERVER, name, postgresql_model.NAME))

    def capabilities(self, call: Call) -> Answer:
        return Answer(200, {"value": [postgresql_model.capabilities(call.parameters["location"])]})

    def start(self, call: Call) -> Answer:
        return self._switch(call, "start", "Starting", lambda backend: backend.start)

    def stop(self, call: Call) -> Answer:
        return self._switch(call, "stop", "Stopping", lambda backend: backend.stop)

    def restart(self, call: Call) -> Answer:
        return self._switch(call, "restart", "Restarting", lambda backend: backend.restart)

    def _switch(
        self,
        call: Call,
        verb: str,
        state: str,
        choose: Callable[[backends.DatabaseBackend], Callable[[str], Awaitable[None]]],
    ) -> Answer:
        body = self._parts.store.get(call.resource, SERVER)
        self._check_idle(call.resource)
        backend = self._parts.backends.databases

        def finished(document: Json) -> None:
            document["properties"]["power"] = "Stopped" if verb == "stop" else "Ready"

        change = services.Change(
            resource=call.resource,
            type=SERVER,
            verb=verb,
            state=state,
            style=STYLE,
            status=202,
            location=body["location"],
            work=(lambda: choose(backend)(body["id"])) if backend else None,
            finished=finished,
        )
        return self._parts.begin_change(call, change)

    def _complete(self, draft: Draft) -> Json:
        names.require_free(self._parts, SERVER, draft.resource.name, draft.resource.key,
                           status=409, code="ServerNameAlreadyExists")  # fmt: skip
        self._check_idle(draft.resource)
        source = self._source(draft)
        if source is not None:
            self._check_replica(draft, source)
        if draft.existing and (draft.properties.get("replica") or {}).get("promoteMode"):
            return self._complete_promotion(draft)
        return postgresql_model.complete(draft, source)

    def _source(self, draft: Draft) -> Json | None:
        if draft.existing or draft.properties.get("createMode") != "Replica":
            return None
        text = str(draft.properties.get("sourceServerResourceId"))
        try:
            return self._parts.store.get(paths.parse(text), SERVER)
        except paths.InvalidIdError as error:
            raise errors.bad_request(
                f"sourceServerResourceId '{text}' is invalid: {error}",
                code="InvalidParameterValue",
            ) from error

    def _check_replica(self, draft: Draft, source: Json) -> None:
        resource = paths.parse(source["id"])
        self._check_idle(resource)
        if len(self._replicas(resource)) >= postgresql_model.MAX_REPLICAS:
            raise errors.bad_request(
                f"Server {source['name']} has {postgresql_model.MAX_REPLICAS} replicas already.",
                code="ReplicaLimitExceeded",
            )
        if source["properties"].get("power") == "Stopped":
            raise _busy(resource, f"Server {source['name']} is stopped")
        if not draft.sent.get("sku"):
            draft.sent["sku"] = source["sku"]

    def _complete_promotion(self, draft: Draft) -> Json:
        """A switchover needs the replica to be the reader of a virtual endpoint."""
        existing = draft.existing or {}
        wanted = draft.properties["replica"]
        source = existing["properties"].get("sourceServerResourceId")
        if source is None:
            raise errors.bad_request(
                f"Server {draft.resource.name} is not a replica and cannot be promoted.",
                code="InvalidReplicaPromote",
            )
        endpoints = self._parts.store.list_by_type(VIRTUAL_ENDPOINT, below=paths.parse(source))
        is_reader = any(draft.resource.name in one["properties"]["members"] for one in endpoints)
        if wanted["promoteMode"] == "Switchover" and not is_reader:
            raise errors.bad_request(
                f"Server {draft.resource.name} is not the reader of a virtual endpoint of its "
                "primary: a switchover needs one. Create it first.",
                code="ReplicaSwitchoverWithoutVirtualEndpoint",
            )
        self._check_idle(paths.parse(source))
        return {**existing["properties"], "promotion": wanted}

    def _server_work(self, draft: Draft) -> collection.Work | None:
        backend = self._parts.backends.databases
        body = self._parts.store.get(draft.resource, SERVER)
        if backend is None:
            return None
        if promotion := body["properties"].get("promotion"):
            mode = promotion["promoteMode"]
            forced = promotion.get("promoteOption") == "Forced"
            return lambda: backend.promote(body["id"], mode, forced=forced)
        return lambda: backend.ensure(postgresql_model.request(body))

    def _finish(self, resource: paths.ResourceId, body: Json) -> None:
        promotion = body["properties"].pop("promotion", None)
        if promotion is None:
            return
        source = paths.parse(body["properties"].pop("sourceServerResourceId"))
        body["properties"]["replicationRole"] = "Primary"
        if promotion["promoteMode"] != "Switchover":
            return
        own = str(resource)
        for endpoint in self._parts.store.list_by_type(VIRTUAL_ENDPOINT, below=source):
            moved = resource.child("virtualendpoints", endpoint["name"])
            properties = {**endpoint["properties"], "members": [resource.name, source.name]}
            self._parts.store.delete(paths.parse(endpoint["id"]))
            self._parts.store.put(moved, VIRTUAL_ENDPOINT, {"properties": properties})
        for database in self._parts.store.list_by_type(DATABASE, below=source):
            there = resource.child("databases", database["name"])
            self._parts.store.put(there, DATABASE, {"properties": database["properties"]})
        role = postgresql_model.role_of(body["location"], self._parts.store.get(source)["location"])
        self._parts.store.update(
            source,
            lambda other: other["properties"].update(
                replicationRole=role, sourceServerResourceId=own
            ),
        )

    def _render(self, document: Json) -> Json:
        resource = paths.parse(document["id"])
        connections = private_endpoints.list_connections(self._parts, document["id"])
        running = self._parts.long_running.find_running(resource)
        is_source = any(
            self._parts.long_running.find_running(paths.parse(one["id"]))
            for one in self._replicas(resource)
        )
        found = postgresql_model.render(document, is_busy=running is not None or is_source)
        found["properties"]["privateEndpointConnections"] = connections
        return found

    def _replicas(self, server: paths.ResourceId) -> list[Json]:
        return [
            one
            for one in self._parts.store.list_by_type(SERVER)
            if str(one["properties"].get("sourceServerResourceId", "")).lower() == server.key
        ]

    def _check_idle(self, server: paths.ResourceId) -> None:
        """One operation at a time on a server, its databases, and the replicas it feeds."""
        found = self._parts.long_running.find_running(server)
        for replica in self._replicas(server):
            found = found or self._parts.long_running.find_running(paths.parse(replica["id"]))
        if found:
            raise _busy(server, f"An operation ({found.plan.verb} {found.plan.resource.name}) runs")

    def _complete_database(self, draft: Draft) -> Json:
        server = draft.resource.parent
        self._check_writable(server)
        if not re.fullmatch(r"[A-Za-z_][-A-Za-z0-9_]{0,62}", draft.resource.name):
            raise errors.bad_request(
                f"The database name '{draft.resource.name}' is invalid.",
                code="InvalidParameterValue",
            )
        return {"charset": "UTF8", "collation": "en_US.utf8", **draft.properties}

    def _check_writable(self, server: paths.ResourceId) -> None:
        self._check_idle(server)
        body = self._parts.store.get(server, SERVER)
        if body["properties"].get("sourceServerResourceId"):
            raise errors.bad_request(
                f"The operation is not allowed on server {server.name}, which is a read replica.",
                code="ReadReplicaOperationNotAllowed",
            )

    def _database_work(self, draft: Draft) -> collection.Work | None:
        backend = self._parts.backends.databases
        if backend is None:
            return None
        server = str(draft.resource.parent)
        return lambda: backend.create_database(server, draft.resource.name)

    def _complete_endpoint(self, draft: Draft) -> Json:
        server = draft.resource.parent
        self._check_writable(server)
        readers = [
            str(name)
            for name in draft.properties.get("members") or []
            if str(name).lower() != server.name.lower()
        ]
        replicas = {one["name"].lower() for one in self._replicas(server)}
        for name in readers:
            if name.lower() not in replicas:
                raise errors.bad_request(
                    f"Member '{name}' of virtual endpoint {draft.resource.name} is neither "
                    f"server {server.name} nor one of its replicas.",
                    code="VirtualEndpointInvalidMembers",
                )
        host = draft.resource.name.lower()
        suffix = "postgres.database.azure.com"
        hosts = [f"{host}.{role}.{suffix}" for role in ("writer", "reader")]
        return {
            "endpointType": "ReadWrite",
            **draft.properties,
            "members": [server.name, *readers],
            "virtualEndpoints": hosts,
        }

    def _endpoint_work(self, draft: Draft) -> collection.Work | None:
        backend = self._parts.backends.databases
        if backend is None:
            return None
        body = self._parts.store.get(draft.resource)["properties"]
        server = str(draft.resource.parent)
        readers = [str(one["id"]) for one in self._replicas(draft.resource.parent)
                   if one["name"] in body["members"]]  # fmt: skip
        writer, reader = body["virtualEndpoints"]

        async def point() -> None:
            await backend.point(writer, server)
            await backend.point(reader, readers[0] if readers else server)

        return point

    async def _tear_down(self, server: paths.ResourceId) -> None:
        """Replicas of a server that goes stand alone from then on."""
        for replica in self._replicas(server):
            self._parts.store.update(paths.parse(replica["id"]), _stand_alone)
        if self._parts.backends.databases:
            await self._parts.backends.databases.delete(str(server))


def _stand_alone(body: Json) -> None:
    body["properties"].pop("sourceServerResourceId", None)
    body["properties"]["replicationRole"] = "Primary"


def _busy(server: paths.ResourceId, why: str) -> errors.ArmError:
    return errors.ArmError(
        409,
        "ServerIsBusy",
        f"Cannot complete operation because server '{server.name}' is busy processing another "
        f"operation. {why}.",
    )

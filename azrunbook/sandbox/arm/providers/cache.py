"""Microsoft.Cache: Azure Managed Redis (redisEnterprise) and Azure Cache for Redis Premium (redis).

Managed: a cluster and its database; databases of one replication group link when the last joins.
Premium: two caches with a link, which neither can be deleted with. Clients of a write poll the
resource itself; other operations have URLs.
"""

import asyncio
from typing import Any

from azrunbook.sandbox.arm import backends, collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import cache_model, names, private_endpoints
from azrunbook.sandbox.arm.routing import GROUP, SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

NAMESPACE = "Microsoft.Cache"
MANAGED = "Microsoft.Cache/redisEnterprise"
DATABASE = "Microsoft.Cache/redisEnterprise/databases"
CACHE = "Microsoft.Cache/redis"
LINK = "Microsoft.Cache/redis/linkedServers"
API_VERSIONS = ("2024-10-01", "2025-04-01", "2025-05-01-preview", "2025-07-01")
CACHE_API_VERSIONS = ("2023-08-01", "2024-03-01", "2024-11-01")
_BASE = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
MANAGED_STYLE = operations.PollingStyle(
    status=f"{_BASE}/operationsStatus/{{operationId}}",
    result=f"{_BASE}/operationResults/{{operationId}}",
    on_put=(),
)
CACHE_STYLE = operations.PollingStyle(result=f"{_BASE}/asyncOperations/{{operationId}}", on_put=())
_DATABASE_PATH = f"{GROUP}/providers/{MANAGED}/{{cluster}}/databases/{{database}}"
_CACHE_PATH = f"{GROUP}/providers/{CACHE}/{{cache}}"


class Cache:
    """Handlers of both kinds."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        self._unlinked = asyncio.Event()
        parts.store.subscribe(self._note_unlinking)
        parts.teardowns[DATABASE.lower()] = self._tear_down
        parts.teardowns[MANAGED.lower()] = self._tear_down_cluster
        parts.teardowns[CACHE.lower()] = self._tear_down_cache

    def routes(self) -> list[Route]:
        managed: list[tuple[str, str, str, routing.Handler]] = [
            ("POST", f"{_DATABASE_PATH}/listKeys", "Databases_ListKeys", self.list_keys),
            ("POST", f"{_DATABASE_PATH}/regenerateKey", "Databases_RegenerateKey",
             self.regenerate_key),
            ("POST", f"{_DATABASE_PATH}/forceUnlink", "Databases_ForceUnlink", self.force_unlink),
            ("POST", f"{_DATABASE_PATH}/forceLinkToReplicationGroup",
             "Databases_ForceLinkToReplicationGroup", self.force_link),
            ("POST", f"{_DATABASE_PATH}/flush", "Databases_Flush", self.flush),
        ]  # fmt: skip
        premium: list[tuple[str, str, str, routing.Handler]] = [
            ("POST", f"{_CACHE_PATH}/listKeys", "Redis_ListKeys", self.list_cache_keys),
            ("POST", f"{SUBSCRIPTION}/providers/{NAMESPACE}/CheckNameAvailability",
             "Redis_CheckNameAvailability", self.check_name),
        ]  # fmt: skip
        polls = self._parts.long_running
        shared: list[tuple[str, str, str, routing.Handler]] = [
            ("GET", str(MANAGED_STYLE.status), "OperationsStatus_Get", polls.status_answer),
            ("GET", str(MANAGED_STYLE.result), "OperationResults_Get", polls.result_answer),
            ("GET", str(CACHE_STYLE.result), "AsyncOperationStatus_Get", polls.result_answer),
        ]
        every = (*API_VERSIONS, *CACHE_API_VERSIONS)
        return [
            *(r for kind in self._kinds()
              for r in collection.Collection(kind, self._parts).routes()),
            *(Route(*row, API_VERSIONS) for row in managed),
            *(Route(*row, CACHE_API_VERSIONS) for row in premium),
            *(Route(*row, every) for row in shared),
        ]  # fmt: skip

    def _kinds(self) -> tuple[Kind, ...]:
        managed: Json = {"api_versions": API_VERSIONS, "style": MANAGED_STYLE}
        premium: Json = {"api_versions": CACHE_API_VERSIONS, "style": CACHE_STYLE}
        return (
            Kind(type=MANAGED, operation_prefix="RedisEnterprise", complete=self._complete_managed,
                 tracked=True, render=self._render, **managed),
            Kind(type=DATABASE, operation_prefix="Databases", complete=self._complete_database,
                 stored=self._link_members, work=self._work, render=self._render_database,
                 finished=self._settle_links, **managed),
            Kind(type=CACHE, operation_prefix="Redis", complete=self._complete_cache, tracked=True,
                 check_delete=self._check_unlinked, work=self._work, render=self._render_cache,
                 **premium),
            Kind(type=LINK, operation_prefix="LinkedServer", complete=self._complete_link,
                 states=("Creating", "Updating"), work=self._work_of_link, **premium),
        )  # fmt: skip

    # Azure Managed Redis

    def _complete_managed(self, draft: Draft) -> Json:
        names.require_free(self._parts, MANAGED, draft.resource.name, draft.resource.key,
                           status=409, code="NameNotAvailable")  # fmt: skip
        return cache_model.complete_managed(draft)

    def _complete_database(self, draft: Draft) -> Json:
        cluster = self._parts.store.get(draft.resource.parent, MANAGED)
        if cluster["properties"]["provisioningState"] != "Succeeded":
            raise errors.ArmError(
                409, "ClusterNotReady", f"Cluster {cluster['name']} is not running yet."
            )
        properties = cache_model.complete_database(draft, cluster)
        for member in self._other_members(draft.resource, properties):
            self._check_member(draft, properties, cluster, member)
        return properties

    def _check_member(self, draft: Draft, own: Json, cluster: Json, member: Json) -> None:
        theirs = self._parts.store.get(paths.parse(member["id"]).parent, MANAGED)
        settings = ("clusteringPolicy", "evictionPolicy", "clientProtocol")
        group = member["properties"].get("geoReplication") or {}
        differs = [key for key in settings if own.get(key) != member["properties"].get(key)]
        if cluster["sku"]["name"] != theirs["sku"]["name"]:
            differs.append("sku")
        if group.get("groupNickname") != own["geoReplication"]["groupNickname"]:
            differs.append("geoReplication.groupNickname")
        if differs:
            raise errors.bad_request(
                f"Database {draft.resource} cannot be linked with {member['id']}: they differ in "
                f"{', '.join(differs)}.",
                code="LinkedDatabasesDiffer",
            )

    def _other_members(self, database: paths.ResourceId, properties: Json) -> list[Json]:
        linked = (properties.get("geoReplication") or {}).get("linkedDatabases") or []
        found = []
        for one in linked:
            if str(one["id"]).lower() == database.key:
                continue
            other = self._parts.store.find(paths.parse(str(one["id"])))
            if other is None:
                raise errors.bad_request(
                    f"The linked database {one['id']} was not found: expected the id of a "
                    f"{DATABASE}.",
                    code="LinkedDatabaseNotFound",
                )
            found.append(other)
        return found

    def _link_members(self, draft: Draft) -> None:
        """Every member shows every other; the states settle when the operation ends."""
        properties = self._parts.store.get(draft.resource)["properties"]
        members = [draft.resource]
        members += [paths.parse(o["id"]) for o in self._other_members(draft.resource, properties)]
        if len(members) > 1:
            self._set_links(members, "Linking")

    def _set_links(
        self,
        targets: list[paths.ResourceId],
        state: str,
        members: list[paths.ResourceId] | None = None,
    ) -> None:
        rows = [{"id": str(one), "state": state} for one in members or targets]

        def change(body: Json) -> None:
            body["properties"]["geoReplication"]["linkedDatabases"] = rows

        for one in targets:
            self._parts.store.update(one, change)

    def _settle_links(self, database: paths.ResourceId, body: Json) -> None:
        """Let every member, this one's document included, show that all are linked."""
        geo = body["properties"].get("geoReplication")
        if geo and any(one["state"] != "Linked" for one in geo["linkedDatabases"]):
            members = [paths.parse(one["id"]) for one in geo["linkedDatabases"]]
            self._set_links([one for one in members if one.key != database.key], "Linked", members)
            geo["linkedDatabases"] = [{"id": str(one), "state": "Linked"} for one in members]

    def force_unlink(self, call: Call) -> Answer:
        database = call.resource
        body = self._parts.store.get(database, DATABASE)
        gone = {str(id_).lower() for id_ in call.body.get("ids") or []}
        self._drop_members(database, gone)
        return self._begin(call, database, body, "forceUnlink")

    def _drop_members(self, database: paths.ResourceId, gone: set[str]) -> None:
        geo = self._parts.store.get(database)["properties"].get("geoReplication") or {}
        members = [paths.parse(one["id"]) for one in geo.get("linkedDatabases") or []]
        kept = [one for one in members if one.key not in gone]
        if len(kept) < len(members):
            self._set_links(kept, "Linked")
            for one in members:
                if one.key in gone:
                    self._set_links([one], "Linked")

    def force_link(self, call: Call) -> Answer:
        body = self._parts.store.get(call.resource, DATABASE)
        geo = call.body.get("geoReplication") or {}
        own = {**body["properties"], "geoReplication": geo}
        members = [call.resource]
        members += [paths.parse(o["id"]) for o in self._other_members(call.resource, own)]
        self._parts.store.update(
            call.resource,
            lambda doc: doc["properties"].update(
                geoReplication={"groupNickname": geo.get("groupNickname"), "linkedDatabases": []}
            ),
        )
        self._set_links(members, "Linked")
        return self._begin(call, call.resource, body, "forceLink")

    def flush(self, call: Call) -> Answer:
        body = self._parts.store.get(call.resource, DATABASE)
        backend = self._parts.backends.caches
        work = (lambda: backend.flush(body["id"])) if backend else None
        return self._begin(call, call.resource, body, "flush", work)

    def _begin(
        self, call: Call, target: paths.ResourceId, body: Json, verb: str,
        work: collection.Work | None = None,
    ) -> Answer:  # fmt: skip
        location = self._parts.store.get(target.parent)["location"]
        change = services.Change(
            resource=target,
            type=body["type"],
            verb=verb,
            state="Updating",
            style=MANAGED_STYLE,
            status=202,
            location=location,
            work=work or self._ensure(target),
        )
        return self._parts.begin_change(call, change)

    def list_keys(self, call: Call) -> Answer:
        properties = self._parts.store.get(call.resource, DATABASE)["properties"]
        if properties["accessKeysAuthentication"] != "Enabled":
            raise errors.bad_request(
                f"Access keys authentication is disabled on database {call.resource}.",
                code="AccessKeysAuthenticationDisabled",
            )
        first, second = properties["keys"]
        return Answer(200, {"primaryKey": first, "secondaryKey": second})

    def regenerate_key(self, call: Call) -> Answer:
        body = self._parts.store.get(call.resource, DATABASE)
        index = cache_model.find_key_index(call.body)

        def change(document: Json) -> None:
            document["properties"]["keys"][index] = cache_model.make_keys()[index]

        self._parts.store.update(call.resource, change)
        return self._begin(call, call.resource, body, "regenerateKey")

    # Azure Cache for Redis Premium

    def check_name(self, call: Call) -> Answer:
        name = str(call.body.get("name", ""))
        found = names.availability(self._parts, CACHE, name, cache_model.NAME)
        if not found["nameAvailable"]:
            raise errors.ArmError(409, "NameNotAvailable", found["message"])
        return Answer(200)

    def list_cache_keys(self, call: Call) -> Answer:
        first, second = self._parts.store.get(call.resource, CACHE)["properties"]["keys"]
        return Answer(200, {"primaryKey": first, "secondaryKey": second})

    def _complete_cache(self, draft: Draft) -> Json:
        names.require_free(self._parts, CACHE, draft.resource.name, draft.resource.key,
                           status=409, code="NameNotAvailable")  # fmt: skip
        properties = cache_model.complete_cache(draft)
        before = (draft.existing or {}).get("properties") or {}
        if before and before["sku"] != properties["sku"] and self._links_of(draft.resource):
            raise errors.bad_request(
                f"Cache {draft.resource.name} cannot be scaled while it is geo-replicated."
            )
        return properties

    def _complete_link(self, draft: Draft) -> Json:
        own = self._parts.store.get(draft.resource.parent, CACHE)
        target = paths.parse(str(draft.properties.get("linkedRedisCacheId")))
        other = self._parts.store.get(target, CACHE)
        if draft.existing is None and (self._links_of(draft.resource.parent)
                                       or self._links_of(target)):  # fmt: skip
            raise errors.bad_request("A cache can be linked with one other cache only.")
        for cache in (own, other):
            if cache["properties"]["sku"]["name"] != "Premium":
                raise errors.bad_request(f"Cache {cache['name']} is not Premium; linking needs it.")
            if cache["properties"]["provisioningState"] not in {"Succeeded", "Linking"}:
                raise errors.ArmError(
                    409, "Conflict", f"The cache {cache['name']} is busy: an operation is in "
                    "progress on it.",
                )  # fmt: skip
        host = f"{target.name}.geo.redis.cache.windows.net"
        return {
            **draft.properties,
            "primaryHostName": own["properties"]["hostName"],
            "geoReplicatedPrimaryHostName": host,
        }

    def _links_of(self, cache: paths.ResourceId) -> list[Json]:
        found = []
        for link in self._parts.store.list_by_type(LINK):
            pair = {paths.parse(link["id"]).parent.key,
                    str(link["properties"]["linkedRedisCacheId"]).lower()}  # fmt: skip
            if cache.key in pair:
                found.append(link)
        return found

    def _check_unlinked(self, cache: paths.ResourceId) -> None:
        if links := self._links_of(cache):
            raise errors.bad_request(
                f"Cache {cache.name} cannot be deleted while it is linked ({links[0]['id']}). "
                "Unlink it first.",
                code="LinkedCacheCannotBeDeleted",
            )

    # both

    def _work(self, draft: Draft) -> collection.Work | None:
        return self._ensure(draft.resource)

    def _work_of_link(self, draft: Draft) -> collection.Work | None:
        secondary = paths.parse(str(draft.properties["linkedRedisCacheId"]))
        return self._ensure(draft.resource.parent, secondary)

    def _ensure(self, *caches: paths.ResourceId) -> collection.Work | None:
        backend = self._parts.backends.caches
        if backend is None:
            return None

        async def ensure() -> None:
            for one in caches:
                await backend.ensure(self._request(one))

        return ensure

    def _request(self, cache: paths.ResourceId) -> backends.CacheRequest:
        body = self._parts.store.get(cache)
        if body["type"] == DATABASE:
            return cache_model.request_managed(body, self._parts.store.get(cache.parent))
        links = self._links_of(cache)
        linked = [str(paths.parse(link["id"]).parent) for link in links]
        linked += [str(link["properties"]["linkedRedisCacheId"]) for link in links]
        others = tuple(id_ for id_ in linked if id_.lower() != cache.key)
        is_secondary = any(
            str(link["properties"]["linkedRedisCacheId"]).lower() == cache.key for link in links
        )
        return cache_model.request_premium(body, others, is_writable=not is_secondary)

    async def _tear_down(self, cache: paths.ResourceId) -> None:
        body = self._parts.store.find(cache)
        if body and (geo := body["properties"].get("geoReplication")):
            for one in geo["linkedDatabases"]:
                other = paths.parse(one["id"])
                if other.key != cache.key and self._parts.store.find(other):
                    self._drop_members(other, {cache.key})
                    break
        if self._parts.backends.caches:
            await self._parts.backends.caches.delete(str(cache))

    def _note_unlinking(self, kind: str, _: str, type_: str) -> None:
        if kind == "delete" and type_ == LINK:
            self._unlinked.set()

    async def _tear_down_cache(self, cache: paths.ResourceId) -> None:
        """A linked cache does not go, so its group stays in Deleting until it is unlinked."""
        while self._links_of(cache):
            self._unlinked.clear()
            await self._unlinked.wait()
        await self._tear_down(cache)

    async def _tear_down_cluster(self, cluster: paths.ResourceId) -> None:
        for database in self._parts.store.list_by_type(DATABASE, below=cluster):
            await self._tear_down(paths.parse(database["id"]))

    def _render(self, document: Json) -> Json:
        connections = private_endpoints.list_connections(self._parts, document["id"])
        state = document["properties"]["provisioningState"]
        running = {"resourceState": "Running" if state == "Succeeded" else state}
        extra = {**running, "privateEndpointConnections": connections}
        return {**document, "properties": {**document["properties"], **extra}}

    def _render_database(self, document: Json) -> Json:
        resource = paths.parse(document["id"])
        found = cache_model.without_keys(document)
        state = document["properties"]["provisioningState"]
        found["properties"]["resourceState"] = "Running" if state == "Succeeded" else state
        return {**found, "name": f"{resource.parent.name}/{resource.name}"}

    def _render_cache(self, document: Json) -> Json:
        resource = paths.parse(document["id"])
        found = cache_model.without_keys(document)
        properties = found["properties"]
        if document["properties"]["provisioningState"] == "Creating":
            first, second = document["properties"]["keys"]
            properties["accessKeys"] = {"primaryKey": first, "secondaryKey": second}
        properties["linkedServers"] = [{"id": link["id"]} for link in self._links_of(resource)]
        properties["privateEndpointConnections"] = private_endpoints.list_connections(
            self._parts, document["id"]
        )
        return found

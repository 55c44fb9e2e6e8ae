"""Microsoft.ContainerService/managedClusters: create, update, stop, start, abort, credentials.

A cluster's operation is done when its time has passed and the backend has made it so.
"""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from azrunbook.sandbox.arm import collection, errors, locations, paths, routing, services
from azrunbook.sandbox.arm.providers import cluster_model, kubernetes_versions, pool_model
from azrunbook.sandbox.arm.providers.clusters import (
    API_VERSIONS,
    CLUSTER,
    LOCATION,
    POOL,
    STYLE,
    Clusters,
    Pools,
)
from azrunbook.sandbox.arm.routing import GROUP, SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

ONE = f"{GROUP}/providers/{CLUSTER}/{{managedClustersName}}"


class ContainerService:
    """Handlers of managed clusters."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        self._clusters = Clusters(parts)
        parts.teardowns[CLUSTER.lower()] = lambda id_: parts.backends.clusters.delete(
            parts.store.get(id_)["id"]
        )

    def routes(self) -> list[Route]:
        polls = self._parts.long_running
        table: list[tuple[str, str, str, routing.Handler]] = [
            ("GET", ONE, "Get", self.get),
            ("PUT", ONE, "CreateOrUpdate", self.put),
            ("PATCH", ONE, "UpdateTags", self.patch_tags),
            ("DELETE", ONE, "Delete", self.delete),
            ("GET", f"{GROUP}/providers/{CLUSTER}", "ListByResourceGroup", self.list),
            ("GET", f"{SUBSCRIPTION}/providers/{CLUSTER}", "List", self.list),
            ("POST", f"{ONE}/stop", "Stop", self.stop),
            ("POST", f"{ONE}/start", "Start", self.start),
            ("POST", f"{ONE}/abort", "AbortLatestOperation", self.abort),
            ("POST", f"{ONE}/listClusterUserCredential", "ListClusterUserCredentials", self.user),
            (
                "POST",
                f"{ONE}/listClusterAdminCredential",
                "ListClusterAdminCredentials",
                self.admin,
            ),
            ("GET", f"{ONE}/upgradeProfiles/default", "GetUpgradeProfile", self.upgrade_profile),
            ("GET", f"{LOCATION}/kubernetesVersions", "ListKubernetesVersions", self.versions),
        ]
        return [
            *(Route(m, t, f"ManagedClusters_{name}", h, API_VERSIONS) for m, t, name, h in table),
            Route("GET", str(STYLE.status), "Operations_Get", polls.status_answer, API_VERSIONS),
            Route(
                "GET", str(STYLE.result), "OperationResults_Get", polls.result_answer, API_VERSIONS
            ),
        ]

    def get(self, call: Call) -> Answer:
        body = self._clusters.render(call.resource)
        return Answer(200, body, {"ETag": f'"{body["eTag"]}"'})

    def list(self, call: Call) -> Answer:
        if call.resource.group:
            self._parts.store.get(call.resource.scope)
        found = self._parts.store.list_by_type(CLUSTER, below=call.resource.scope)
        values = [self._clusters.render(paths.parse(body["id"])) for body in found]
        return Answer(200, {"value": values})

    def put(self, call: Call) -> Answer:
        cluster, parts = call.resource, self._parts
        group = parts.require_group(cluster)
        parts.check_etag(call)
        existing = parts.store.find(cluster)
        self._clusters.check_idle(cluster)
        if existing:
            self._clusters.check_running(cluster, existing)
        sent = self._locate(call, existing, group)
        config = parts.settings
        body = cluster_model.complete(cluster, sent, existing, tenant=config.tenant_id)
        body |= {"location": sent["location"], "tags": sent.get("tags") or {}}
        pools = self._complete_pools(cluster, sent, body)
        self._clusters.check_subnets(pools)
        self._clusters.check_identities(cluster, body)
        self._clusters.check_quota(cluster, sent["location"], pools)
        self._store(cluster, body, pools, state="Updating" if existing else "Creating")
        verb, status = ("update", 200) if existing else ("create", 201)
        return self._begin(call, verb, status, lambda: self._clusters.ensure(cluster))

    def patch_tags(self, call: Call) -> Answer:
        body = self._clusters.get(call.resource)
        self._parts.require_group(call.resource)
        self._parts.check_etag(call)
        self._clusters.check_idle(call.resource)
        self._clusters.check_running(call.resource, body)
        body["tags"] = call.body.get("tags") or {}
        self._parts.store.put(call.resource, CLUSTER, body)
        return self._begin(call, "update", 200, lambda: self._clusters.ensure(call.resource))

    def delete(self, call: Call) -> Answer:
        self._parts.check_etag(call)
        running = self._parts.long_running.find_running(call.resource)
        if running is None or running.plan.verb != "delete":
            self._clusters.check_idle(call.resource)
        return self._parts.begin_delete(call, call.resource, STYLE)

    def stop(self, call: Call) -> Answer:
        return self._switch(call, "Stopped")

    def start(self, call: Call) -> Answer:
        return self._switch(call, "Running")

    def abort(self, call: Call) -> Answer:
        self._clusters.get(call.resource)
        return begin_abort(self._parts, call)

    def user(self, call: Call) -> Answer:
        return self._credential(call, "clusterUser")

    def admin(self, call: Call) -> Answer:
        if self._clusters.get(call.resource)["properties"]["disableLocalAccounts"]:
            raise errors.AksError(
                400,
                "BadRequest",
                "Getting static credential is not allowed because this cluster is set to disable "
                "local accounts.",
            )
        return self._credential(call, "clusterAdmin")

    def versions(self, call: Call) -> Answer:
        locations.check(call.parameters["location"], call.resource)
        return Answer(200, kubernetes_versions.list_versions())

    def upgrade_profile(self, call: Call) -> Answer:
        cluster = call.resource.parent
        body = self._clusters.get(cluster)
        pools = self._clusters.pools(cluster)
        version = kubernetes_versions.resolve(body["properties"]["kubernetesVersion"])
        profiles = [
            _profile(name, kubernetes_versions.resolve(pool["orchestratorVersion"]), pool["osType"])
            for name, pool in pools.items()
        ]
        return Answer(
            200,
            {
                "id": f"{body['id']}/upgradeprofiles/default",
                "name": "default",
                "type": f"{CLUSTER}/upgradeprofiles",
                "properties": {
                    "controlPlaneProfile": _profile("master", version, "Linux"),
                    "agentPoolProfiles": profiles,
                },
            },
        )

    def _locate(self, call: Call, existing: Json | None, group: Json) -> Json:
        wanted = locations.check(str(call.body.get("location") or group["location"]), call.resource)
        draft = collection.Draft(call.resource, call.body, existing)
        collection.check_same_location(draft, wanted)
        return {**call.body, "location": wanted}

    def _complete_pools(self, cluster: paths.ResourceId, sent: Json, body: Json) -> Pools:
        """Return all pools the cluster will have: those sent over those there are."""
        pools = self._clusters.pools(cluster)
        version = str(body["properties"]["kubernetesVersion"])
        for profile in (sent.get("properties") or {}).get("agentPoolProfiles") or []:
            name = str(profile.get("name", ""))
            pools[name] = pool_model.complete(
                name, profile, pools.get(name), cluster_version=version
            )
        if not any(pool["mode"] == "System" for pool in pools.values()):
            raise errors.AksError(
                400,
                "InvalidParameter",
                f"Managed cluster {cluster.name} needs at least one agent pool of mode System.",
                target="agentPoolProfiles",
            )
        return pools

    def _store(self, cluster: paths.ResourceId, body: Json, pools: Pools, *, state: str) -> None:
        body["properties"]["provisioningState"] = state
        self._parts.store.put(cluster, CLUSTER, body)
        for name, pool in pools.items():
            document = {"properties": {**pool, "provisioningState": state}}
            self._parts.store.put(cluster.child("agentPools", name), POOL, document)

    def _begin(
        self, call: Call, verb: str, status: int, work: Callable[[], Awaitable[None]]
    ) -> Answer:
        cluster = call.resource
        running = {"create": "Creating", "update": "Updating"}[verb]
        change = services.Change(
            resource=cluster,
            type=CLUSTER,
            verb=verb,
            state=running,
            style=STYLE,
            status=status,
            location=self._clusters.get(cluster)["location"],
            render=self._clusters.render,
            work=work,
            finished=lambda body: self._finish(cluster, body),
            ended=lambda state: self._set_pool_states(cluster, state),
        )
        return self._parts.begin_change(call, change)

    def _finish(self, cluster: paths.ResourceId, body: Json) -> None:
        cluster_model.finish(cluster, body, self._parts.settings.tenant_id)
        for name in self._clusters.pools(cluster):
            self._parts.store.update(
                cluster.child("agentPools", name),
                lambda pool: pool_model.finish(pool["properties"]),
            )

    def _set_pool_states(self, cluster: paths.ResourceId, state: str) -> None:
        for name in self._clusters.pools(cluster):
            self._parts.store.update(
                cluster.child("agentPools", name),
                lambda pool: pool["properties"].update(provisioningState=state),
            )

    def _switch(self, call: Call, power: str) -> Answer:
        """Stop or start; doing what is done already answers 204."""
        cluster = call.resource
        body = self._clusters.get(cluster)
        self._clusters.check_idle(cluster)
        if body["properties"].get("powerState", {}).get("code") == power:
            return Answer(204)
        verb, state = ("stop", "Stopping") if power == "Stopped" else ("start", "Starting")
        backend = self._parts.backends.clusters
        action = backend.stop if verb == "stop" else backend.start
        if verb == "start":
            pools = self._clusters.pools(cluster)
            self._clusters.check_quota(cluster, body["location"], pools)

        def finished(document: Json) -> None:
            document["properties"]["powerState"] = {"code": power}
            self._set_pool_power(cluster, power)

        change = services.Change(
            resource=cluster,
            type=CLUSTER,
            verb=verb,
            state=state,
            style=STYLE,
            status=202,
            location=body["location"],
            work=lambda: action(body["id"]),
            finished=finished,
        )
        return self._parts.begin_change(call, change)

    def _set_pool_power(self, cluster: paths.ResourceId, power: str) -> None:
        for name in self._clusters.pools(cluster):
            self._parts.store.update(
                cluster.child("agentPools", name),
                lambda pool: pool["properties"].update(powerState={"code": power}),
            )

    def _credential(self, call: Call, user: str) -> Answer:
        body = self._clusters.get(call.resource)
        if "currentKubernetesVersion" not in body["properties"]:
            raise errors.AksError(
                409,
                "OperationNotAllowed",
                f"Managed cluster {call.resource.name} is not ready yet (provisioningState "
                f"{body['properties']['provisioningState']}); it has no credentials.",
            )
        text = self._parts.backends.clusters.kubeconfig(body["id"], user)
        value = base64.b64encode(text.encode()).decode()
        return Answer(200, {"kubeconfigs": [{"name": user, "value": value}]})


def begin_abort(parts: services.Services, call: Call) -> Answer:
    """Cancel the operation that runs on a cluster or pool.

    Raises:
        errors.AksError: 409, nothing runs (any more), as Azure answers.
    """
    running = parts.long_running.find_running(call.resource)
    if running is None:
        raise errors.AksError(
            409,
            "OperationNotAllowed",
            f"There is no operation in progress on {call.resource.name} that could be aborted.",
        )
    target = running.plan.resource
    change = services.Change(
        resource=target,
        type=running.plan.type,
        verb="abort",
        state="Canceling",
        style=STYLE,
        status=202,
        location=running.plan.location,
        work=lambda: parts.long_running.abort(running),
        result_state="Canceled",
    )
    return parts.begin_change(call, change)


def _profile(name: str, version: str, system: str) -> Json:
    upgrades = kubernetes_versions.list_upgrades(version)
    return {
        "name": name,
        "kubernetesVersion": version,
        "osType": system,
        "upgrades": [{"kubernetesVersion": to, "isPreview": False} for to in upgrades],
    }

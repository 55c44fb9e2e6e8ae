"""Microsoft.ContainerService/managedClusters/agentPools: create, scale, delete, abort.

Scaling is a PUT of the whole pool with another count; there is no PATCH.
"""

from typing import Any

from azrunbook.sandbox.arm import errors, paths, routing, services
from azrunbook.sandbox.arm.providers import container_service, kubernetes_versions, pool_model
from azrunbook.sandbox.arm.providers.clusters import API_VERSIONS, POOL, STYLE, Clusters
from azrunbook.sandbox.arm.routing import Answer, Call, Route

Json = dict[str, Any]

MANY = f"{container_service.ONE}/agentPools"
ONE = f"{MANY}/{{agentPoolsName}}"


class AgentPools:
    """Handlers of node pools."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        self._clusters = Clusters(parts)
        parts.teardowns[POOL.lower()] = lambda pool: self._clusters.ensure(pool.parent)

    def routes(self) -> list[Route]:
        table: list[tuple[str, str, str, routing.Handler]] = [
            ("GET", ONE, "Get", self.get),
            ("GET", MANY, "List", self.list),
            ("PUT", ONE, "CreateOrUpdate", self.put),
            ("DELETE", ONE, "Delete", self.delete),
            ("POST", f"{ONE}/abort", "AbortLatestOperation", self.abort),
            ("GET", f"{ONE}/upgradeProfiles/default", "GetUpgradeProfile", self.upgrade_profile),
        ]
        return [Route(m, t, f"AgentPools_{name}", h, API_VERSIONS) for m, t, name, h in table]

    def get(self, call: Call) -> Answer:
        self._clusters.get(call.resource.parent)
        body = self._clusters.render_pool(call.resource)
        return Answer(200, body, {"ETag": f'"{body["properties"]["eTag"]}"'})

    def list(self, call: Call) -> Answer:
        self._clusters.get(call.resource)
        names = self._clusters.pools(call.resource)
        values = [self._clusters.render_pool(call.resource.child("agentPools", n)) for n in names]
        return Answer(200, {"value": values})

    def put(self, call: Call) -> Answer:
        pool, cluster, parts = call.resource, call.resource.parent, self._parts
        parts.require_group(pool)
        body = self._clusters.get(cluster)
        self._clusters.check_idle(cluster, pool)
        self._clusters.check_running(cluster, body)
        parts.check_etag(call)
        pools = self._clusters.pools(cluster)
        existing = parts.store.find(pool)
        wanted = pool_model.complete(
            pool.name,
            call.body.get("properties") or {},
            existing and existing["properties"],
            cluster_version=body["properties"]["kubernetesVersion"],
        )
        pools[existing["name"] if existing else pool.name] = wanted
        _check_system_left(cluster, pools)
        self._clusters.check_subnets(pools)
        self._clusters.check_quota(cluster, body["location"], pools)
        parts.store.put(pool, POOL, {"properties": wanted})
        return parts.begin_change(call, self._change(pool, body["location"], existing, wanted))

    def delete(self, call: Call) -> Answer:
        pool, cluster = call.resource, call.resource.parent
        body = self._clusters.get(cluster)
        if self._parts.store.find(pool) is None:
            return Answer(204)
        self._clusters.check_idle(cluster, pool)
        self._clusters.check_running(cluster, body)
        self._parts.check_etag(call)
        left = {
            name: properties
            for name, properties in self._clusters.pools(cluster).items()
            if name.lower() != pool.name.lower() and properties["provisioningState"] != "Deleting"
        }
        _check_system_left(cluster, left)
        return self._parts.begin_delete(call, pool, STYLE)

    def abort(self, call: Call) -> Answer:
        self._clusters.render_pool(call.resource)
        return container_service.begin_abort(self._parts, call)

    def upgrade_profile(self, call: Call) -> Answer:
        pool = self._clusters.render_pool(call.resource.parent)["properties"]
        cluster = self._clusters.get(call.resource.parent.parent)["properties"]
        version = kubernetes_versions.resolve(pool["orchestratorVersion"])
        target = kubernetes_versions.resolve(cluster["kubernetesVersion"])
        return Answer(
            200,
            {
                "id": str(call.resource),
                "name": "default",
                "type": f"{POOL}/upgradeProfiles",
                "properties": {
                    "kubernetesVersion": version,
                    "osType": pool["osType"],
                    "latestNodeImageVersion": pool.get("nodeImageVersion"),
                    "upgrades": [{"kubernetesVersion": target}] if target != version else [],
                },
            },
        )

    def _change(
        self, pool: paths.ResourceId, location: str, existing: Json | None, wanted: Json
    ) -> services.Change:
        is_scaling = existing is not None and existing["properties"]["count"] != wanted["count"]
        state = "Scaling" if is_scaling else "Updating" if existing else "Creating"
        return services.Change(
            resource=pool,
            type=POOL,
            verb="update" if existing else "create",
            state=state,
            style=STYLE,
            status=200 if existing else 201,
            location=location,
            render=self._clusters.render_pool,
            work=lambda: self._clusters.ensure(pool.parent),
            finished=lambda body: pool_model.finish(body["properties"]),
        )


def _check_system_left(cluster: paths.ResourceId, pools: dict[str, Json]) -> None:
    if not any(pool["mode"] == "System" for pool in pools.values()):
        raise errors.AksError(
            400,
            "OperationNotAllowed",
            f"There has to be at least one system agent pool in managed cluster {cluster.name}.",
            target="agentPoolProfile.mode",
        )

"""What managed clusters and their node pools share: documents, guards, quota, backend requests.

One operation at a time on a cluster and on each of its pools: pools change side by side, as
Terraform deletes them, but not while their cluster does. A stopped cluster only starts or goes.
"""

from typing import Any

from azrunbook.sandbox.arm import backends, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.providers import kubernetes_versions, pool_model

Json = dict[str, Any]

NAMESPACE = "Microsoft.ContainerService"
CLUSTER = "Microsoft.ContainerService/managedClusters"
POOL = "Microsoft.ContainerService/managedClusters/agentPools"
API_VERSIONS = (
    "2024-09-01",
    "2025-01-01",
    "2025-02-01",
    "2025-03-01",
    "2025-04-01",
    "2025-05-01",
    "2025-06-01",
    "2025-07-01",
    "2025-08-01",
    "2025-09-01",
    "2025-10-01",
    "2026-01-01",
    "2026-03-01",
    "2026-05-01",
    "2026-08-01",
)
LOCATION = f"{routing.SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
STYLE = operations.PollingStyle(
    status=f"{LOCATION}/operations/{{operationId}}",
    result=f"{LOCATION}/operationresults/{{operationId}}",
)
Pools = dict[str, Json]
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
_IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"


class Clusters:
    """Reads clusters out of the store and guards writes to them."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def get(self, cluster: paths.ResourceId) -> Json:
        """Return the cluster's document without its pools.

        Raises:
            errors.ArmError: 404.
        """
        return self._parts.store.get(cluster, CLUSTER)

    def pools(self, cluster: paths.ResourceId) -> Pools:
        """Return the properties of the cluster's pools by name, in order of creation."""
        found = self._parts.store.list_by_type(POOL, below=cluster)
        return {document["name"]: document["properties"] for document in found}

    def render(self, cluster: paths.ResourceId) -> Json:
        """Return the document a client sees, with agentPoolProfiles and eTag."""
        body = self.get(cluster)
        body["properties"]["agentPoolProfiles"] = [
            {
                "name": name,
                "eTag": self._parts.store.etag(cluster.child("agentPools", name)),
                **pool,
            }
            for name, pool in self.pools(cluster).items()
        ]
        return {**body, "eTag": self._parts.store.etag(cluster)}

    def render_pool(self, pool: paths.ResourceId) -> Json:
        """Return a pool as a client sees it."""
        body = self._parts.store.get(pool, POOL)
        body["properties"]["eTag"] = self._parts.store.etag(pool)
        return body

    def check_idle(self, cluster: paths.ResourceId, pool: paths.ResourceId | None = None) -> None:
        """Refuse a write while another operation on the cluster runs.

        Args:
            cluster: what is written, if no pool is; it waits for all of its pools.
            pool: what is written; it does not wait for other pools.

        Raises:
            errors.AksError: 409 OperationNotAllowed, naming the operation and its start.
        """
        for running in self._parts.long_running.list_running(cluster):
            plan = running.plan
            if pool and plan.resource.key not in {cluster.key, pool.key}:
                continue
            kind = "managed cluster" if plan.type == CLUSTER else f"agent pool {plan.resource.name}"
            raise errors.AksError(
                409,
                "OperationNotAllowed",
                f"Operation is not allowed because there's an in progress {plan.verb} {kind} "
                f"operation (operation ID: {running.id}) on the managed cluster started on "
                f"{running.started_at:%Y-%m-%d %H:%M:%S} UTC. Please wait for it to finish before "
                "starting a new operation. See https://aka.ms/aks-pending-operation for more "
                "details",
            )

    def check_running(self, cluster: paths.ResourceId, body: Json) -> None:
        """Refuse a write to a stopped cluster.

        Raises:
            errors.AksError: 409 OperationNotAllowed.
        """
        if (body["properties"].get("powerState") or {}).get("code") == "Stopped":
            raise errors.AksError(
                409,
                "OperationNotAllowed",
                f"Operation is not allowed: managed cluster {cluster.name} is stopped. Only start "
                "and delete are allowed on a stopped cluster.",
            )

    def check_subnets(self, pools: Pools) -> None:
        """Refuse pools in a subnet that does not exist.

        Raises:
            errors.AksError: 400.
        """
        for name, pool in pools.items():
            if not (text := pool.get("vnetSubnetID")):
                continue
            try:
                subnet = self._parts.store.find(paths.parse(str(text)))
            except paths.InvalidIdError:
                subnet = None
            if subnet is None:
                raise errors.AksError(
                    400,
                    "InvalidParameter",
                    f"The subnet of agent pool {name} was not found: {text}. Expected the id of "
                    "an existing Microsoft.Network/virtualNetworks/subnets.",
                    target="agentPoolProfile.vnetSubnetID",
                )

    def check_identities(self, cluster: paths.ResourceId, body: Json) -> None:
        """Refuse identities that do not exist or may not be used, and show their ids.

        Raises:
            errors.AksError: 400.
        """
        own = body.get("identity") or {}
        assigned = own.get("userAssignedIdentities") or {}
        principals = []
        for text in assigned:
            found = self._parts.store.find(paths.parse(text))
            if found is None:
                raise errors.AksError(
                    400,
                    "InvalidIdentity",
                    f"The identity {text} of managed cluster {cluster.name} was not found.",
                    target="identity",
                )
            principals.append(found["properties"]["principalId"])
            ids = {key: found["properties"][key] for key in ("principalId", "clientId")}
            assigned[text] = ids
        kubelet = (body["properties"].get("identityProfile") or {}).get("kubeletidentity") or {}
        wanted = str(kubelet.get("resourceId", ""))
        if wanted and not wanted.partition("/resourceGroups/")[2].startswith("MC_"):
            self._check_kubelet(cluster, wanted, principals)

    def _check_kubelet(self, cluster: paths.ResourceId, wanted: str, principals: list[str]) -> None:
        if not principals:
            raise errors.AksError(
                400,
                "CustomKubeletIdentityOnlySupportedOnUserAssignedMSICluster",
                f"A kubelet identity of one's own on {cluster.name} needs a user-assigned "
                "identity of the control plane.",
                target="identityProfile.kubeletidentity",
            )
        for one in self._parts.store.list_by_type(_ASSIGNMENT):
            has = one["properties"]
            if (
                has["scope"].lower() == wanted.lower()
                and has["principalId"] in principals
                and has["roleDefinitionId"].endswith(_IDENTITY_OPERATOR)
            ):
                return
        raise errors.AksError(
            400,
            "CustomKubeletIdentityMissingPermissionError",
            "The cluster using user-assigned managed identity must be granted 'Managed Identity "
            f"Operator' role to assign kubelet identity {wanted}. For more information please "
            "visit https://aka.ms/aks/managed-identity",
            target="identityProfile.kubeletidentity",
        )

    def check_quota(self, cluster: paths.ResourceId, location: str, pools: Pools) -> None:
        """Refuse more vCPUs of a family than the region's quota leaves.

        Args:
            cluster: whose pools these are; its present use does not count.
            location: the region.
            pools: all pools the cluster would have.

        Raises:
            errors.AksError: 400 ErrCode_InsufficientVCPUQuota.
        """
        used = self.count_cores(location, without=cluster)
        present = pool_model.count_cores(self.pools(cluster).items())
        for family, wanted in pool_model.count_cores(pools.items()).items():
            remaining = self.quota(location, family) - used.get(family, 0)
            if wanted > max(remaining, present.get(family, 0)):
                raise errors.AksError(
                    400,
                    "ErrCode_InsufficientVCPUQuota",
                    f"Insufficient vcpu quota requested {wanted - present.get(family, 0)}, "
                    f"remaining {max(0, remaining - present.get(family, 0))} for family {family} "
                    f"for region {location}. If you want to increase the quota, please follow "
                    "https://aka.ms/aks/quota",
                )

    def quota(self, location: str, family: str) -> int:
        config = self._parts.settings
        return config.core_quotas.get((location, family.lower()), config.core_quota)

    def count_cores(
        self, location: str, *, without: paths.ResourceId | None = None
    ) -> dict[str, int]:
        """Return the vCPUs in use by family; a stopped cluster uses none."""
        total: dict[str, int] = {}
        for body in self._parts.store.list_by_type(CLUSTER):
            cluster = paths.parse(body["id"])
            is_stopped = (body["properties"].get("powerState") or {}).get("code") == "Stopped"
            is_left_out = without is not None and cluster.key == without.key
            if body["location"] != location or is_stopped or is_left_out:
                continue
            for family, cores in pool_model.count_cores(self.pools(cluster).items()).items():
                total[family] = total.get(family, 0) + cores
        return total

    def request(self, cluster: paths.ResourceId) -> backends.ClusterRequest:
        """Return what the backend is asked for: the cluster as it now stands in the store.

        Pools that are being deleted are left out.
        """
        body = self.get(cluster)
        return backends.ClusterRequest(
            id=body["id"],
            name=body["name"],
            location=body["location"],
            kubernetes_version=kubernetes_versions.resolve(body["properties"]["kubernetesVersion"]),
            tags=dict(body.get("tags") or {}),
            pools=tuple(
                pool_model.request(name, pool)
                for name, pool in self.pools(cluster).items()
                if pool["provisioningState"] != "Deleting"
            ),
        )

    async def ensure(self, cluster: paths.ResourceId) -> None:
        """Have the backend make the cluster as it now stands in the store."""
        await self._parts.backends.clusters.ensure(self.request(cluster))

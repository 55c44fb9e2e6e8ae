"""Managed clusters through the typed AKS client: read, create, delete, start, stop, credentials.

Sends requests to one resource manager. No poller is dropped: what changes a cluster waits for the
end of the operation. AKS runs one operation at a time on a cluster and on each of its pools, so a
request that meets another one waits its turn instead of failing.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.polling import LROPoller
from azure.mgmt.containerservice import ContainerServiceClient

from azrunbook import errors, operations

PATIENCE_SECONDS = 1800.0
_CONNECT_SECONDS = 10
_READ_SECONDS = 60


@dataclass(frozen=True)
class ManagedCluster:
    """A cluster as Azure has it.

    Attributes:
        power: ``Running`` or ``Stopped``.
        provisioning_state: ``Succeeded``, ``Failed``, ``Creating``, ``Stopping`` and the like.
        version: the Kubernetes version that runs, with its patch.
        body: the whole answer, camelCase.
    """

    name: str
    location: str
    power: str
    provisioning_state: str
    version: str
    body: Mapping[str, Any] = field(repr=False)

    @property
    def is_stopped(self) -> bool:
        """Whether it is there and cannot be asked what it holds, as after a failover."""
        return self.power == "Stopped"


@dataclass(frozen=True)
class KubernetesVersion:
    """A minor version that a location offers, and under which support plans."""

    version: str
    support_plans: tuple[str, ...]
    patches: tuple[str, ...]
    is_preview: bool


@dataclass(frozen=True)
class NodePool:
    """A node pool as Azure has it; ``is_autoscaled``: the cluster autoscaler owns its count."""

    name: str
    count: int
    vm_size: str
    is_autoscaled: bool
    body: Mapping[str, Any] = field(repr=False)


class ManagedClusters:
    """The managed clusters of one subscription; arguments as :class:`azrunbook.arm.ArmClient`."""

    def __init__(
        self,
        credential: TokenCredential,
        base_url: str,
        *,
        subscription_id: str,
        ca_bundle: Path | None,
        polling_interval_seconds: float,
    ) -> None:
        self._polling_interval = polling_interval_seconds
        self._client = ContainerServiceClient(
            credential,
            subscription_id,
            base_url=base_url,
            credential_scopes=[f"{base_url}/.default"],
            connection_verify=str(ca_bundle) if ca_bundle else True,
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            polling_interval=polling_interval_seconds,
        )

    def close(self) -> None:
        self._client.close()

    def get(self, resource_group: str, name: str) -> ManagedCluster:
        """Read a cluster.

        Raises:
            NotFoundError: it does not exist.
        """
        with operations.Explained(f"read cluster {name} in {resource_group}"):
            return _describe(self._client.managed_clusters.get(resource_group, name).as_dict())

    def find(self, resource_group: str, name: str) -> ManagedCluster | None:
        try:
            return self.get(resource_group, name)
        except errors.NotFoundError:
            return None

    def list_kubernetes_versions(self, location: str) -> tuple[KubernetesVersion, ...]:
        """List the minor versions that AKS offers in a location, newest first."""
        with operations.Explained(f"list Kubernetes versions of {location}"):
            found = self._client.managed_clusters.list_kubernetes_versions(location).as_dict()
        versions = [_describe_version(one) for one in found.get("values", ())]
        return tuple(sorted(versions, key=lambda one: _as_numbers(one.version), reverse=True))

    def get_credentials(self, resource_group: str, name: str) -> str:
        """Fetch the user kubeconfig of a cluster: YAML with a client key, so a secret.

        Raises:
            NotFoundError: no such cluster, or Azure hands out no kubeconfig for it.
        """
        with operations.Explained(f"fetch credentials of cluster {name}"):
            answer = self._client.managed_clusters.list_cluster_user_credentials(
                resource_group, name
            )
        for found in answer.kubeconfigs or ():
            if found.value:
                return bytes(found.value).decode()
        raise errors.NotFoundError(
            f"cluster {name} in {resource_group} has no user credentials: expected a kubeconfig. "
            "Check that local accounts are enabled and that you may list them."
        )

    def begin_create_or_update(
        self,
        resource_group: str,
        name: str,
        body: Mapping[str, Any],
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[Any]:
        """Start creating or updating a cluster from an ARM body with its agentPoolProfiles."""
        return self._begin(
            functools.partial(
                self._client.managed_clusters.begin_create_or_update,
                resource_group,
                name,
                dict(body),
            ),
            f"put cluster {name} in {resource_group}",
            patience,
            progress,
        )

    def begin_delete(
        self,
        resource_group: str,
        name: str,
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[None]:
        """Start deleting a cluster; one that is gone already is as good."""
        return self._begin_on("delete", resource_group, name, patience, progress)

    def begin_start(
        self,
        resource_group: str,
        name: str,
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[None]:
        return self._begin_on("start", resource_group, name, patience, progress)

    def begin_stop(
        self,
        resource_group: str,
        name: str,
        *,
        patience: float = PATIENCE_SECONDS,
        progress: operations.Tell | None = None,
    ) -> LROPoller[None]:
        """Start stopping a cluster: control plane and nodes go, its state stays."""
        return self._begin_on("stop", resource_group, name, patience, progress)

    def start(
        self,
        resource_group: str,
        name: str,
        *,
        timeout: float,
        progress: operations.Tell | None = None,
    ) -> None:
        """Start a stopped cluster and wait for it; ``timeout`` in seconds."""
        poller = self.begin_start(resource_group, name, patience=timeout, progress=progress)
        self.wait(poller, what=f"start cluster {name}", timeout=timeout, progress=progress)

    def stop(
        self,
        resource_group: str,
        name: str,
        *,
        timeout: float,
        progress: operations.Tell | None = None,
    ) -> None:
        """Stop a cluster and wait until it is; ``timeout`` in seconds."""
        poller = self.begin_stop(resource_group, name, patience=timeout, progress=progress)
        self.wait(poller, what=f"stop cluster {name}", timeout=timeout, progress=progress)

    def get_pool(self, resource_group: str, cluster: str, pool: str) -> NodePool:
        """Read a node pool.

        Raises:
            NotFoundError: it does not exist.
        """
        with operations.Explained(f"read node pool {pool} of {cluster}"):
            found = self._client.agent_pools.get(resource_group, cluster, pool).as_dict()
        properties = found.get("properties") or {}
        return NodePool(
            name=found["name"],
            count=properties["count"],
            vm_size=properties["vmSize"],
            is_autoscaled=bool(properties.get("enableAutoScaling")),
            body=found,
        )

    def scale_pool(
        self,
        resource_group: str,
        cluster: str,
        pool: str,
        count: int,
        *,
        timeout: float,
        progress: operations.Tell | None = None,
    ) -> None:
        """Give a node pool so many nodes and wait until Azure has; ``timeout`` in seconds.

        All else that the pool is stays as Azure has it.
        """
        found = self.get_pool(resource_group, cluster, pool)
        if found.count == count:
            return
        properties = {**found.body["properties"], "count": count}
        what = f"scale node pool {pool} of {cluster} to {count}"
        poller = self._begin(
            functools.partial(
                self._client.agent_pools.begin_create_or_update,
                resource_group,
                cluster,
                pool,
                {"properties": properties},
            ),
            what,
            timeout,
            progress,
        )
        self.wait(poller, what=what, timeout=timeout, progress=progress)

    def wait(
        self,
        poller: LROPoller[Any],
        *,
        what: str,
        timeout: float,
        progress: operations.Tell | None = None,
    ) -> Any:
        """Wait for a poller of this client; see :func:`operations.wait_for`."""
        return operations.wait_for(poller, what=what, timeout=timeout, progress=progress)

    def _begin_on(
        self,
        verb: str,
        resource_group: str,
        name: str,
        patience: float,
        progress: operations.Tell | None,
    ) -> LROPoller[None]:
        begin = getattr(self._client.managed_clusters, f"begin_{verb}")
        send = functools.partial(begin, resource_group, name)
        return self._begin(send, f"{verb} cluster {name} in {resource_group}", patience, progress)

    def _begin(
        self,
        send: Callable[[], LROPoller[Any]],
        what: str,
        patience: float,
        progress: operations.Tell | None,
    ) -> LROPoller[Any]:
        return operations.repeat_while_busy(
            send,
            what=what,
            timeout=patience,
            interval=self._polling_interval,
            progress=progress,
        )


def _describe(body: Mapping[str, Any]) -> ManagedCluster:
    properties = body.get("properties") or {}
    return ManagedCluster(
        name=body["name"],
        location=body["location"],
        power=(properties.get("powerState") or {}).get("code", "Running"),
        provisioning_state=properties.get("provisioningState", ""),
        version=properties.get("currentKubernetesVersion")
        or properties.get("kubernetesVersion", ""),
        body=body,
    )


def _describe_version(body: Mapping[str, Any]) -> KubernetesVersion:
    return KubernetesVersion(
        version=body["version"],
        support_plans=tuple((body.get("capabilities") or {}).get("supportPlan") or ()),
        patches=tuple(body.get("patchVersions") or ()),
        is_preview=bool(body.get("isPreview")),
    )


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))

"""What runs in one cluster: nodes, deployments, pods, ingress.

Reads from one API server; what it changes is how many replicas a deployment has and how its pods
are annotated. Waiting polls instead of watching, because a watch that was cut off does not notice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azrunbook import errors, kube_api, wait

_LOOK_SECONDS = 0.3
_LOG_BYTES = 1 << 20
_MANAGER = {"fieldManager": "azrunbook"}
_MERGE_PATCH = "application/merge-patch+json"
# Written by Helm itself; the label of the same meaning is up to the chart (the official Traefik
# chart adds the namespace to it).
_RELEASE_ANNOTATION = "meta.helm.sh/release-name"
_RELEASE_LABEL = "app.kubernetes.io/instance"
_POOL_LABELS = ("kubernetes.azure.com/agentpool", "agentpool")
_ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Node:
    """A node; ``zone`` and ``pool`` are empty when it does not say."""

    name: str
    pool: str
    zone: str
    version: str
    is_ready: bool


@dataclass(frozen=True)
class Deployment:
    """A deployment.

    Attributes:
        replicas: how many are wanted.
        ready: how many are ready, of any revision.
        is_ready: all wanted ones are available and of the newest revision, none of an older left.
        images: of the newest revision's containers.
    """

    name: str
    namespace: str
    replicas: int
    ready: int
    is_ready: bool
    images: tuple[str, ...]


@dataclass(frozen=True)
class Pod:
    """A pod and where it runs; ``state`` is its phase or why it waits.

    ``is_leaving``: it is being deleted, and may be ready until its processes have ended.
    """

    name: str
    node: str
    state: str
    is_ready: bool
    restarts: int
    images: tuple[str, ...]
    is_leaving: bool = False


@dataclass(frozen=True)
class Autoscaler:
    """A HorizontalPodAutoscaler: replicas wanted now, CPU in percent of what is requested."""

    least: int
    most: int
    desired: int
    cpu_percent: int | None
    cpu_target_percent: int


class Workloads:
    """Reads one cluster."""

    def __init__(self, api: kube_api.KubeApi) -> None:
        self._context = api.context
        self._api = api

    def get_version(self) -> str:
        """Ask the API server for its version: ``v1.36.2``.

        Raises:
            ConnectError: it does not answer.
        """
        return str(self._api.get("version", "/version")["gitVersion"])

    def list_nodes(self) -> tuple[Node, ...]:
        found = self._api.get("nodes", "/api/v1/nodes")
        return tuple(map(_describe_node, found["items"]))

    def list_namespaces(self) -> tuple[str, ...]:
        found = self._api.get("namespaces", "/api/v1/namespaces")
        return tuple(one["metadata"]["name"] for one in found["items"])

    def list_deployments(self, namespace: str, *, release: str) -> tuple[Deployment, ...]:
        """List the deployments of a Helm release."""
        return tuple(map(_describe_deployment, self._read_deployments(namespace, release)))

    def _read_deployments(self, namespace: str, release: str) -> list[Mapping[str, Any]]:
        found = self._api.get(
            f"deployments of {release}",
            f"/apis/apps/v1/namespaces/{namespace}/deployments",
            labels="app.kubernetes.io/managed-by=Helm",
        )
        return [
            one
            for one in found["items"]
            if one["metadata"].get("annotations", {}).get(_RELEASE_ANNOTATION) == release
        ]

    def annotate_pods(
        self, namespace: str, *, release: str, annotations: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Annotate the pods of a release's deployments, which restarts them one after the other.

        Returns the names of those deployments whose pods were not annotated so already.
        """
        changed = []
        body = {"spec": {"template": {"metadata": {"annotations": dict(annotations)}}}}
        for one in self._read_deployments(namespace, release):
            name = str(one["metadata"]["name"])
            found = one["spec"]["template"]["metadata"].get("annotations") or {}
            if annotations.items() <= found.items():
                continue
            path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
            what = f"pods of {name}"
            self._api.send("PATCH", what, path, _MANAGER, body, media_type=_MERGE_PATCH)
            changed.append(name)
        return tuple(changed)

    def scale(self, namespace: str, deployment: str, replicas: int) -> None:
        """Set a deployment's replicas as ``kubectl scale`` does; nothing else knows of it.

        Raises:
            NotFoundError: no such deployment.
        """
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}/scale"
        self._api.send(
            "PATCH",
            f"scale of {deployment}",
            path,
            {"fieldManager": "kubectl-scale"},
            {"spec": {"replicas": replicas}},
            media_type=_MERGE_PATCH,
        )

    def list_pods(self, namespace: str, *, release: str = "") -> tuple[Pod, ...]:
        """List a namespace's pods; of one release, if its chart labels them as most charts do."""
        found = self._api.get(
            f"pods of {release or namespace}",
            f"/api/v1/namespaces/{namespace}/pods",
            labels=f"{_RELEASE_LABEL}={release}" if release else "",
        )
        return tuple(map(_describe_pod, found["items"]))

    def read_log(self, namespace: str, pod: str, *, since_seconds: int) -> str:
        """Read what a pod's first container has said in the last seconds.

        Raises:
            NotFoundError: no such pod.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"sinceSeconds": str(since_seconds), "limitBytes": str(_LOG_BYTES)}
        return str(self._api.send("GET", f"log of {pod}", path, query)[1])

    def find_autoscaler(self, namespace: str, name: str) -> Autoscaler | None:
        path = f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/{name}"
        try:
            return _describe_autoscaler(self._api.get(f"autoscaler {name}", path))
        except errors.NotFoundError:
            return None

    def list_ingress_classes(self) -> tuple[str, ...]:
        found = self._api.get("ingress classes", "/apis/networking.k8s.io/v1/ingressclasses")
        return tuple(one["metadata"]["name"] for one in found["items"])

    def find_load_balancer_address(self, namespace: str, service: str) -> str:
        """Find the public address of a service; empty while it has none.

        Raises:
            NotFoundError: no such service.
        """
        found = self._api.get(
            f"service {service}", f"/api/v1/namespaces/{namespace}/services/{service}"
        )
        given = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        return next((str(one.get("ip") or one.get("hostname") or "") for one in given), "")

    def wait_for_nodes(
        self, count: int, *, timeout: float, progress: Callable[[str], None] | None = None
    ) -> None:
        """Wait until at least ``count`` nodes are ready; ``timeout`` in seconds.

        Raises:
            WaitTimeoutError: they are not.
        """

        def look() -> wait.Seen[None]:
            nodes = self.list_nodes()
            ready = sum(node.is_ready for node in nodes)
            return wait.Seen(None, ready >= count, f"{ready} of {count} nodes ready")

        self._wait(look, f"{count} nodes ready in {self._context}", timeout, progress)

    def wait_for_rollout(
        self,
        namespace: str,
        *,
        release: str,
        timeout: float,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Wait until every deployment of a release is rolled out; ``timeout`` in seconds.

        Raises:
            NotFoundError: the release has no deployment.
            WaitTimeoutError: it is not rolled out.
        """

        def look() -> wait.Seen[None]:
            found = self.list_deployments(namespace, release=release)
            if not found:
                raise errors.NotFoundError(
                    f"release {release} has no deployment in {namespace} of {self._context}"
                )
            state = ", ".join(f"{one.name} {one.ready} of {one.replicas} ready" for one in found)
            return wait.Seen(None, all(one.is_ready for one in found), state)

        self._wait(look, f"rollout of {release} in {self._context}", timeout, progress)

    def _wait(
        self,
        look: Callable[[], wait.Seen[None]],
        what: str,
        timeout: float,
        progress: Callable[[str], None] | None,
    ) -> None:
        """Poll; a cluster that does not answer (it is starting) is a state, not an end."""

        def tolerant() -> wait.Seen[None]:
            try:
                return look()
            except errors.ConnectError as error:
                return wait.Seen(None, is_done=False, state=str(error))

        wait.wait_until(
            tolerant, what=what, timeout=timeout, interval=_LOOK_SECONDS, progress=progress
        )


def _describe_node(body: Mapping[str, Any]) -> Node:
    labels = body["metadata"].get("labels") or {}
    return Node(
        name=body["metadata"]["name"],
        pool=next((labels[label] for label in _POOL_LABELS if label in labels), ""),
        zone=labels.get(_ZONE_LABEL, ""),
        version=body["status"]["nodeInfo"]["kubeletVersion"],
        is_ready=_is_true(body, "Ready"),
    )


def _describe_deployment(body: Mapping[str, Any]) -> Deployment:
    """The rule of ``kubectl rollout status``: seen, all updated, no old one left, all available."""
    status, wanted = body.get("status") or {}, body["spec"].get("replicas", 1)
    updated = status.get("updatedReplicas", 0)
    is_seen = status.get("observedGeneration", 0) >= body["metadata"].get("generation", 0)
    return Deployment(
        name=body["metadata"]["name"],
        namespace=body["metadata"]["namespace"],
        replicas=wanted,
        ready=status.get("readyReplicas", 0),
        is_ready=is_seen
        and updated == wanted == status.get("replicas", 0)
        and status.get("availableReplicas", 0) == wanted,
        images=_list_images(body["spec"]["template"]["spec"]),
    )


def _describe_autoscaler(body: Mapping[str, Any]) -> Autoscaler:
    spec, status = body["spec"], body.get("status") or {}

    def read_cpu(metrics: Any, field: str) -> int | None:
        found = [one["resource"] for one in metrics or () if one["type"] == "Resource"]
        cpu = [one[field] for one in found if one["name"] == "cpu"]
        return next((one.get("averageUtilization") for one in cpu), None)

    return Autoscaler(
        least=spec.get("minReplicas", 1),
        most=spec["maxReplicas"],
        desired=status.get("desiredReplicas", 0),
        cpu_percent=read_cpu(status.get("currentMetrics"), "current"),
        cpu_target_percent=read_cpu(spec.get("metrics"), "target") or 0,
    )


def _describe_pod(body: Mapping[str, Any]) -> Pod:
    status = body.get("status") or {}
    containers = status.get("containerStatuses") or ()
    waiting = [(one.get("state") or {}).get("waiting") for one in containers]
    reasons = [one["reason"] for one in waiting if one and one.get("reason")]
    return Pod(
        name=body["metadata"]["name"],
        node=body["spec"].get("nodeName", ""),
        state=next(iter(reasons), status.get("phase", "Unknown")),
        is_ready=_is_true(body, "Ready"),
        restarts=sum(one.get("restartCount", 0) for one in containers),
        images=_list_images(body["spec"]),
        is_leaving="deletionTimestamp" in body["metadata"],
    )


def _list_images(spec: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(one["image"] for one in spec["containers"])


def _is_true(body: Mapping[str, Any], condition: str) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)

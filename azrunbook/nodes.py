"""Nodes of one cluster: what they hold, cordon, drain, uncordon.

Talks to one API server. A drain is what ``kubectl drain --ignore-daemonsets
--delete-emptydir-data`` does: cordon, then evict through the Eviction API, which answers 429 while
a disruption budget allows nobody to go; then wait until the pods are gone.
"""

from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

from azrunbook import forecast, kube_api, wait

_LOOK_SECONDS = 0.5
_MERGE_PATCH = "application/merge-patch+json"
_REFUSALS = frozenset({kube_api.TOO_MANY_REQUESTS, 404})
Tell = Callable[[str], None]


class Nodes:
    """The nodes of one cluster."""

    def __init__(self, api: kube_api.KubeApi) -> None:
        self._api = api

    def take_snapshot(self) -> forecast.Snapshot:
        """Nodes, pods and disruption budgets as they are now, for a forecast."""
        paths = {
            "nodes": "/api/v1/nodes",
            "pods": "/api/v1/pods",
            "disruption budgets": "/apis/policy/v1/poddisruptionbudgets",
        }
        with futures.ThreadPoolExecutor(len(paths)) as pool:
            found = [items["items"] for items in pool.map(self._api.get, paths, paths.values())]
        return forecast.Snapshot(*found)

    def cordon(self, name: str) -> None:
        """Let no more pods be scheduled onto a node.

        Raises:
            NotFoundError: no such node.
        """
        self._set_unschedulable(name, value=True)

    def uncordon(self, name: str) -> None:
        """Let pods be scheduled onto a node again.

        Raises:
            NotFoundError: no such node.
        """
        self._set_unschedulable(name, value=False)

    def drain(self, name: str, *, timeout: float, progress: Tell | None = None) -> tuple[str, ...]:
        """Cordon a node and evict its pods; returns ``namespace/name`` of the evicted, in order.

        ``timeout`` in seconds is for all of it. Draining again goes on where it was.

        Raises:
            NotFoundError: no such node.
            WaitTimeoutError: pods are still there; says which, and what keeps them.
        """
        self.cordon(name)
        evicted: dict[str, None] = {}

        def look() -> wait.Seen[None]:
            left = [pod for pod in self._list_pods(name) if forecast.is_drained(pod)]
            kept = [said for pod in left if (said := self._evict(pod, evicted))]
            state = f"{len(evicted)} evicted, {len(left)} still there"
            return wait.Seen(None, not left, "; ".join([state, *sorted(set(kept))]))

        wait.wait_until(
            look,
            what=f"drain of {name}",
            timeout=timeout,
            interval=_LOOK_SECONDS,
            progress=progress,
        )
        return tuple(evicted)

    def _evict(self, pod: Mapping[str, Any], evicted: dict[str, None]) -> str:
        """Ask for one eviction; returns what keeps the pod, if anything does."""
        meta, name = pod["metadata"], forecast.get_name(pod)
        if meta.get("deletionTimestamp") or name in evicted:
            return ""
        status, said = self._api.send(
            "POST",
            f"eviction of {name}",
            f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/eviction",
            body={
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
                # Not its successor of the same name, which is where it should be.
                "deleteOptions": {"preconditions": {"uid": meta["uid"]}},
            },
            accepted=_REFUSALS,
        )
        if status == kube_api.TOO_MANY_REQUESTS:
            return f"{name} waits: {said.get('message', '')}"
        evicted[name] = None
        return ""

    def _list_pods(self, node: str) -> list[Mapping[str, Any]]:
        found = self._api.get("pods", "/api/v1/pods", fields=f"spec.nodeName={node}")
        return list(found["items"])

    def _set_unschedulable(self, name: str, *, value: bool) -> None:
        self._api.send(
            "PATCH",
            f"node {name}",
            f"/api/v1/nodes/{name}",
            body={"spec": {"unschedulable": value or None}},
            media_type=_MERGE_PATCH,
        )

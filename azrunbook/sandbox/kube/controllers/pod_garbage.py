"""Pods that no kubelet will ever end: those of nodes that are gone or out of service.

Law: deletes by force, what nobody runs any more. Source: k8s.io/kubernetes pkg/controller/podgc,
documentation "Node Shutdowns" (non-graceful node shutdown).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.controllers import disruptions, loop, node_health, pods
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


class OrphanedPodController:
    """Deletes pods whose node is gone, after a quarantine, or is said to be out of service."""

    name = "podgc"

    def __init__(self, cluster: Access, *, quarantine_seconds: float) -> None:
        self._cluster = cluster
        self._quarantine_seconds = quarantine_seconds
        self._nodes = cluster.resource("", "nodes")
        self._pods = cluster.resource("", "pods")
        self._missing_since: dict[str, dt.datetime] = {}

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._nodes, _of_node),
            loop.Watch(self._pods, _of_node_name),
        ]

    def reconcile(self, key: loop.Key) -> float | None:
        name = key[1]
        node = self._cluster.registry.find(self._nodes, None, name)
        if node is not None and not node_health.is_out_of_service(node):
            self._missing_since.pop(name, None)
            return None
        left_behind = self._cluster.registry.list(
            self._pods, field_selector=f"spec.nodeName={name}"
        )
        if node is not None:
            self._missing_since.pop(name, None)
            for pod in filter(pods.is_terminating, left_behind):
                self._delete(pod, reason="")
            return None
        if not left_behind:
            self._missing_since.pop(name, None)
            return None
        now = self._cluster.clock()
        since = self._missing_since.setdefault(name, now)
        left = self._quarantine_seconds - (now - since).total_seconds()
        if left > 0:
            return left
        for pod in left_behind:
            self._delete(pod, reason="DeletionByPodGC")
        return None

    def _delete(self, pod: Object, *, reason: str) -> None:
        message = "PodGC: node no longer exists"
        try:
            disruptions.mark(self._cluster, pod, reason=reason, message=message, is_abandoned=True)
            self._cluster.delete(self._pods, pod, {"gracePeriodSeconds": 0})
        except errors.StatusError as error:
            if error.reason not in ("NotFound", "Conflict"):
                raise


def _of_node_name(change: loop.Change) -> Iterable[loop.Key]:
    name = pods.node_name(change.object)
    before = change.previous
    is_new = before is None or not pods.node_name(before)
    is_leaving = before is not None and pods.is_terminating(change.object)
    return [("", name)] if name and (is_new or is_leaving) else []


def _of_node(change: loop.Change) -> Iterable[loop.Key]:
    """A node that came, went, or was taken out of service; a heartbeat is no news."""
    states = {node_health.is_out_of_service(state) for state in change.states}
    is_same = change.type == "MODIFIED" and len(states) == 1
    return [] if is_same else [("", change.object["metadata"]["name"])]

"""The scheduler: binds each pending pod to a node, or says why it cannot.

Law: the choice is placement.py's; here a snapshot is read and the answer written. A pod that fits
nowhere is tried again when something changes that could help: a node, a pod that goes, or a pod
that arrives where affinity or spreading count. Of the pods that are due the one with the highest
priority goes first, then the one that has waited longest. A gated pod is said to be gated here,
where the real cluster's API server writes that condition.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors, writes
from azrunbook.sandbox.kube.controllers import (
    claims,
    conditions,
    loop,
    matching,
    node_tracker,
    owners,
    placement,
    pod_affinity,
    pods,
    volume_binding,
)
from azrunbook.sandbox.kube.controllers.access import Access
from azrunbook.sandbox.kube.subresources import pods as pod_subresources

Object = dict[str, Any]

NAME = "default-scheduler"
MANAGER = "kube-scheduler"
GATED = "Scheduling is blocked due to non-empty scheduling gates"


class Scheduler:
    """Schedules the pods whose schedulerName is default-scheduler."""

    name = "scheduler"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._pods = cluster.resource("", "pods")
        self._nodes = cluster.resource("", "nodes")
        self._namespaces = cluster.resource("", "namespaces")
        self._claims = cluster.resource("", "persistentvolumeclaims")
        self._tracker = node_tracker.NodeTracker(cluster.registry)
        self._waiting: dict[loop.Key, Object] = {}
        self._due: dict[loop.Key, tuple[int, int]] = {}
        """The pods to try, each with its rank: a key that the loop hands out stands for any."""
        self._arrivals = itertools.count()

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._pods, self._of_pod),
            loop.Watch(self._nodes, self._of_node),
            loop.Watch(self._claims, self._of_claim),
        ]

    def _called(self, found: Iterable[Object]) -> list[loop.Key]:
        """Make these pods due."""
        keys = []
        for pod in found:
            key = loop.key_of(pod)
            rank = (-int(pod["spec"].get("priority") or 0), next(self._arrivals))
            self._due.setdefault(key, rank)
            keys.append(key)
        return keys

    def _of_pod(self, change: loop.Change) -> Iterable[loop.Key]:
        pod, key = change.object, loop.key_of(change.object)
        if change.type == "DELETED":
            self._waiting.pop(key, None)
            self._due.pop(key, None)
            return self._called(self._waiting.values()) if pods.node_name(pod) else []
        if not pods.node_name(pod):
            return self._called([pod]) if _needs_trial(change) else []
        before = change.previous
        if pods.is_done(pod) and (before is None or not pods.is_done(before)):
            return self._called(self._waiting.values())
        if before is None or _seen_by_others(pod) != _seen_by_others(before):
            return self._called(one for one in self._waiting.values() if _minds_others(one))
        return []

    def _of_node(self, change: loop.Change) -> Iterable[loop.Key]:
        is_same = change.type == "MODIFIED" and all(
            _weighs(change.object) == _weighs(state) for state in change.states
        )
        return [] if is_same else self._called(self._waiting.values())

    def _of_claim(self, change: loop.Change) -> Iterable[loop.Key]:
        namespace, name = loop.key_of(change.object)
        return self._called(
            pod
            for key, pod in self._waiting.items()
            if key[0] == namespace and name in claims.claim_names(pod)
        )

    def reconcile(self, key: loop.Key) -> float | None:  # noqa: ARG002 - see _due
        """Try the first of the pods that are due."""
        if not self._due:
            return None
        first = min(self._due, key=self._due.__getitem__)
        rank = self._due.pop(first)
        try:
            self._try(first)
        except Exception:
            self._due[first] = rank  # the key comes back after its back-off, whichever it was
            raise
        return None

    def _try(self, key: loop.Key) -> None:
        pod = self._cluster.registry.find(self._pods, *key)
        self._waiting.pop(key, None)
        if pod is None or not _is_ours(pod):
            return
        if pod["spec"].get("schedulingGates"):
            self._say(pod, "SchedulingGated", GATED)
            return
        needs = volume_binding.examine(self._cluster, pod)
        found = placement.plan_placement(pod, self._snapshot(pod, needs))
        if found.node_name is None:
            self._waiting[key] = pod
            self._refuse(pod, found.message)
        elif needs.waiting:
            self._waiting[key] = pod
            volume_binding.select_node(self._cluster, needs.waiting, found.node_name)
        else:
            self._bind(pod, found.node_name)

    def _snapshot(self, pod: Object, needs: volume_binding.Needs) -> placement.Snapshot:
        store = self._cluster.registry
        return placement.Snapshot(
            states=tuple(self._tracker.states()),
            namespaces={
                one["metadata"]["name"]: one["metadata"].get("labels") or {}
                for one in store.list(self._namespaces)
            },
            default_selector=self._default_selector(pod),
            problem=needs.problem,
            volume_selectors=needs.selectors,
        )

    def _default_selector(self, pod: Object) -> Object | None:
        """What selects the pod's kin: its Services and its owning set."""
        namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels")
        wanted: dict[str, str] = {}
        for service in self._cluster.registry.list(
            self._cluster.resource("", "services"), namespace
        ):
            selector = service["spec"].get("selector")
            if matching.matches_map(selector, labels):
                wanted.update(selector)
        owner = owners.find_controller(pod)
        expressions: list[Object] = []
        plural = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}.get(
            owner["kind"] if owner else ""
        )
        if owner is not None and plural is not None:
            resource = self._cluster.resource("apps", plural)
            found = self._cluster.registry.find(resource, namespace, owner["name"])
            selector = found["spec"]["selector"] if found else {}
            wanted.update(selector.get("matchLabels") or {})
            expressions = list(selector.get("matchExpressions") or ())
        if not wanted and not expressions:
            return None
        return {"matchLabels": wanted, "matchExpressions": expressions}

    def _bind(self, pod: Object, node_name: str) -> None:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        binding = {"target": {"kind": "Node", "name": node_name}}
        write = writes.Write(manager=MANAGER)
        pod_subresources.bind(self._cluster.registry, namespace, name, binding, write)
        message = f"Successfully assigned {namespace}/{name} to {node_name}"
        self._cluster.events.scheduling(pod, "Normal", "Scheduled", message, action="Binding")

    def _refuse(self, pod: Object, message: str) -> None:
        if self._say(pod, "Unschedulable", message):
            self._cluster.events.scheduling(
                pod, "Warning", "FailedScheduling", message, action="Scheduling"
            )

    def _say(self, pod: Object, reason: str, message: str) -> bool:
        """Write the condition of a pod without a node; False if the pod is gone."""
        present = pod.get("status", {}).get("conditions") or []
        made = conditions.condition(
            "PodScheduled",
            False,
            at=self._cluster.now_text(),
            reason=reason,
            message=message,
            lastProbeTime=None,
        )
        status = {**pod["status"], "conditions": conditions.replaced(present, made)}
        try:
            self._cluster.write_status(self._pods, pod, status)
        except errors.StatusError as error:
            if error.code != 404:  # noqa: PLR2004 - the HTTP status itself
                raise
            return False
        return True


def _is_ours(pod: Object) -> bool:
    is_named = pod["spec"].get("schedulerName", NAME) == NAME
    return bool(is_named and not pods.node_name(pod) and pods.is_active(pod))


def _seen_by_others(pod: Object) -> tuple[object, ...]:
    """What of a bound pod affinity and spreading look at."""
    return pods.node_name(pod), pod["metadata"].get("labels"), pods.is_terminating(pod)


def _needs_trial(change: loop.Change) -> bool:
    """Our own condition on a pending pod is no reason to try it again."""
    before = change.previous
    if before is None:
        return True
    then, now = before["metadata"], change.object["metadata"]
    is_same = before["spec"] == change.object["spec"] and then.get("labels") == now.get("labels")
    return not is_same


def _minds_others(pod: Object) -> bool:
    return pod_affinity.has_terms(pod) or bool(pod["spec"].get("topologySpreadConstraints"))


def _weighs(node: Object) -> tuple[object, ...]:
    """What of a node matters to the scheduler; a heartbeat changes none of it."""
    spec, status = node.get("spec", {}), node.get("status", {})
    return (
        node["metadata"].get("labels"),
        spec.get("taints"),
        spec.get("unschedulable"),
        status.get("allocatable"),
    )

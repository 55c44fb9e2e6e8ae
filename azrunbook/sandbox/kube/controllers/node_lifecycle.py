"""The node lifecycle controller: notices silent nodes, taints them, moves their pods away.

Law: a node is judged by when its lease was last seen to change, by this controller's own clock:
a control plane that was stopped for an hour must not give up every node when it starts again.
Two controllers in one module of one concern: the node's health, and the pods on tainted nodes.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import conditions, disruptions, loop, node_health, pods
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

LEASES_IN = "kube-node-lease"
COMPONENT = "node-controller"


@dataclass(frozen=True)
class _Sign:
    """The last sign of life: what it was and when it was first seen."""

    text: str
    seen_at: dt.datetime
    node: Object


class NodeLifecycleController:
    """Keeps the conditions and taints of nodes by their signs of life."""

    name = "nodelifecycle"

    def __init__(self, cluster: Access, *, grace_seconds: float) -> None:
        self._cluster = cluster
        self._grace_seconds = grace_seconds
        self._nodes = cluster.resource("", "nodes")
        self._leases = cluster.resource("coordination.k8s.io", "leases")
        self._pods = cluster.resource("", "pods")
        self._signs: dict[str, _Sign] = {}
        self._lost: set[loop.Key] = set()

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._nodes, self._of_node),
            loop.Watch(self._leases, _of_lease),
        ]

    def _of_node(self, change: loop.Change) -> Iterable[loop.Key]:
        """A node that comes, goes, is lost or found matters to all that are lost: see may_evict."""
        key = loop.key_of(change.object)
        states = {node_health.is_lost(state) for state in change.states}
        if change.type != "DELETED" and node_health.is_lost(change.object):
            self._lost.add(key)
        else:
            self._lost.discard(key)
        if change.type == "MODIFIED" and len(states) == 1:
            return [key]
        return [*self._lost, key]

    def reconcile(self, key: loop.Key) -> float | None:
        node = self._cluster.registry.find(self._nodes, None, key[1])
        if node is None:
            self._forget(key[1])
            return None
        if key[1] not in self._signs:
            message = f"Node {key[1]} event: Registered Node {key[1]} in Controller"
            self._tell(node, "RegisteredNode", message)
        left = self._seconds_of_trust(node)
        if left <= 0:
            node = self._give_up(node)
        self._taint(node)
        self._mark_pods(node)
        return left if left > 0 else None

    def _forget(self, name: str) -> None:
        sign = self._signs.pop(name, None)
        if sign is not None:
            message = f"Node {name} event: Removing Node {name} from Controller"
            self._tell(sign.node, "RemovingNode", message)

    def _seconds_of_trust(self, node: Object) -> float:
        name, now = node["metadata"]["name"], self._cluster.clock()
        lease = self._cluster.registry.find(self._leases, LEASES_IN, name)
        ready = conditions.find(node.get("status", {}).get("conditions"), "Ready") or {}
        heartbeat = str(ready.get("lastHeartbeatTime") or "")
        text = heartbeat + str(((lease or {}).get("spec") or {}).get("renewTime") or "")
        sign = self._signs.get(name)
        if sign is None or sign.text != text:
            sign = self._signs[name] = _Sign(text, now, node)
        return self._grace_seconds - (now - sign.seen_at).total_seconds()

    def _give_up(self, node: Object) -> Object:
        ready = conditions.find(node.get("status", {}).get("conditions"), "Ready")
        if ready is not None and ready["status"] == "Unknown":
            return node
        found = node_health.lost_conditions(node, at=self._cluster.now_text())
        name = node["metadata"]["name"]
        status = {**(node.get("status") or {}), "conditions": found}
        self._tell(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return self._cluster.replace_status(self._nodes, {**node, "status": status})

    def _taint(self, node: Object) -> None:
        may_evict = node_health.is_lost(node) and node_health.may_evict(
            node, self._cluster.registry.list(self._nodes)
        )
        wanted = node_health.plan_taints(node, at=self._cluster.now_text(), may_evict=may_evict)
        if wanted != (node.get("spec", {}).get("taints") or []):
            self._cluster.patch(self._nodes, node, {"spec": {"taints": wanted or None}})

    def _mark_pods(self, node: Object) -> None:
        """Pods of a node that is not ready are not ready either: no traffic goes there."""
        ready = conditions.find(node.get("status", {}).get("conditions"), "Ready")
        if ready is None or ready["status"] == "True":
            return
        name = node["metadata"]["name"]
        for pod in self._cluster.registry.list(self._pods, field_selector=f"spec.nodeName={name}"):
            found = pod.get("status", {}).get("conditions") or []
            if not conditions.is_true(found, "Ready"):
                continue
            present = conditions.find(found, "Ready") or {}
            made = {**present, "status": "False", "lastTransitionTime": self._cluster.now_text()}
            status = {**pod["status"], "conditions": conditions.replaced(found, made)}
            self._cluster.write_status(self._pods, pod, status)
            self._cluster.events.warning(
                pod, "NodeNotReady", "Node is not ready", component=COMPONENT
            )

    def _tell(self, node: Object, reason: str, message: str) -> None:
        self._cluster.events.normal(node, reason, message, component=COMPONENT)


def _of_lease(change: loop.Change) -> Iterable[loop.Key]:
    metadata = change.object["metadata"]
    return [("", metadata["name"])] if metadata["namespace"] == LEASES_IN else []


class TaintEvictionController:
    """Deletes pods whose node has a NoExecute taint, when their toleration ends."""

    name = "tainteviction"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._nodes = cluster.resource("", "nodes")
        self._pods = cluster.resource("", "pods")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._pods, _of_bound_pod),
            loop.Watch(self._nodes, self._of_node),
        ]

    def _of_node(self, change: loop.Change) -> Iterable[loop.Key]:
        taints = [state.get("spec", {}).get("taints") or [] for state in change.states]
        if not any(taints) or (change.type == "MODIFIED" and taints[0] == taints[-1]):
            return []
        name = change.object["metadata"]["name"]
        on_node = self._cluster.registry.list(self._pods, field_selector=f"spec.nodeName={name}")
        return [loop.key_of(pod) for pod in on_node]

    def reconcile(self, key: loop.Key) -> float | None:
        pod = self._cluster.registry.find(self._pods, *key)
        if pod is None or not pods.node_name(pod):
            return None
        node = self._cluster.registry.find(self._nodes, None, pods.node_name(pod))
        taints = (node or {}).get("spec", {}).get("taints") or ()
        left = node_health.seconds_to_eviction(pod, taints, at=self._cluster.clock())
        if left is None or left > 0:
            return left
        self._evict(pod)
        return None

    def _evict(self, pod: Object) -> None:
        namespace, name = loop.key_of(pod)
        message = f"Marking for deletion Pod {namespace}/{name}"
        self._cluster.events.normal(
            pod, "TaintManagerEviction", message, component="taint-eviction-controller"
        )
        disruptions.mark(
            self._cluster,
            pod,
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
        )
        self._cluster.delete(self._pods, pod)


def _of_bound_pod(change: loop.Change) -> Iterable[loop.Key]:
    is_new = change.previous is None or not pods.node_name(change.previous)
    return [loop.key_of(change.object)] if is_new and pods.node_name(change.object) else []

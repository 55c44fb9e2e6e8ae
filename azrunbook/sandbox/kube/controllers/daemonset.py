"""The DaemonSet controller: one pod on every node that should have one.

Law: where pods belong is daemons.py's; the scheduler still binds them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import (
    access,
    controller_revisions,
    daemons,
    loop,
    owners,
    pod_template,
    pods,
)
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "daemonset-controller"
GENERATION_LABEL = "pod-template-generation"


@dataclass(frozen=True)
class _Scene:
    """What one reconcile sees."""

    daemon_set: Object
    revision: str
    wanted: tuple[str, ...]
    """Nodes that should run a pod."""
    tolerated: frozenset[str]
    """Nodes on which a pod may stay."""
    by_node: dict[str, list[Object]]


class DaemonSetController:
    """Keeps daemon pods on nodes."""

    name = "daemonset"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._sets = cluster.resource("apps", "daemonsets")
        self._pods = cluster.resource("", "pods")
        self._nodes = cluster.resource("", "nodes")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._sets, loop.own_key),
            loop.Watch(self._pods, _of_pod),
            loop.Watch(self._nodes, self._of_node),
        ]

    def _of_node(self, change: loop.Change) -> Iterable[loop.Key]:
        seen = [
            (state["metadata"].get("labels"), state.get("spec", {}).get("taints"))
            for state in change.states
        ]
        if change.type == "MODIFIED" and seen[0] == seen[-1]:
            return []
        return [loop.key_of(one) for one in self._cluster.registry.list(self._sets)]

    def reconcile(self, key: loop.Key) -> float | None:
        daemon_set = self._cluster.registry.find(self._sets, *key)
        if daemon_set is None:
            return None
        scene = self._see(daemon_set)
        if "deletionTimestamp" not in daemon_set["metadata"]:
            if not self._place(scene):
                self._update(scene)
            scene = self._see(daemon_set)
        self._cluster.write_status(self._sets, daemon_set, self._status(scene))
        hashes = (
            (pod["metadata"].get("labels") or {}).get(controller_revisions.HASH_LABEL, "")
            for found in scene.by_node.values()
            for pod in found
        )
        controller_revisions.truncate(self._cluster, daemon_set, [*hashes, scene.revision])
        return self._seconds_to_available(scene)

    def _see(self, daemon_set: Object) -> _Scene:
        revision = controller_revisions.ensure_current(self._cluster, daemon_set)
        wanted, tolerated = [], set()
        for node in self._cluster.registry.list(self._nodes):
            starts, stays = daemons.runs_on(daemon_set["spec"]["template"], node)
            if starts:
                wanted.append(node["metadata"]["name"])
            if stays:
                tolerated.add(node["metadata"]["name"])
        listed = self._cluster.registry.list(self._pods, daemon_set["metadata"]["namespace"])
        by_node: dict[str, list[Object]] = {}
        for pod in self._cluster.claim(daemon_set, self._pods, listed):
            by_node.setdefault(daemons.target_of(pod), []).append(pod)
        return _Scene(
            daemon_set,
            controller_revisions.hash_of(revision),
            tuple(wanted),
            frozenset(tolerated),
            by_node,
        )

    def _place(self, scene: _Scene) -> bool:
        """Create missing pods, delete failed, doubled and misplaced ones; whether any was."""
        has_acted = False
        for name in scene.wanted:
            found = scene.by_node.get(name, [])
            live = [pod for pod in found if not pods.is_terminating(pod)]
            failed = [pod for pod in live if pods.is_done(pod)]
            running = [pod for pod in live if not pods.is_done(pod)]
            for pod in failed:
                self._warn_of_failure(pod, scene, name)
            running.sort(key=_age)
            for pod in failed + self._surplus(running, scene):
                self._delete(pod, scene)
                has_acted = True
            if not found:
                self._create(name, scene)
                has_acted = True
        for name in scene.by_node.keys() - set(scene.wanted):
            is_node = self._cluster.registry.find(self._nodes, None, name) is not None
            for pod in scene.by_node[name]:
                if is_node and name not in scene.tolerated and not pods.is_terminating(pod):
                    self._delete(pod, scene)
                    has_acted = True
        return has_acted

    def _surplus(self, running: Sequence[Object], scene: _Scene) -> list[Object]:
        found = self._on_node(running, scene)
        is_ready = found.new is not None and pods.is_ready(found.new)
        may_double = _max_surge(scene) is not None
        return daemons.surplus(running, found, may_double=may_double, is_new_ready=is_ready)

    def _on_node(self, running: Iterable[Object], scene: _Scene) -> daemons.NodePods:
        """The oldest new and the oldest old pod of one node's running pods."""
        listed = sorted(running, key=_age)
        new = next((pod for pod in listed if self._is_updated(pod, scene)), None)
        old = next((pod for pod in listed if not self._is_updated(pod, scene)), None)
        return daemons.NodePods(
            new,
            old,
            new is not None and self._is_available(new, scene),
            old is not None and self._is_available(old, scene),
        )

    def _warn_of_failure(self, pod: Object, scene: _Scene, node_name: str) -> None:
        namespace, name = loop.key_of(pod)
        message = (
            f"Found failed daemon pod {namespace}/{name} on node {node_name}, will try to kill it"
        )
        if pods.phase(pod) == "Failed":
            self._cluster.events.warning(
                scene.daemon_set, "FailedDaemonPod", message, component=COMPONENT
            )

    def _create(self, node_name: str, scene: _Scene) -> None:
        daemon_set = scene.daemon_set
        made = pod_template.plan_pod(daemon_set["spec"]["template"], daemon_set)
        made["metadata"]["labels"][controller_revisions.HASH_LABEL] = scene.revision
        generation = str(daemon_set["metadata"].get("generation", 1))
        made["metadata"]["labels"][GENERATION_LABEL] = generation
        made["spec"] = daemons.pin_to_node(made["spec"], node_name)
        pod_template.create_pod(self._cluster, made, daemon_set, component=COMPONENT)

    def _delete(self, pod: Object, scene: _Scene) -> None:
        pod_template.delete_pod(self._cluster, pod, scene.daemon_set, component=COMPONENT)

    def _update(self, scene: _Scene) -> None:
        strategy = scene.daemon_set["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        surge = _max_surge(scene)
        if surge is not None:
            self._surge(scene, surge)
            return
        old = [
            pod
            for name in scene.wanted
            for pod in scene.by_node.get(name, ())
            if not self._is_updated(pod, scene) and not pods.is_terminating(pod)
        ]
        limit = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        for pod in daemons.plan_replacements(
            old,
            available={name: self._serves(name, scene) for name in scene.wanted},
            desired=len(scene.wanted),
            max_unavailable=limit,
        ):
            self._delete(pod, scene)

    def _surge(self, scene: _Scene, limit: int | str) -> None:
        by_node = {}
        for name in scene.wanted:
            live = [p for p in scene.by_node.get(name, ()) if not pods.is_terminating(p)]
            by_node[name] = self._on_node(live, scene)
        nodes, leaving = daemons.plan_surge(by_node, limit)
        for pod in leaving:
            self._delete(pod, scene)
        for name in nodes:
            self._create(name, scene)

    def _is_updated(self, pod: Object, scene: _Scene) -> bool:
        labels = pod["metadata"].get("labels") or {}
        return bool(labels.get(controller_revisions.HASH_LABEL) == scene.revision)

    def _serves(self, node_name: str, scene: _Scene) -> bool:
        return any(
            self._is_available(pod, scene) and not pods.is_terminating(pod)
            for pod in scene.by_node.get(node_name, ())
        )

    def _is_available(self, pod: Object, scene: _Scene) -> bool:
        minimum = int(scene.daemon_set["spec"].get("minReadySeconds") or 0)
        return pods.is_available(pod, min_ready_seconds=minimum, at=self._cluster.clock())

    def _status(self, scene: _Scene) -> Object:
        on_wanted = [scene.by_node.get(name, []) for name in scene.wanted]
        live = [[pod for pod in found if not pods.is_terminating(pod)] for found in on_wanted]
        available = sum(self._serves(name, scene) for name in scene.wanted)
        updated = sum(any(self._is_updated(pod, scene) for pod in found) for found in live)
        status = access.compact(
            {
                "updatedNumberScheduled": updated,
                "numberAvailable": available,
                "numberUnavailable": len(scene.wanted) - available,
                "observedGeneration": scene.daemon_set["metadata"].get("generation", 0),
            }
        )
        misplaced = scene.by_node.keys() - set(scene.wanted)
        return {
            **status,
            "currentNumberScheduled": sum(bool(found) for found in live),
            "numberMisscheduled": sum(any(scene.by_node[name]) for name in misplaced),
            "desiredNumberScheduled": len(scene.wanted),
            "numberReady": sum(any(pods.is_ready(pod) for pod in found) for found in live),
        }

    def _seconds_to_available(self, scene: _Scene) -> float | None:
        minimum = int(scene.daemon_set["spec"].get("minReadySeconds") or 0)
        now = self._cluster.clock()
        waits = (
            pods.seconds_to_available(pod, min_ready_seconds=minimum, at=now)
            for found in scene.by_node.values()
            for pod in found
        )
        return min((seconds for seconds in waits if seconds > 0), default=None)


def _max_surge(scene: _Scene) -> int | str | None:
    """The surge that a rolling update may use; None if it may not."""
    strategy = scene.daemon_set["spec"].get("updateStrategy") or {}
    found: int | str | None = (strategy.get("rollingUpdate") or {}).get("maxSurge")
    is_rolling = strategy.get("type", "RollingUpdate") == "RollingUpdate"
    return found if is_rolling and found not in (None, 0, "0", "0%") else None


def _age(pod: Object) -> tuple[bool, str]:
    """Bound and oldest first."""
    return (not pods.node_name(pod), str(pod["metadata"].get("creationTimestamp")))


def _of_pod(change: loop.Change) -> Iterable[loop.Key]:
    owner = owners.find_controller(change.object)
    if owner is not None and owner["kind"] == "DaemonSet":
        yield (change.object["metadata"]["namespace"], owner["name"])

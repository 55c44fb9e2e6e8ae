"""What a node's conditions and lease mean: its taints, and whether it is given up.

Law: pure. Source: documentation "Node status", "Taint based evictions" and k8s.io/kubernetes
pkg/controller/nodelifecycle.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from azrunbook.sandbox.kube import times
from azrunbook.sandbox.kube.controllers import conditions, matching, moments, pods

Object = dict[str, Any]

NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_HEALTH_TAINTS = {NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURES.values()}
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


SPARED, UNHEALTHY, SMALL_CLUSTER = 2, 0.55, 50


def readiness(node: Object) -> str:
    """The status of the node's Ready condition; an empty string if it has none yet."""
    ready = conditions.find(node.get("status", {}).get("conditions"), "Ready")
    return str(ready["status"]) if ready is not None else ""


def is_lost(node: Object) -> bool:
    return readiness(node) in ("False", "Unknown")


def plan_taints(node: Object, *, at: str, may_evict: bool = True) -> list[Object]:
    """The node's taints as its conditions and spec.unschedulable want them.

    With `may_evict` False pods are left where they are.
    """
    status = node.get("status", {}).get("conditions") or ()
    wanted: list[tuple[str, str]] = []
    if is_lost(node):
        key = NOT_READY if readiness(node) == "False" else UNREACHABLE
        wanted.append((key, "NoSchedule"))
        if may_evict:
            wanted.append((key, "NoExecute"))
    for kind, key in _PRESSURES.items():
        if conditions.is_true(status, kind):
            wanted.append((key, "NoSchedule"))
    if node.get("spec", {}).get("unschedulable"):
        wanted.append((UNSCHEDULABLE, "NoSchedule"))
    present = node.get("spec", {}).get("taints") or []
    kept = [
        taint
        for taint in present
        if taint["key"] not in _HEALTH_TAINTS or (taint["key"], taint["effect"]) in wanted
    ]
    have = {(taint["key"], taint["effect"]) for taint in kept}
    new = [{"key": k, "effect": e, "timeAdded": at} for k, e in wanted if (k, e) not in have]
    return kept + new


def lost_conditions(node: Object, *, at: str) -> list[Object]:
    """The conditions of a node whose kubelet has gone silent: Unknown, all that it reported."""
    found = list(node.get("status", {}).get("conditions") or [])
    for kind in REPORTED:
        old = conditions.find(found, kind)
        made = conditions.condition(
            kind,
            "Unknown",
            at=at,
            reason="NodeStatusUnknown" if old else "NodeStatusNeverUpdated",
            message="Kubelet stopped posting node status."
            if old
            else "Kubelet never posted node status.",
            lastHeartbeatTime=(old or {}).get("lastHeartbeatTime")
            or node["metadata"].get("creationTimestamp"),
        )
        found = conditions.replaced(found, made)
    return found


def seconds_to_eviction(pod: Object, taints: Sequence[Object], *, at: dt.datetime) -> float | None:
    """Seconds until the pod must leave its node; 0 at once, None never.

    A taint without a toleration evicts at once; of several tolerated ones (each by the first
    toleration that covers it) the shortest time counts, from when the taint was added.
    """
    if pods.is_terminating(pod):
        return None
    tolerations = pod["spec"].get("tolerations") or ()
    waits: list[float] = []
    for taint in (one for one in taints if one["effect"] == "NoExecute"):
        covering = next((one for one in tolerations if matching.tolerates(one, taint)), None)
        if covering is None:
            return 0.0
        limit = covering.get("tolerationSeconds")
        if limit is not None:
            since = taint.get("timeAdded") or times.stamp(at)
            left = moments.seconds_until(since, plus_seconds=max(limit, 0), at=at)
            waits.append(max(0.0, left))
    return min(waits, default=None)


def may_evict(node: Object, nodes: Sequence[Object]) -> bool:
    """Whether pods of a lost node are moved away (documentation "Nodes", rate limits on eviction).

    Not when no node of the cluster is ready: then it is the control plane that is cut off. Not in
    a zone of which most is lost (more than two nodes, 55 % of them) but not all, in a cluster of
    at most 50 nodes.
    """
    if all(is_lost(other) for other in nodes):
        return False
    same_zone = [other for other in nodes if _zone(other) == _zone(node)]
    lost = sum(is_lost(other) for other in same_zone)
    is_partial = lost < len(same_zone) and lost > SPARED and lost >= UNHEALTHY * len(same_zone)
    return not is_partial or len(nodes) > SMALL_CLUSTER


def _zone(node: Object) -> tuple[str | None, str | None]:
    labels = node["metadata"].get("labels") or {}
    return labels.get("topology.kubernetes.io/region"), labels.get("topology.kubernetes.io/zone")


def is_out_of_service(node: Object) -> bool:
    """Whether someone has vouched that a lost node is off: its pods may be forgotten."""
    taints = node.get("spec", {}).get("taints") or ()
    return readiness(node) != "True" and any(one["key"] == OUT_OF_SERVICE for one in taints)

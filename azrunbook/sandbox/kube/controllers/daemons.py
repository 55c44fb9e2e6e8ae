"""Where daemon pods belong, and which of them an update replaces next.

Law: pure. Source: documentation "DaemonSet" and k8s.io/kubernetes pkg/controller/daemon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import matching, quantities
from azrunbook.sandbox.kube.controllers.node_state import NodeState, fits_affinity

Object = dict[str, Any]

_NODE_NAME = "metadata.name"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


def tolerations_of(spec: Object) -> list[Object]:
    """The template's tolerations and those that every daemon pod has."""
    present = list(spec.get("tolerations") or ())
    wanted = list(_TOLERATED)
    if spec.get("hostNetwork"):
        wanted.append(("node.kubernetes.io/network-unavailable", "NoSchedule"))
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in wanted]
    return present + [one for one in added if one not in present]


def pin_to_node(spec: Object, node_name: str) -> Object:
    """The pod spec with an affinity that admits this node only."""
    field = {"key": _NODE_NAME, "operator": "In", "values": [node_name]}
    affinity = dict(spec.get("affinity") or {})
    node_affinity = dict(affinity.get("nodeAffinity") or {})
    terms = (node_affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    node_affinity[_REQUIRED] = {
        "nodeSelectorTerms": [{**term, "matchFields": [field]} for term in terms]
    }
    affinity["nodeAffinity"] = node_affinity
    return {**spec, "affinity": affinity, "tolerations": tolerations_of(spec)}


def target_of(pod: Object) -> str:
    """The node that a daemon pod is on, or is pinned to while it waits for the scheduler."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    node_affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    for term in (node_affinity.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == _NODE_NAME and field["operator"] == "In":
                return str(field["values"][0])
    return ""


def runs_on(template: Object, node: Object) -> tuple[bool, bool]:
    """Whether a daemon pod should be started on the node, and whether one may stay there."""
    pod = {"metadata": template.get("metadata") or {}, "spec": template["spec"]}
    state = NodeState(node, ())
    if not fits_affinity(pod, state):
        return False, False
    tolerations = tolerations_of(template["spec"])
    refuses = matching.find_untolerated(
        state.taints, tolerations, effects=("NoSchedule", "NoExecute")
    )
    evicts = matching.find_untolerated(state.taints, tolerations, effects=("NoExecute",))
    return refuses is None, evicts is None


def plan_replacements(
    old: Sequence[Object],
    *,
    available: Mapping[str, bool],
    desired: int,
    max_unavailable: int | str | None,
) -> list[Object]:
    """The old pods to delete now. `available` says of every target node whether a pod serves there.

    Old pods that do not serve go at once; of the others as many as maxUnavailable leaves.
    """
    limit = quantities.resolve_share(
        1 if max_unavailable is None else max_unavailable, desired, round_up=True
    )
    broken = [pod for pod in old if not available.get(target_of(pod))]
    serving = [pod for pod in old if available.get(target_of(pod))]
    missing = desired - sum(available.values())
    return broken + serving[: max(0, limit - missing)]


@dataclass(frozen=True)
class NodePods:
    """The daemon pods of one node that are not being deleted; the oldest of each revision."""

    new: Object | None
    old: Object | None
    is_new_available: bool = False
    is_old_available: bool = False


def surplus(
    running: Sequence[Object], found: NodePods, *, may_double: bool, is_new_ready: bool
) -> list[Object]:
    """The pods of one node (oldest first) that are too many.

    With a surge an old pod stays beside the new one while it serves and the new one does not yet.
    """
    if not may_double or found.new is None:
        return list(running[1:])
    doubles = found.old is not None and found.is_old_available and not is_new_ready
    kept = [found.new, found.old] if doubles else [found.new]
    return [pod for pod in running if pod not in kept]


def plan_surge(
    by_node: Mapping[str, NodePods], max_surge: int | str
) -> tuple[list[str], list[Object]]:
    """Nodes that get a second, new pod now, and old pods whose replacement serves.

    An old pod that does not serve is joined by a new one at once; others as maxSurge leaves.
    """
    limit = quantities.resolve_share(max_surge, len(by_node), round_up=True)
    free: list[str] = []
    candidates: list[str] = []
    leaving: list[Object] = []
    surged = 0
    for name, found in sorted(by_node.items()):
        if found.new is None and found.old is None:
            surged += 1  # its pod is being made
        elif found.old is None:
            continue
        elif found.new is None:
            (candidates if found.is_old_available else free).append(name)
        elif found.is_new_available:
            leaving.append(found.old)
        else:
            surged += 1
    return free + candidates[: max(0, limit - surged)], leaving

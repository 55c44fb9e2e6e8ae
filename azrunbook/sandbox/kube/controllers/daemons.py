"""Where daemon pods belong, and which of them an update replaces next.

Law: pure. Source: documentation "DaemonSet" and k8s.io/kubernetes pkg/controller/daemon.
Not emulated: maxSurge of a rolling update (a daemon pod is replaced, never doubled).
"""

from collections.abc import Mapping, Sequence
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

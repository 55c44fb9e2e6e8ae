"""Where a pod goes: filters, scores, and the sentence when it fits nowhere.

Law: pure; a decision about a snapshot. The order of the filters and the words are those of
kube-scheduler 1.36. Not emulated: preemption (a pod never evicts another).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import matching, pod_affinity, pods, spread
from azrunbook.sandbox.kube.controllers.node_state import (
    NodeState,
    assumed_requests,
    fits_affinity,
    named_nodes,
)

Object = dict[str, Any]

UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
NO_NODES = "no nodes available to schedule pods"
_PREEMPTION_HELPS_NOT = "Preemption is not helpful for scheduling"
_VOLUME_ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
_NOT_NAMED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
_NO_VICTIMS = "No preemption victims found for incoming pod"


@dataclass(frozen=True)
class Snapshot:
    """What a placement depends on besides the pod."""

    states: tuple[NodeState, ...]
    namespaces: pod_affinity.NamespaceLabels
    default_selector: Object | None = None
    """Selects the pods that belong together with this one (its ReplicaSet, its Services)."""
    problem: str = ""
    """Why the pod fits nowhere, whatever the node: a claim that is missing or not bound."""
    volume_selectors: tuple[Object, ...] = ()
    """Node selectors of the volumes that the pod mounts."""


@dataclass(frozen=True)
class Refusal:
    """Why one node cannot take the pod; `is_final`: evicting other pods would not change it."""

    reasons: tuple[str, ...]
    is_final: bool


@dataclass(frozen=True)
class Placement:
    """The node chosen, or None and the message."""

    node_name: str | None
    message: str = ""


def plan_placement(pod: Object, snapshot: Snapshot) -> Placement:
    """Choose a node. Among equals: fewest pods, then by name, so that it is repeatable."""
    if not snapshot.states:
        return Placement(None, NO_NODES)
    if snapshot.problem:
        return Placement(None, _describe_problem(snapshot.problem, len(snapshot.states)))
    refusals = find_refusals(pod, snapshot)
    feasible = [state for state in snapshot.states if state.name not in refusals]
    if not feasible:
        return Placement(None, describe(refusals, len(snapshot.states)))
    scores = score(pod, feasible, snapshot)
    best = min(feasible, key=lambda state: (-scores[state.name], len(state.pods), state.name))
    return Placement(best.name)


def find_refusals(pod: Object, snapshot: Snapshot) -> dict[str, Refusal]:
    """Node name to the first filter that refuses it, in the scheduler's order."""
    refused: dict[str, Refusal] = {}
    named = named_nodes(pod)
    wants = sorted(pods.requests(pod).items(), key=_resource_order)
    for state in snapshot.states:
        if named is not None and state.name not in named:
            refused[state.name] = Refusal((_NOT_NAMED,), is_final=True)
            continue
        refusal = (
            _refuse_alone(pod, state)
            or _refuse_by_size(wants, state)
            or _refuse_volumes(snapshot, state)
        )
        if refusal is not None:
            refused[state.name] = refusal
    for name, reason in spread.find_refusals(pod, snapshot.states).items():
        refused.setdefault(name, Refusal((reason,), reason == spread.NO_TOPOLOGY))
    others = pod_affinity.find_refusals(pod, snapshot.states, snapshot.namespaces)
    for name, reason in others.items():
        refused.setdefault(name, Refusal((reason,), reason == pod_affinity.AFFINITY))
    return refused


def _refuse_alone(pod: Object, state: NodeState) -> Refusal | None:
    """The filters that look at one node only, but for its size."""
    tolerations = pod["spec"].get("tolerations") or ()
    if state.is_unschedulable and not any(
        matching.tolerates(one, UNSCHEDULABLE) for one in tolerations
    ):
        return Refusal(("node(s) were unschedulable",), is_final=True)
    effects = ("NoSchedule", "NoExecute")
    if matching.find_untolerated(state.taints, tolerations, effects=effects) is not None:
        return Refusal(("node(s) had untolerated taint(s)",), is_final=True)
    if not fits_affinity(pod, state):
        return Refusal(("node(s) didn't match Pod's node affinity/selector",), is_final=True)
    wanted = pods.host_ports(pod)
    if any(_overlap(wanted, pods.host_ports(other)) for other in state.pods if wanted):
        reason = "node(s) didn't have free ports for the requested pod ports"
        return Refusal((reason,), is_final=False)
    return None


def _refuse_volumes(snapshot: Snapshot, state: NodeState) -> Refusal | None:
    for selector in snapshot.volume_selectors:
        if not matching.matches_node_selector(selector, name=state.name, labels=state.labels):
            return Refusal((_VOLUME_ELSEWHERE,), is_final=True)
    return None


def _overlap(wanted: set[tuple[str, str, int]], taken: set[tuple[str, str, int]]) -> bool:
    everywhere = "0.0.0.0"  # noqa: S104 - compared with, not bound
    return any(
        w[1:] == t[1:] and (everywhere in (w[0], t[0]) or w[0] == t[0])
        for w in wanted
        for t in taken
    )


def _refuse_by_size(wants: Sequence[tuple[str, int]], state: NodeState) -> Refusal | None:
    reasons, is_final = [], False
    if (len(state.pods) + 1) * 1000 > state.allocatable["pods"]:
        reasons.append("Too many pods")
    for name, amount in wants:
        if amount and amount > state.allocatable[name] - state.used[name]:
            reasons.append(f"Insufficient {name}")
            is_final = is_final or amount > state.allocatable[name]
    return Refusal(tuple(reasons), is_final) if reasons else None


def _resource_order(item: tuple[str, int]) -> tuple[int, str]:
    known = ("cpu", "memory", "ephemeral-storage")
    return (known.index(item[0]) if item[0] in known else len(known), item[0])


def describe(refusals: dict[str, Refusal], total: int) -> str:
    """The message of FailedScheduling and of the PodScheduled condition."""
    reasons = Counter(reason for one in refusals.values() for reason in one.reasons)
    helpless = Counter(
        _PREEMPTION_HELPS_NOT if one.is_final else _NO_VICTIMS for one in refusals.values()
    )
    start = f"0/{total} nodes are available: "
    preemption = f"no new claims to deallocate, preemption: {start}{_listed(helpless)}."
    return f"{start}{_listed(reasons)}. {preemption}"


def _describe_problem(problem: str, total: int) -> str:
    start = f"0/{total} nodes are available: "
    return f"{start}{problem}. preemption: {start}{total} {_PREEMPTION_HELPS_NOT}."


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))


def score(pod: Object, feasible: Sequence[NodeState], snapshot: Snapshot) -> dict[str, float]:
    """The weighted sum of the scheduler's default scores."""
    total: dict[str, float] = {}
    preferred = _preferred_nodes(pod, feasible)
    bearable = _bearable_taints(pod, feasible)
    spreading = spread.score(pod, feasible, snapshot.states, snapshot.default_selector)
    together = pod_affinity.score(pod, feasible, snapshot.states, snapshot.namespaces)
    wants = assumed_requests(pod)
    for state in feasible:
        name = state.name
        total[name] = (
            _balance(wants, state)
            + 2 * preferred[name]
            + 3 * bearable[name]
            + 2 * spreading[name]
            + 2 * together[name]
        )
    return total


def _balance(wants: Mapping[str, int], state: NodeState) -> float:
    """Least allocated plus balanced allocation, 0 to 200."""
    shares = [
        min(1.0, (state.assumed[name] + wants[name]) / state.allocatable[name])
        for name in ("cpu", "memory")
        if state.allocatable[name]
    ]
    if not shares:
        return 0.0
    least = 100.0 * (1.0 - sum(shares) / len(shares))
    imbalance = (max(shares) - min(shares)) / 2
    return least + 100.0 * (1.0 - imbalance)


def _preferred_nodes(pod: Object, feasible: Sequence[NodeState]) -> dict[str, float]:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    raw = {
        state.name: sum(
            int(term["weight"])
            for term in terms
            if matching.matches_node_term(term["preference"], name=state.name, labels=state.labels)
        )
        for state in feasible
    }
    most = max(raw.values(), default=0)
    return {name: 100.0 * value / most if most else 0.0 for name, value in raw.items()}


def _bearable_taints(pod: Object, feasible: Sequence[NodeState]) -> dict[str, float]:
    tolerations = pod["spec"].get("tolerations") or ()
    raw = {
        state.name: sum(
            matching.find_untolerated([taint], tolerations, effects=["PreferNoSchedule"])
            is not None
            for taint in state.taints
        )
        for state in feasible
    }
    most = max(raw.values(), default=0)
    return {name: 100.0 * (1 - value / most) if most else 100.0 for name, value in raw.items()}

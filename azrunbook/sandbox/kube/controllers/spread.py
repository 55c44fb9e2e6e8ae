"""topologySpreadConstraints: which nodes they allow, and how evenly a node would spread.

Law: pure. Source: documentation "Pod Topology Spread Constraints" and the scheduler's plugin
PodTopologySpread (with its default constraints: zone, skew 5; host, skew 3; both only preferred).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import matching, pods
from azrunbook.sandbox.kube.controllers.node_state import NodeState, fits_affinity

Object = dict[str, Any]

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
NOT_SPREAD = "node(s) didn't match pod topology spread constraints"
NO_TOPOLOGY = NOT_SPREAD + " (missing required label)"


@dataclass(frozen=True)
class Constraint:
    """One constraint with its selector completed by matchLabelKeys."""

    key: str
    max_skew: int
    selector: Object
    min_domains: int | None = None
    honours_affinity: bool = True
    honours_taints: bool = False


def constraints_of(pod: Object, when: str) -> list[Constraint]:
    """The pod's own constraints with this whenUnsatisfiable."""
    labels = pod["metadata"].get("labels") or {}
    found = []
    for one in pod["spec"].get("topologySpreadConstraints") or ():
        if one["whenUnsatisfiable"] != when:
            continue
        selector = dict(one.get("labelSelector") or {})
        keys = {key: labels[key] for key in one.get("matchLabelKeys") or () if key in labels}
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **keys}
        found.append(
            Constraint(
                one["topologyKey"],
                int(one["maxSkew"]),
                selector,
                one.get("minDomains"),
                honours_affinity=one.get("nodeAffinityPolicy", "Honor") == "Honor",
                honours_taints=one.get("nodeTaintsPolicy", "Ignore") == "Honor",
            )
        )
    return found


def default_constraints(selector: Object | None) -> list[Constraint]:
    """What the scheduler prefers for a pod without constraints of its own."""
    if not selector:
        return []
    return [Constraint(HOST, 3, selector), Constraint(ZONE, 5, selector)]


def _counts_node(constraint: Constraint, pod: Object, state: NodeState) -> bool:
    if constraint.honours_affinity and not fits_affinity(pod, state):
        return False
    if not constraint.honours_taints:
        return True
    tolerations = pod["spec"].get("tolerations") or ()
    effects = ("NoSchedule", "NoExecute")
    return matching.find_untolerated(state.taints, tolerations, effects=effects) is None


def _count(constraint: Constraint, pod: Object, state: NodeState) -> int:
    """Pods of the node that the constraint counts; what is being deleted does not count."""
    namespace = pod["metadata"].get("namespace")
    return sum(
        1
        for other in state.pods
        if other["metadata"].get("namespace") == namespace
        and not pods.is_terminating(other)
        and matching.matches(constraint.selector, other["metadata"].get("labels"))
    )


def _domains(
    constraint: Constraint, pod: Object, states: Sequence[NodeState], keys: set[str]
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for state in states:
        if keys <= state.labels.keys() and _counts_node(constraint, pod, state):
            counts[state.labels[constraint.key]] += _count(constraint, pod, state)
    return counts


def find_refusals(pod: Object, states: Sequence[NodeState]) -> dict[str, str]:
    """Node name to the reason for which a DoNotSchedule constraint refuses it."""
    constraints = constraints_of(pod, "DoNotSchedule")
    keys = {constraint.key for constraint in constraints}
    refused: dict[str, str] = {}
    for constraint in constraints:
        domains = _domains(constraint, pod, states, keys)
        is_short = constraint.min_domains is not None and len(domains) < constraint.min_domains
        least = 0 if is_short else min(domains.values(), default=0)
        own = int(matching.matches(constraint.selector, pod["metadata"].get("labels")))
        for state in states:
            value = state.labels.get(constraint.key)
            if value is None:
                refused.setdefault(state.name, NO_TOPOLOGY)
            elif domains[value] + own - least > constraint.max_skew:
                refused.setdefault(state.name, NOT_SPREAD)
    return refused


def score(
    pod: Object,
    feasible: Sequence[NodeState],
    states: Sequence[NodeState],
    default_selector: Object | None,
) -> dict[str, float]:
    """0 to 100 per feasible node: the emptier its domains, the more."""
    constraints = constraints_of(pod, "ScheduleAnyway")
    is_own = bool(pod["spec"].get("topologySpreadConstraints"))
    if not is_own:
        constraints = default_constraints(default_selector)
    if not constraints:
        return {state.name: 0.0 for state in feasible}
    keys = {constraint.key for constraint in constraints} if is_own else set()
    raw: dict[str, float] = {}
    for state in feasible:
        if keys <= state.labels.keys():
            raw[state.name] = 0.0
    for constraint in constraints:
        domains = _domains(constraint, pod, states, keys | {constraint.key})
        size = len({state.labels.get(constraint.key) for state in feasible} - {None})
        weight = math.log(size + 2)
        for state in feasible:
            value = state.labels.get(constraint.key)
            if value is not None and state.name in raw:
                raw[state.name] += domains[value] * weight + constraint.max_skew - 1
    return _normalised(raw, feasible)


def _normalised(raw: dict[str, float], feasible: Sequence[NodeState]) -> dict[str, float]:
    most, least = max(raw.values(), default=0.0), min(raw.values(), default=0.0)
    return {
        state.name: 0.0
        if state.name not in raw
        else 100.0 * (most + least - raw[state.name]) / most
        if most
        else 100.0
        for state in feasible
    }

"""Pod affinity and anti-affinity: which nodes they allow, and which they prefer.

Law: pure. Source: documentation "Inter-pod affinity and anti-affinity" and the scheduler's plugin
InterPodAffinity.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import matching
from azrunbook.sandbox.kube.controllers.node_state import NodeState

Object = dict[str, Any]
NamespaceLabels = Mapping[str, Mapping[str, str]]
Domain = tuple[str, str]  # topology key, value

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
OTHERS_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def _required(pod: Object, kind: str) -> Sequence[Object]:
    part = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return part.get(_REQUIRED) or ()


def _preferred(pod: Object, kind: str) -> Sequence[tuple[int, Object]]:
    part = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return [(int(one["weight"]), one["podAffinityTerm"]) for one in part.get(_PREFERRED) or ()]


def has_terms(pod: Object) -> bool:
    affinity = pod["spec"].get("affinity") or {}
    return bool(affinity.get("podAffinity") or affinity.get("podAntiAffinity"))


def _selects(term: Object, owner: Object, other: Object, namespaces: NamespaceLabels) -> bool:
    """Whether a term of `owner` speaks of the pod `other`."""
    if not matching.matches(_completed(term, owner), other["metadata"].get("labels")):
        return False
    named, selector = term.get("namespaces") or (), term.get("namespaceSelector")
    there = other["metadata"].get("namespace", "")
    if not named and selector is None:
        return bool(there == owner["metadata"].get("namespace"))
    return there in named or matching.matches(selector, namespaces.get(there, {}))


def _completed(term: Object, owner: Object) -> Object | None:
    """The term's selector with the values of its matchLabelKeys and mismatchLabelKeys."""
    selector = term.get("labelSelector")
    if selector is None:
        return None
    labels = owner["metadata"].get("labels") or {}
    expressions = list(selector.get("matchExpressions") or ())
    for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
        expressions += [
            {"key": key, "operator": operator, "values": [labels[key]]}
            for key in term.get(field) or ()
            if key in labels
        ]
    return {**selector, "matchExpressions": expressions}


def _domains_of(
    term: Object, pod: Object, states: Iterable[NodeState], namespaces: NamespaceLabels
) -> Counter[Domain]:
    """How many pods that the term speaks of are in each domain of its topology key."""
    key = term["topologyKey"]
    counts: Counter[Domain] = Counter()
    for state in states:
        if key in state.labels:
            found = sum(_selects(term, pod, other, namespaces) for other in state.pods)
            counts[key, state.labels[key]] += found
    return +counts


def find_refusals(
    pod: Object, states: Sequence[NodeState], namespaces: NamespaceLabels
) -> dict[str, str]:
    """Node name to the reason for which affinity rules refuse it."""
    wanted = [(t, _domains_of(t, pod, states, namespaces)) for t in _required(pod, "podAffinity")]
    is_first = not any(counts for _, counts in wanted) and all(
        _selects(term, pod, pod, namespaces) for term, _ in wanted
    )
    avoided: set[Domain] = set()
    for term in _required(pod, "podAntiAffinity"):
        avoided |= set(_domains_of(term, pod, states, namespaces))
    claimed = _claimed_against(pod, states, namespaces)
    refused: dict[str, str] = {}
    for state in states:
        own = set(state.labels.items())
        if not all(_is_near(term, counts, state, is_first=is_first) for term, counts in wanted):
            refused[state.name] = AFFINITY
        elif avoided & own:
            refused[state.name] = ANTI_AFFINITY
        elif claimed & own:
            refused[state.name] = OTHERS_ANTI_AFFINITY
    return refused


def _is_near(term: Object, counts: Counter[Domain], state: NodeState, *, is_first: bool) -> bool:
    value = state.labels.get(term["topologyKey"])
    if value is None:
        return False
    return is_first or (term["topologyKey"], value) in counts


def _claimed_against(
    pod: Object, states: Iterable[NodeState], namespaces: NamespaceLabels
) -> set[Domain]:
    """Domains in which a running pod forbids this one by its own anti-affinity."""
    return {
        (term["topologyKey"], state.labels[term["topologyKey"]])
        for state in states
        for other in state.pods_with_affinity
        for term in _required(other, "podAntiAffinity")
        if term["topologyKey"] in state.labels and _selects(term, other, pod, namespaces)
    }


def score(
    pod: Object,
    feasible: Sequence[NodeState],
    states: Sequence[NodeState],
    namespaces: NamespaceLabels,
) -> dict[str, float]:
    """0 to 100 per feasible node by the preferred terms of this pod and of those running."""
    weights: Counter[Domain] = Counter()
    for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        for weight, term in _preferred(pod, kind):
            for domain, count in _domains_of(term, pod, states, namespaces).items():
                weights[domain] += sign * weight * count
        _add_others(weights, kind, sign, pod=pod, states=states, namespaces=namespaces)
    raw = {
        state.name: sum(weights.get(domain, 0) for domain in state.labels.items())
        for state in feasible
    }
    most, least = max(raw.values(), default=0), min(raw.values(), default=0)
    span = most - least
    return {name: 100.0 * (value - least) / span if span else 0.0 for name, value in raw.items()}


def _add_others(
    weights: Counter[Domain],
    kind: str,
    sign: int,
    *,
    pod: Object,
    states: Iterable[NodeState],
    namespaces: NamespaceLabels,
) -> None:
    for state in states:
        for other in state.pods_with_affinity:
            terms = list(_preferred(other, kind))
            if kind == "podAffinity":
                terms += [(1, term) for term in _required(other, kind)]
            for weight, term in terms:
                key = term["topologyKey"]
                if key in state.labels and _selects(term, other, pod, namespaces):
                    weights[key, state.labels[key]] += sign * weight

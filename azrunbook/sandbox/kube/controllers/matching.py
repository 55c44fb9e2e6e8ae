"""Label selectors, node selectors and taints: does this match that.

Law: pure. Source: the field documentation of LabelSelector, NodeSelector and Toleration.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from azrunbook.sandbox.kube import selectors

Object = dict[str, Any]
Labels = Mapping[str, str]

_NODE_OPERATORS = {**selectors.OPERATORS, "Gt": ">", "Lt": "<"}


def matches(selector: Object | None, labels: Labels | None) -> bool:
    """Whether a LabelSelector matches; None matches nothing, an empty one everything."""
    requirements = selectors.from_label_selector(selector)
    return requirements is not None and selectors.match_labels(requirements, labels or {})


def matches_map(wanted: Labels | None, labels: Labels | None) -> bool:
    """Whether a plain map (the selector of a Service) matches; None or empty matches nothing."""
    found = labels or {}
    return bool(wanted) and all(found.get(k) == v for k, v in (wanted or {}).items())


def _meets(terms: Iterable[Object], labels: Labels) -> bool:
    return all(
        selectors.Requirement(
            term["key"], _NODE_OPERATORS[term["operator"]], tuple(term.get("values") or ())
        ).matches(labels)
        for term in terms
    )


def matches_node_term(term: Object, *, name: str, labels: Labels) -> bool:
    """Whether one NodeSelectorTerm matches a node; an empty term matches no node."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return _meets(fields, {"metadata.name": name}) and _meets(expressions, labels)


def matches_node_selector(selector: Object | None, *, name: str, labels: Labels) -> bool:
    """Whether a NodeSelector (terms are ORed) matches a node; None matches every node."""
    if selector is None:
        return True
    terms = selector.get("nodeSelectorTerms") or ()
    return any(matches_node_term(term, name=name, labels=labels) for term in terms)


def tolerates(toleration: Object, taint: Object) -> bool:
    """Whether one toleration covers one taint (effect, key and value)."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    key = toleration.get("key") or ""
    if key and key != taint["key"]:
        return False
    if (toleration.get("operator") or "Equal") == "Exists":
        return True
    return bool(key) and (toleration.get("value") or "") == (taint.get("value") or "")


def find_untolerated(
    taints: Iterable[Object], tolerations: Iterable[Object], *, effects: Iterable[str]
) -> Object | None:
    """The first taint with one of these effects that no toleration covers."""
    known, wanted = list(tolerations), set(effects)
    for taint in taints:
        if taint.get("effect") in wanted and not any(tolerates(t, taint) for t in known):
            return taint
    return None

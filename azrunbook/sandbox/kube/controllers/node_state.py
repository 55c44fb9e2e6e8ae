"""A node as the scheduler sees it: labels, taints, what it can hold and what it holds.

Law: pure. Amounts are milli-units (see pods.requests).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azrunbook.sandbox.kube.controllers import matching, pods, quantities

Object = dict[str, Any]

# What the scheduler assumes of a container that asks for nothing, when it compares nodes.
ASSUMED_CPU_MILLI = 100
ASSUMED_MEMORY_MILLI = 200 * 2**20 * 1000


@dataclass(frozen=True)
class NodeState:
    """One node and the unfinished pods bound to it."""

    node: Object
    pods: tuple[Object, ...]

    @cached_property
    def name(self) -> str:
        return str(self.node["metadata"]["name"])

    @cached_property
    def labels(self) -> dict[str, str]:
        return self.node["metadata"].get("labels") or {}

    @cached_property
    def taints(self) -> Sequence[Object]:
        return self.node.get("spec", {}).get("taints") or ()

    @cached_property
    def is_unschedulable(self) -> bool:
        return bool(self.node.get("spec", {}).get("unschedulable"))

    @cached_property
    def allocatable(self) -> Counter[str]:
        status = self.node.get("status") or {}
        amounts = status.get("allocatable") or status.get("capacity") or {}
        return Counter({k: pods.in_milli(quantities.parse_quantity(v)) for k, v in amounts.items()})

    @cached_property
    def pods_with_affinity(self) -> tuple[Object, ...]:
        """The pods that say beside which others they want, or want not, to be."""
        return tuple(
            pod
            for pod in self.pods
            if (pod["spec"].get("affinity") or {}).keys() & {"podAffinity", "podAntiAffinity"}
        )

    @cached_property
    def used(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for pod in self.pods:
            total.update(pods.requests(pod))
        return total

    @cached_property
    def assumed(self) -> Counter[str]:
        """Used CPU and memory, counting a little for pods that ask for nothing."""
        total: Counter[str] = Counter()
        for pod in self.pods:
            total.update(assumed_requests(pod))
        return total


def assumed_requests(pod: Object) -> Counter[str]:
    asked = pods.requests(pod)
    return Counter(
        cpu=asked["cpu"] or ASSUMED_CPU_MILLI, memory=asked["memory"] or ASSUMED_MEMORY_MILLI
    )


def required_node_affinity(pod: Object) -> Object | None:
    node_affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required: Object | None = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required


def named_nodes(pod: Object) -> set[str] | None:
    """The only nodes that a required affinity names, as for daemon pods; None if it names none."""
    named: set[str] = set()
    terms = (required_node_affinity(pod) or {}).get("nodeSelectorTerms") or ()
    for term in terms:
        fields = [f for f in term.get("matchFields") or () if f["operator"] == "In"]
        if not fields:
            return None
        named |= set.intersection(*(set(field["values"]) for field in fields))
    return named or None


def fits_affinity(pod: Object, state: NodeState) -> bool:
    """Whether the pod's nodeSelector and required node affinity admit the node."""
    selector = pod["spec"].get("nodeSelector")
    if selector and not matching.matches_map(selector, state.labels):
        return False
    return matching.matches_node_selector(
        required_node_affinity(pod), name=state.name, labels=state.labels
    )

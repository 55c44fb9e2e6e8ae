"""The disruption controller: the status of each PodDisruptionBudget.

Law: the arithmetic is budgets.py's. The eviction subresource takes from what is written here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import budgets, loop, matching, owners
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

SCALED = (("apps", "replicasets"), ("apps", "statefulsets"), ("apps", "deployments"))


class DisruptionController:
    """Keeps the status of budgets."""

    name = "disruption"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._budgets = cluster.resource("policy", "poddisruptionbudgets")
        self._pods = cluster.resource("", "pods")

    def watches(self) -> Sequence[loop.Watch]:
        scaled = [self._cluster.resource(group, plural) for group, plural in SCALED]
        return [
            loop.Watch(self._budgets, loop.own_key),
            loop.Watch(self._pods, self._of_pod),
            *(loop.Watch(resource, self._of_scaled) for resource in scaled),
        ]

    def _of_pod(self, change: loop.Change) -> Iterable[loop.Key]:
        for budget in self._in_namespace(change.object):
            selector = budget["spec"].get("selector")
            if any(matching.matches(selector, s["metadata"].get("labels")) for s in change.states):
                yield loop.key_of(budget)

    def _of_scaled(self, change: loop.Change) -> Iterable[loop.Key]:
        sizes = {state["spec"].get("replicas") for state in change.states}
        if change.type == "MODIFIED" and len(sizes) == 1:
            return []
        return [loop.key_of(budget) for budget in self._in_namespace(change.object)]

    def _in_namespace(self, obj: Object) -> list[Object]:
        return self._cluster.registry.list(self._budgets, obj["metadata"]["namespace"])

    def reconcile(self, key: loop.Key) -> float | None:
        budget = self._cluster.registry.find(self._budgets, *key)
        if budget is None:
            return None
        selector = budget["spec"].get("selector")
        selected = [
            pod
            for pod in self._cluster.registry.list(self._pods, key[0])
            if matching.matches(selector, pod["metadata"].get("labels"))
        ]
        expected = len(selected)
        if budgets.needs_scale(budget):
            expected = self._expected(selected)
        now = self._cluster.clock()
        status = budgets.plan_status(budget, selected, expected, at=now)
        self._cluster.write_status(self._budgets, budget, status)
        return float(budgets.DISRUPTED_SECONDS) if status.get("disruptedPods") else None

    def _expected(self, selected: Iterable[Object]) -> int:
        """How many pods the controllers of these pods want, each controller counted once."""
        wanted: dict[str, int] = {}
        for pod in selected:
            scaled = self._scaled_owner(pod)
            if scaled is not None:
                wanted[scaled["metadata"]["uid"]] = int(scaled["spec"].get("replicas", 1))
        return sum(wanted.values())

    def _scaled_owner(self, pod: Object) -> Object | None:
        """The Deployment above the pod, or what controls it directly."""
        found, above = None, owners.find_controller(pod)
        while above is not None:
            resource = self._cluster.registry.resources.find_kind(
                above["apiVersion"], above["kind"]
            )
            if resource is None:
                break
            namespace = pod["metadata"]["namespace"]
            owner = self._cluster.registry.find(resource, namespace, above["name"])
            if owner is None or "replicas" not in owner.get("spec", {}):
                break
            found, above = owner, owners.find_controller(owner)
        return found

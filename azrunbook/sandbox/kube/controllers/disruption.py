"""The disruption controller: the status of each PodDisruptionBudget.

Law: the arithmetic is budgets.py's. The eviction subresource takes from what is written here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import selectors
from azrunbook.sandbox.kube.controllers import budgets, loop, matching, owners
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "controllermanager"
UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. "
    "As a result, the status of the PDB cannot be calculated correctly, which may result in "
    'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the '
    "PDB to an integer value."
)
SCALED = (("apps", "replicasets"), ("apps", "statefulsets"), ("apps", "deployments"))


class _NotScaledError(Exception):
    """A budget over pods of which nobody says how many there should be."""


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
        now = self._cluster.clock()
        if not selected:
            self._tell(budget, "Normal", "NoPods", "No matching pods found")
        try:
            expected = self._expected(budget, selected)
        except _NotScaledError as error:
            why = str(error)
            text = f"Failed to calculate the number of expected pods: {why}"
            self._tell(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            self._cluster.write_status(
                self._budgets, budget, budgets.plan_failed_status(budget, why, at=now)
            )
            return None
        status = budgets.plan_status(budget, selected, expected, at=now)
        self._cluster.write_status(self._budgets, budget, status)
        return budgets.seconds_to_overdue(status, at=now)

    def _expected(self, budget: Object, selected: Sequence[Object]) -> int:
        """How many pods the controllers of these pods want, each controller counted once.

        Raises _NotScaledError for pods of what has no number of replicas.
        """
        if not budgets.needs_scale(budget):
            return len(selected)
        wanted: dict[str, int] = {}
        unmanaged = []
        for pod in selected:
            above = owners.find_controller(pod)
            if above is None:
                unmanaged.append(pod)
                continue
            scaled = self._scaled_owner(pod)
            if scaled is None:
                raise self._explain(budget, pod, above)
            wanted[scaled["metadata"]["uid"]] = int(scaled["spec"].get("replicas", 1))
        if unmanaged:
            requirements = selectors.from_label_selector(budget["spec"].get("selector")) or ()
            text = UNMANAGED.format(selector=selectors.format_requirements(requirements))
            self._tell(budget, "Warning", "UnmanagedPods", text)
        return sum(wanted.values())

    def _explain(self, budget: Object, pod: Object, above: Object) -> _NotScaledError:
        table = self._cluster.registry.resources
        resource = table.find_kind(above["apiVersion"], above["kind"])
        if resource is not None and resource.find_subresource("scale") is None:
            what = f"{resource.plural}.{resource.group}".rstrip(".")
            return _NotScaledError(f"{what} does not implement the scale subresource")
        error = _NotScaledError(f'found no controllers for pod "{pod["metadata"]["name"]}"')
        self._tell(budget, "Warning", "NoControllers", str(error))
        return error

    def _tell(self, budget: Object, kind: str, reason: str, message: str) -> None:
        events = self._cluster.events
        tell = events.normal if kind == "Normal" else events.warning
        tell(budget, reason, message, component=COMPONENT)

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

"""The EndpointSlice controller, and the legacy Endpoints beside it.

Law: what should be there is endpoints.py's; here slices are made to match it with as few writes
as possible. A Service without a selector is left to whoever writes its slices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import endpoints, loop, matching, owners, pods
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


def _services_of(cluster: Access, change: loop.Change) -> Iterable[loop.Key]:
    """The Services that select a pod now or did before the change."""
    namespace = change.object["metadata"]["namespace"]
    for service in cluster.registry.list(cluster.resource("", "services"), namespace):
        selector = service["spec"].get("selector")
        if any(matching.matches_map(selector, s["metadata"].get("labels")) for s in change.states):
            yield loop.key_of(service)


def _zones_of(cluster: Access, change: loop.Change) -> Iterable[loop.Key]:
    """Every Service, when a node's labels changed or it came or went."""
    labels = [state["metadata"].get("labels") for state in change.states]
    if change.type == "MODIFIED" and labels[0] == labels[-1]:
        return []
    return [loop.key_of(one) for one in cluster.registry.list(cluster.resource("", "services"))]


class EndpointSliceController:
    """Writes the EndpointSlices of each Service with a selector."""

    name = "endpointslice"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._services = cluster.resource("", "services")
        self._pods = cluster.resource("", "pods")
        self._nodes = cluster.resource("", "nodes")
        self._slices = cluster.resource("discovery.k8s.io", "endpointslices")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._services, loop.own_key),
            loop.Watch(self._pods, lambda change: _services_of(self._cluster, change)),
            loop.Watch(self._nodes, lambda change: _zones_of(self._cluster, change)),
            loop.Watch(self._slices, self._of_slice),
        ]

    def _of_slice(self, change: loop.Change) -> Iterable[loop.Key]:
        metadata = change.object["metadata"]
        labels = metadata.get("labels") or {}
        if labels.get(endpoints.MANAGED_BY_LABEL) != endpoints.MANAGED_BY:
            return []
        name = labels.get(endpoints.SERVICE_NAME)
        return [(metadata["namespace"], name)] if name else []

    def reconcile(self, key: loop.Key) -> float | None:
        service = self._cluster.registry.find(self._services, *key)
        if service is None or "deletionTimestamp" in service["metadata"]:
            return None  # the slices are owned by the Service and go with it
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return None
        plans = endpoints.plan_slices(service, self._selected(service), self._nodes_by_name())
        wanted = Wanted(
            service["metadata"]["name"],
            service["metadata"]["namespace"],
            endpoints.slice_labels(service),
            {},
            owners.reference_to(service, api_version="v1", kind="Service"),
        )
        write_slices(self._cluster, wanted, plans, managed_by=endpoints.MANAGED_BY)
        return None

    def _selected(self, service: Object) -> list[Object]:
        selector = service["spec"]["selector"]
        return [
            pod
            for pod in self._cluster.registry.list(self._pods, service["metadata"]["namespace"])
            if matching.matches_map(selector, pod["metadata"].get("labels"))
        ]

    def _nodes_by_name(self) -> dict[str, Object]:
        return {n["metadata"]["name"]: n for n in self._cluster.registry.list(self._nodes)}


@dataclass(frozen=True)
class Wanted:
    """What all slices of one Service have in common."""

    service_name: str
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    owner: Object


def write_slices(
    cluster: Access, wanted: Wanted, plans: Sequence[endpoints.SlicePlan], *, managed_by: str
) -> None:
    """Make one manager's slices of a Service what they should be; those too many go."""
    resource = cluster.resource("discovery.k8s.io", "endpointslices")
    query = f"{endpoints.SERVICE_NAME}={wanted.service_name},"
    query += f"{endpoints.MANAGED_BY_LABEL}={managed_by}"
    present = cluster.registry.list(resource, wanted.namespace, label_selector=query)
    for plan, old in _paired(plans, present):
        _put(cluster, wanted, plan, old)
    for surplus in sorted(present, key=_by_age)[len(plans) :]:
        cluster.delete(resource, surplus)


def _put(cluster: Access, wanted: Wanted, plan: endpoints.SlicePlan, old: Object | None) -> None:
    resource = cluster.resource("discovery.k8s.io", "endpointslices")
    body = {
        "addressType": plan.address_type,
        "endpoints": list(plan.endpoints),
        "ports": endpoints.slice_ports(plan.ports) or None,
    }
    changed_at = {endpoints.CHANGED_AT: cluster.now_text()}
    if old is None:
        made: Object = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": wanted.service_name + "-",
                "namespace": wanted.namespace,
                "labels": wanted.labels,
                "annotations": {**wanted.annotations, **changed_at},
                "ownerReferences": [wanted.owner],
            },
            **body,
        }
        cluster.create(resource, made)
        return
    is_same = all((old.get(name) or None) == (body[name] or None) for name in body)
    if is_same and (old["metadata"].get("labels") or {}) == wanted.labels:
        return
    annotations = {**(old["metadata"].get("annotations") or {}), **wanted.annotations, **changed_at}
    changed = {**old["metadata"], "labels": wanted.labels, "annotations": annotations}
    cluster.replace(resource, {**old, **body, "metadata": changed})


def _by_age(found: Object) -> tuple[str, str]:
    return (found["metadata"]["creationTimestamp"], found["metadata"]["name"])


def _paired(
    plans: Sequence[endpoints.SlicePlan], present: Sequence[Object]
) -> Iterable[tuple[endpoints.SlicePlan, Object | None]]:
    """Each planned slice with the existing one it replaces, oldest first."""
    known = sorted(present, key=_by_age)
    for index, plan in enumerate(plans):
        yield plan, known[index] if index < len(known) else None


class EndpointsController:
    """Writes the legacy Endpoints object of each Service with a selector."""

    name = "endpoints"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._services = cluster.resource("", "services")
        self._pods = cluster.resource("", "pods")
        self._endpoints = cluster.resource("", "endpoints")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._services, loop.own_key),
            loop.Watch(self._pods, lambda change: _services_of(self._cluster, change)),
            loop.Watch(self._endpoints, loop.own_key),
        ]

    def reconcile(self, key: loop.Key) -> float | None:
        store = self._cluster.registry
        service = store.find(self._services, *key)
        old = store.find(self._endpoints, *key)
        if service is None:
            self._forget(old)
            return None
        selector = service["spec"].get("selector")
        if not selector or service["spec"].get("type") == "ExternalName":
            return None
        selected = [
            pod
            for pod in store.list(self._pods, key[0])
            if matching.matches_map(selector, pod["metadata"].get("labels"))
            and (service["spec"].get("publishNotReadyAddresses") or not pods.is_terminating(pod))
        ]
        plans = endpoints.plan_slices(service, selected, {})
        self._put(service, endpoints.plan_subsets(service, plans), old)
        return None

    def _forget(self, old: Object | None) -> None:
        """The Service is gone. Only what this controller wrote goes with it."""
        if old is None:
            return
        labels = old["metadata"].get("labels") or {}
        if labels.get("endpoints.kubernetes.io/managed-by") == "endpoint-controller":
            self._cluster.delete(self._endpoints, old)

    def _put(self, service: Object, subsets: list[Object], old: Object | None) -> None:
        metadata = service["metadata"]
        labels = {
            **(metadata.get("labels") or {}),
            "endpoints.kubernetes.io/managed-by": "endpoint-controller",
        }
        if endpoints.is_headless(service):
            labels[endpoints.HEADLESS_LABEL] = ""
        changed_at = {endpoints.CHANGED_AT: self._cluster.now_text()}
        if old is None:
            made: Object = {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "labels": labels,
                    "annotations": changed_at,
                },
            }
            self._cluster.create(self._endpoints, {**made, "subsets": subsets} if subsets else made)
            return
        is_same = (old.get("subsets") or []) == subsets
        if is_same and (old["metadata"].get("labels") or {}) == labels:
            return
        annotations = {**(old["metadata"].get("annotations") or {}), **changed_at}
        changed = {**old["metadata"], "labels": labels, "annotations": annotations}
        self._cluster.replace(
            self._endpoints, {**old, "metadata": changed, "subsets": subsets or None}
        )

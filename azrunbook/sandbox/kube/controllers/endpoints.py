"""From a Service and its pods to endpoints: slices, and the legacy Endpoints object.

Law: pure. Source: documentation "EndpointSlices" and k8s.io/endpointslice (a pod that is being
deleted stays in a slice as terminating, so that a proxy can drain it; it is not in Endpoints).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import pods

Object = dict[str, Any]

MANAGED_BY = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
HEADLESS_LABEL = "service.kubernetes.io/headless"
CHANGED_AT = "endpoints.kubernetes.io/last-change-trigger-time"
MOST_PER_SLICE = 100

Ports = tuple[tuple[str, int | None, str, str | None], ...]  # name, number, protocol, appProtocol


@dataclass(frozen=True)
class SlicePlan:
    """What one slice should hold."""

    ports: Ports
    endpoints: tuple[Object, ...]
    address_type: str = "IPv4"


def is_headless(service: Object) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")


def includes(pod: Object) -> bool:
    """Whether a pod has a place in a slice: it has an address and has not finished."""
    return bool(pod.get("status", {}).get("podIP")) and not pods.is_done(pod)


def find_port(pod: Object, port: Object) -> int | None:
    """The number that a service port's targetPort means in this pod; None if it has no such."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in _port_containers(pod):
        for one in container.get("ports") or ():
            same_protocol = (one.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
            if one.get("name") == target and same_protocol:
                return int(one["containerPort"])
    return None


def _port_containers(pod: Object) -> list[Object]:
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [*(spec.get("containers") or ()), *sidecars]


def ports_of(service: Object, pod: Object) -> Ports:
    found = []
    for port in service["spec"].get("ports") or ():
        number = find_port(pod, port)
        if number is not None:
            found.append(
                (
                    port.get("name") or "",
                    number,
                    port.get("protocol") or "TCP",
                    port.get("appProtocol"),
                )
            )
    return tuple(found)


def endpoint_of(service: Object, pod: Object, node: Object | None) -> Object:
    """One endpoint of a slice."""
    publishes_all = bool(service["spec"].get("publishNotReadyAddresses"))
    is_serving = pods.is_ready(pod)
    is_terminating = pods.is_terminating(pod)
    endpoint: Object = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": publishes_all or (is_serving and not is_terminating),
            "serving": is_serving,
            "terminating": is_terminating,
        },
        "targetRef": _target(pod),
    }
    hostname = pod["spec"].get("hostname")
    if hostname and pod["spec"].get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = hostname
    if pods.node_name(pod):
        endpoint["nodeName"] = pods.node_name(pod)
    labels = (node or {"metadata": {}})["metadata"].get("labels") or {}
    if "topology.kubernetes.io/zone" in labels:
        endpoint["zone"] = labels["topology.kubernetes.io/zone"]
    return endpoint


def _target(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def plan_slices(
    service: Object, selected: Iterable[Object], nodes: dict[str, Object]
) -> list[SlicePlan]:
    """Slices by port mapping, at most 100 endpoints each; one empty slice when there is none."""
    by_ports: dict[Ports, list[Object]] = {}
    for pod in sorted(selected, key=pods.key):
        if includes(pod):
            endpoint = endpoint_of(service, pod, nodes.get(pods.node_name(pod)))
            by_ports.setdefault(ports_of(service, pod), []).append(endpoint)
    plans = [
        SlicePlan(ports, tuple(endpoints[start : start + MOST_PER_SLICE]))
        for ports, endpoints in by_ports.items()
        for start in range(0, len(endpoints), MOST_PER_SLICE)
    ]
    return plans or [SlicePlan((), ())]


def slice_ports(ports: Ports) -> list[Object]:
    made = []
    for name, number, protocol, app_protocol in ports:
        port: Object = {"name": name, "protocol": protocol}
        if number is not None:
            port["port"] = number
        if app_protocol:
            port["appProtocol"] = app_protocol
        made.append(port)
    return made


def plan_subsets(service: Object, plans: Sequence[SlicePlan]) -> list[Object]:
    """The subsets of the legacy Endpoints object."""
    by_ports: dict[Ports, list[Object]] = {}
    for plan in plans:
        by_ports.setdefault(plan.ports, []).extend(plan.endpoints)
    subsets = []
    publishes_all = bool(service["spec"].get("publishNotReadyAddresses"))
    for ports, endpoints in by_ports.items():
        stable = [o for o in endpoints if publishes_all or not o["conditions"]["terminating"]]
        subset: Object = {}
        ready = [_address(o) for o in stable if o["conditions"]["ready"]]
        waiting = [_address(o) for o in stable if not o["conditions"]["ready"]]
        if ready:
            subset["addresses"] = ready
        if waiting:
            subset["notReadyAddresses"] = waiting
        if subset:
            if ports:
                subset["ports"] = [_legacy_port(port) for port in slice_ports(ports)]
            subsets.append(subset)
    return subsets


def _legacy_port(port: Object) -> Object:
    return {name: value for name, value in port.items() if value != ""}


def _address(endpoint: Object) -> Object:
    address: Object = {"ip": endpoint["addresses"][0]}
    for name in ("hostname", "nodeName", "targetRef"):
        if name in endpoint:
            address[name] = endpoint[name]
    return address


def slice_labels(service: Object) -> dict[str, str]:
    """The Service's own labels and those by which slices are found."""
    labels = dict(service["metadata"].get("labels") or {})
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    return {
        **labels,
        MANAGED_BY_LABEL: MANAGED_BY,
        SERVICE_NAME: service["metadata"]["name"],
    }

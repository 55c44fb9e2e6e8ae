"""What a pod's own fields say about it: active, ready, available, requests.

Law: pure; a pod is only read. Source: k8s.io/kubernetes pkg/api/v1/pod and pkg/controller.
"""

import datetime as dt
from collections import Counter
from fractions import Fraction
from typing import Any

from azrunbook.sandbox.kube.controllers import conditions, moments, quantities

Object = dict[str, Any]

DONE_PHASES = frozenset({"Succeeded", "Failed"})


def phase(pod: Object) -> str:
    return str(pod.get("status", {}).get("phase") or "Pending")


def node_name(pod: Object) -> str:
    return str(pod.get("spec", {}).get("nodeName") or "")


def is_terminating(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_done(pod: Object) -> bool:
    return phase(pod) in DONE_PHASES


def is_active(pod: Object) -> bool:
    """Neither finished nor being deleted."""
    return not is_done(pod) and not is_terminating(pod)


def is_ready(pod: Object) -> bool:
    return conditions.is_true(pod.get("status", {}).get("conditions"), "Ready")


def ready_since(pod: Object) -> str:
    """When the pod became ready (RFC 3339), or an empty string."""
    ready = conditions.find(pod.get("status", {}).get("conditions"), "Ready")
    if ready is None or ready.get("status") != "True":
        return ""
    return str(ready.get("lastTransitionTime") or "")


def is_available(pod: Object, *, min_ready_seconds: int, at: dt.datetime) -> bool:
    """Ready for at least `min_ready_seconds`."""
    if not is_ready(pod):
        return False
    return seconds_to_available(pod, min_ready_seconds=min_ready_seconds, at=at) <= 0


def seconds_to_available(pod: Object, *, min_ready_seconds: int, at: dt.datetime) -> float:
    """Seconds until a ready pod counts as available; 0 when it does already."""
    since = ready_since(pod)
    if min_ready_seconds == 0 or not since:
        return 0.0
    return max(0.0, moments.seconds_until(since, plus_seconds=min_ready_seconds, at=at))


def restart_count(pod: Object) -> int:
    """The largest restart count among the pod's containers."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return max((int(status.get("restartCount") or 0) for status in statuses), default=0)


def key(pod: Object) -> tuple[str, str]:
    return (str(pod["metadata"].get("namespace") or ""), str(pod["metadata"]["name"]))


def requests(pod: Object) -> Counter[str]:
    """What the pod asks of a node, in milli-units rounded up, one count per resource.

    The sum over containers and restartable init containers, at least the largest init container,
    plus the overhead (documentation: "Sidecar containers", "Resource Management").
    """
    spec = pod["spec"]
    total: Counter[str] = Counter()
    for container in spec.get("containers") or ():
        total.update(container_requests(container))
    sidecars: Counter[str] = Counter()
    start_up: Counter[str] = Counter()
    for container in spec.get("initContainers") or ():
        asked = container_requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars.update(asked)
            needed = sidecars
        else:
            needed = asked + sidecars
        start_up |= needed
    total = (total + sidecars) | start_up
    total.update(_in_milli(spec.get("overhead") or {}))
    return total


def host_ports(pod: Object) -> set[tuple[str, str, int]]:
    """The (host address, protocol, port) triples that the pod takes of its node."""
    return {
        (port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(port["hostPort"]))  # noqa: S104 - the wildcard as Kubernetes writes it; nothing is bound here
        for container in pod["spec"].get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def container_requests(container: Object) -> Counter[str]:
    """What one container asks for, in milli-units."""
    return _in_milli((container.get("resources") or {}).get("requests") or {})


def _in_milli(amounts: dict[str, str]) -> Counter[str]:
    return Counter({name: in_milli(quantities.parse_quantity(q)) for name, q in amounts.items()})


def in_milli(amount: Fraction) -> int:
    """Thousandths, rounded up: the unit in which the scheduler adds."""
    return -((-amount * 1000) // 1)

"""The resource metrics API (metrics.k8s.io/v1beta1): its resources, and objects from readings.

Law: measures nothing. Where readings come from is a ``Source`` that a cluster is given; a cluster
without one does not serve the group, as one without a metrics server does not. Shapes and units
are those of metrics-server: CPU in nanocores, memory in kibibytes.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from azrunbook.sandbox.kube import resources, times

Object = dict[str, Any]
Usage = Mapping[str, Fraction]
"""cpu in cores, memory in bytes."""

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
_VERBS = ("get", "list")
RESOURCES = (
    resources.Resource(GROUP, VERSION, "nodes", "", "NodeMetrics", namespaced=False, verbs=_VERBS),
    resources.Resource(GROUP, VERSION, "pods", "", "PodMetrics", namespaced=True, verbs=_VERBS),
)


@dataclass(frozen=True)
class Reading:
    """What a pod (by container) or a node (under one name) used on average over a window."""

    at: dt.datetime
    window_seconds: float
    parts: Mapping[str, Usage]

    @property
    def total(self) -> Usage:
        return add_up(self.parts.values())


class Source(Protocol):
    """Who measures."""

    async def settle(self) -> None:
        """Wait until what runs has been measured, at most for a moment."""

    def find_pod(self, namespace: str, name: str) -> Reading | None:
        """One pod's usage; None while it has not been measured."""

    def find_node(self, name: str) -> Reading | None:
        """One node's usage; None while it has not been measured."""


def add_up(usages: Iterable[Usage]) -> Usage:
    total: dict[str, Fraction] = {}
    for usage in usages:
        for name, amount in usage.items():
            total[name] = total.get(name, Fraction(0)) + amount
    return total


def describe_pod(pod: Object, reading: Reading) -> Object:
    """The PodMetrics of a pod. Pure."""
    containers = [
        {"name": name, "usage": _quantities(usage)} for name, usage in reading.parts.items()
    ]
    return {**_head("PodMetrics", pod, reading), "containers": containers}


def describe_node(node: Object, reading: Reading) -> Object:
    """The NodeMetrics of a node. Pure."""
    return {**_head("NodeMetrics", node, reading), "usage": _quantities(reading.total)}


def _head(kind: str, about: Object, reading: Reading) -> Object:
    metadata = {
        key: about["metadata"][key]
        for key in ("name", "namespace", "labels")
        if key in about["metadata"]
    }
    stamp = times.stamp(reading.at)
    return {
        "kind": kind,
        "apiVersion": f"{GROUP}/{VERSION}",
        "metadata": {**metadata, "creationTimestamp": stamp},
        "timestamp": stamp,
        "window": f"{reading.window_seconds:.3f}s",
    }


def _quantities(usage: Usage) -> Object:
    cores, held = int(usage.get("cpu", 0) * 10**9), int(usage.get("memory", 0) / 1024)
    return {"cpu": f"{cores}n" if cores else "0", "memory": f"{held}Ki" if held else "0"}

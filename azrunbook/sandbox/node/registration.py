"""What a node says of itself: its Node object, its status and its lease. Pure.

The reserved amounts are AKS's published formulas, so that what is left for pods on an emulated
``Standard_D2s_v3`` is what is left on a real one.
"""

import datetime as dt
import uuid

from azrunbook.sandbox.node import clock, config

_CPU_RESERVED_MILLI = ((1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740))
_MIB = 1024**2
_EVICTION_MIB = 100
_UNITS = {
    "Ki": 1024,
    "Mi": _MIB,
    "Gi": 1024**3,
    "Ti": 1024**4,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
_LEASE_LASTS_SECONDS = 40


def parse_quantity(text: str) -> float:
    """Read a Kubernetes quantity: ``250m`` is 0.25, ``1Gi`` is 1073741824.

    Raises:
        ValueError: the text is not a quantity.
    """
    text = str(text)
    if text.endswith("m"):
        return float(text[:-1]) / 1000
    for suffix, factor in _UNITS.items():
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)


def compute_allocatable(capacity: dict[str, str]) -> dict[str, str]:
    """Take off what AKS keeps for the system: CPU by size, memory by the number of pods."""
    allocatable = dict(capacity)
    if "cpu" in capacity:
        cores = parse_quantity(capacity["cpu"])
        fitting = [milli for size, milli in _CPU_RESERVED_MILLI if size <= cores]
        allocatable["cpu"] = f"{int(cores * 1000) - (fitting[-1] if fitting else 0)}m"
    if "memory" in capacity:
        total = parse_quantity(capacity["memory"])
        pods = parse_quantity(capacity.get("pods", "110"))
        reserved = min((20 * pods + 50) * _MIB, total / 4)
        allocatable["memory"] = f"{int((total - reserved) / 1024) - _EVICTION_MIB * 1024}Ki"
    return allocatable


def describe_node(node: config.NodeConfig, *, port: int, at: dt.datetime) -> config.Object:
    """Return the Node to register."""
    network = str(node.pod_addresses)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": {
                "kubernetes.io/hostname": node.name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "beta.kubernetes.io/arch": "amd64",
                **node.labels,
            },
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {
            "providerID": node.provider_id,
            "podCIDR": network,
            "podCIDRs": [network],
            **({"taints": node.taints} if node.taints else {}),
        },
        "status": describe_status(node, port=port, at=at),
    }


def describe_status(node: config.NodeConfig, *, port: int, at: dt.datetime) -> config.Object:
    """Return the status of a node that works."""
    return {
        "addresses": [
            {"type": "InternalIP", "address": node.address},
            {"type": "Hostname", "address": node.name},
        ],
        "capacity": dict(node.capacity),
        "allocatable": compute_allocatable(node.capacity),
        "conditions": _describe_conditions(at),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": _describe_system(node),
    }


def describe_heartbeat(at: dt.datetime) -> config.Object:
    """Return the part of the status that changes with time."""
    return {"conditions": _describe_conditions(at)}


def keep_transitions(status: config.Object, known: config.Object) -> config.Object:
    """Keep the transition instants of conditions whose status did not change."""
    before = {item["type"]: item for item in known.get("conditions") or ()}
    conditions = []
    for item in status["conditions"]:
        old = before.get(item["type"])
        if old and old["status"] == item["status"] and old.get("lastTransitionTime"):
            item = {**item, "lastTransitionTime": old["lastTransitionTime"]}  # noqa: PLW2901 - a copy
        conditions.append(item)
    return {**status, "conditions": conditions}


def describe_lease(node: config.NodeConfig, at: dt.datetime) -> config.Object:
    """Return the lease that says that the node lives."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": node.name, "namespace": "kube-node-lease"},
        "spec": {
            "holderIdentity": node.name,
            "leaseDurationSeconds": _LEASE_LASTS_SECONDS,
            "renewTime": clock.to_micro_text(at),
        },
    }


def _describe_conditions(at: dt.datetime) -> list[config.Object]:
    words = (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "sufficient PID available"),
    )
    stamp = clock.to_text(at)
    conditions = [
        (kind, status, reason, f"kubelet has {text}") for kind, status, reason, text in words
    ]
    conditions.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    return [
        {
            "type": kind,
            "status": status,
            "lastHeartbeatTime": stamp,
            "lastTransitionTime": stamp,
            "reason": reason,
            "message": message,
        }
        for kind, status, reason, message in conditions
    ]


def _describe_system(node: config.NodeConfig) -> config.Object:
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, node.provider_id))
    return {
        "machineID": identity.replace("-", ""),
        "systemUUID": identity,
        "bootID": identity,
        "kernelVersion": "6.6.0-azrunbook",
        "osImage": "azrunbook sandbox",
        "containerRuntimeVersion": "azrunbook://0.1",
        "kubeletVersion": node.kubelet_version,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }

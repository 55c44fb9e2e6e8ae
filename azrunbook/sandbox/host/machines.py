"""The nodes of a pool, as AKS would name, label and size them. Pure functions.

Names and labels are what AKS puts on the nodes of a virtual machine scale set.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.arm import vm_sizes


@dataclass(frozen=True)
class Machine:
    """One node of a pool, before it exists."""

    name: str
    pool: str
    index: int
    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]
    capacity: Mapping[str, str]


def list_machines(cluster_id: str, location: str, pool: Any) -> list[Machine]:
    """The nodes of one pool: ``aks-<pool>-<number>-vmss<six digits in base 36>``, zones in turn."""
    number = int(hashlib.sha256(cluster_id.lower().encode()).hexdigest()[:12], 16) % 10**8
    size = vm_sizes.find(pool.vm_size)
    if size is None:
        msg = f"ARM accepted VM size {pool.vm_size}, which has none. This is a bug. Please report."
        raise ValueError(msg)
    machines = []
    for index in range(pool.count):
        name = f"aks-{pool.name}-{number:08d}-vmss{_base36(index):0>6}"
        zone = f"{location}-{pool.zones[index % len(pool.zones)]}" if pool.zones else "0"
        machines.append(
            Machine(
                name=name,
                pool=pool.name,
                index=index,
                labels=_labels(name, location, zone, pool),
                taints=[_taint(text) for text in pool.taints],
                capacity={
                    "cpu": str(size.cores),
                    "memory": f"{size.memory_gib:g}Gi",
                    "pods": str(pool.max_pods),
                    "ephemeral-storage": "128Gi",
                },
            )
        )
    return machines


def _labels(name: str, location: str, zone: str, pool: Any) -> dict[str, str]:
    return {
        "agentpool": pool.name,
        "kubernetes.azure.com/agentpool": pool.name,
        "kubernetes.azure.com/mode": pool.mode.lower(),
        "kubernetes.azure.com/os-sku": "AzureLinux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": pool.vm_size,
        "topology.kubernetes.io/region": location,
        "topology.kubernetes.io/zone": zone,
        **dict(pool.labels),
    }


def _taint(text: str) -> dict[str, str]:
    """``CriticalAddonsOnly=true:NoSchedule`` as the taint object."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, place = divmod(number, 36)
        text = digits[place] + text
    return text or "0"

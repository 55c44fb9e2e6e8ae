"""Node pools as documents: what Azure refuses, fills in and shows. Pure; no store, no clock.

Rules from the AKS quotas and system pool pages: names, counts, system pools never empty, burstable
and spot machines not in a system pool, sizes and their quota families.
"""

import re
from collections.abc import Iterable
from typing import Any

from azrunbook.sandbox.arm import backends, collection, errors, vm_sizes
from azrunbook.sandbox.arm.providers import kubernetes_versions

Json = dict[str, Any]

_LINUX_NAME = re.compile(r"[a-z][a-z0-9]{0,11}")
_WINDOWS_NAME = re.compile(r"[a-z][a-z0-9]{0,5}")
_MAX_COUNT = 1000
_MAX_PODS = range(10, 251)
_MAX_DISK_GB = 2048
_SYSTEM_MIN_CORES = 2
_SYSTEM_MIN_MEMORY_GIB = 4
_SYSTEM_MIN_PODS = 30
_IMMUTABLE = (
    "vmSize",
    "osType",
    "osDiskSizeGB",
    "osDiskType",
    "vnetSubnetID",
    "availabilityZones",
    "maxPods",
    "type",
    "scaleSetPriority",
)
DEFAULTS: Json = {
    "count": 1,
    "vmSize": "Standard_D2s_v3",
    "mode": "User",
    "osType": "Linux",
    "osSKU": "Ubuntu",
    "osDiskSizeGB": 128,
    "osDiskType": "Managed",
    "kubeletDiskType": "OS",
    "maxPods": 110,
    "type": "VirtualMachineScaleSets",
    "enableAutoScaling": False,
    "scaleDownMode": "Delete",
    "enableNodePublicIP": False,
    "enableEncryptionAtHost": False,
    "enableUltraSSD": False,
    "enableFIPS": False,
    "upgradeSettings": {"maxSurge": "10%"},
}
_BOUNDS = ("minCount", "maxCount")
# Sent back by clients that read, change and write.
_READ_ONLY = {
    "name",
    "eTag",
    "provisioningState",
    "powerState",
    "currentOrchestratorVersion",
    "nodeImageVersion",
}
_IMAGES = {
    "AzureLinux": "AKSAzureLinux-V3gen2-202608.12.0",
    "AzureLinux3": "AKSAzureLinux-V3gen2-202608.12.0",
    "Ubuntu": "AKSUbuntu-2404gen2containerd-202608.12.0",
}


def _refuse(message: str, *, code: str = "InvalidParameter", target: str) -> errors.AksError:
    return errors.AksError(400, code, message, target=target)


def complete(name: str, sent: Json, existing: Json | None, *, cluster_version: str) -> Json:
    """Return a pool's properties, merged over its defaults or its present state, and checked.

    Raises:
        errors.AksError: 400 for what Azure would refuse.
    """
    given = {
        key: value
        for key, value in collection.without_empty(sent).items()
        if value is not None and key not in _READ_ONLY
    }
    _check_power(name, sent, existing)
    if existing:
        _check_immutable(name, given, existing)
    base = existing or {**DEFAULTS, "orchestratorVersion": cluster_version}
    properties = {**base, **given}
    if not properties["enableAutoScaling"]:
        properties = {k: v for k, v in properties.items() if k not in _BOUNDS}
    version = properties["orchestratorVersion"]
    patch = kubernetes_versions.resolve(version, code="AgentPoolK8sVersionNotSupported")
    kubernetes_versions.check_skew(patch, kubernetes_versions.resolve(cluster_version))
    check(name, properties)
    return properties


def check(name: str, properties: Json) -> None:
    """Check names, counts and sizes.

    Raises:
        errors.AksError: 400 that names the property and what was expected.
    """
    pattern = _WINDOWS_NAME if properties["osType"] == "Windows" else _LINUX_NAME
    if not pattern.fullmatch(name):
        raise _refuse(
            f"The agent pool name '{name}' is invalid: expected {pattern.pattern} (lower-case "
            "letters and digits, a letter first, at most 12 characters; 6 for Windows).",
            target="agentPoolProfile.name",
        )
    _check_counts(name, properties)
    size = find_size(name, properties)
    if properties["mode"] == "System":
        _check_system(name, properties, size)


def find_size(name: str, properties: Json) -> vm_sizes.VmSize:
    """Return the pool's machine size.

    Raises:
        errors.AksError: 400 for a size that does not exist.
    """
    size = vm_sizes.find(str(properties["vmSize"]))
    if size is None:
        raise _refuse(
            f"The VM size of {properties['vmSize']} (agent pool {name}) is not allowed in your "
            "subscription in this location. Expected for example Standard_D2s_v5.",
            code="BadRequest",
            target="agentPoolProfile.vmSize",
        )
    return size


def _check_power(name: str, sent: Json, existing: Json | None) -> None:
    """Refuse to stop or start a single pool, rather than to ignore the wish."""
    wanted = (sent.get("powerState") or {}).get("code", "Running")
    if wanted != ((existing or {}).get("powerState") or {}).get("code", "Running"):
        raise _refuse(
            f"Changing powerState of agent pool {name} to {wanted} is not emulated; stop or start "
            "the cluster.",
            code="NotEmulated",
            target="properties.powerState",
        )


def _check_counts(name: str, properties: Json) -> None:
    low = 1 if properties["mode"] == "System" else 0
    _check_range(name, properties, "count", range(low, _MAX_COUNT + 1))
    _check_range(name, properties, "maxPods", _MAX_PODS)
    _check_range(name, properties, "osDiskSizeGB", range(_MAX_DISK_GB + 1))
    if properties["enableAutoScaling"]:
        _check_range(name, properties, "minCount", range(low, _MAX_COUNT + 1))
        _check_range(name, properties, "maxCount", range(properties["minCount"], _MAX_COUNT + 1))


def _check_range(name: str, properties: Json, key: str, allowed: range) -> None:
    value = properties.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise _refuse(
            f"The value of parameter agentPoolProfile.{key} of agent pool {name} is invalid: "
            f"{value}; expected {allowed.start} to {allowed.stop - 1}.",
            target=f"agentPoolProfile.{key}",
        )


def _check_system(name: str, properties: Json, size: vm_sizes.VmSize) -> None:
    if size.cores < _SYSTEM_MIN_CORES or size.memory_gib < _SYSTEM_MIN_MEMORY_GIB:
        raise _refuse(
            "System node pool must use VM sku with more than 2 cores and 4GB memory",
            code="SystemPoolSkuTooLow",
            target="agentPoolProfile.vmSize",
        )
    problems = {
        "burstable (B-series) machines": size.is_burstable,
        "spot priority": properties.get("scaleSetPriority") == "Spot",
        "osType Windows": properties["osType"] != "Linux",
        f"fewer than {_SYSTEM_MIN_PODS} pods per node": properties["maxPods"] < _SYSTEM_MIN_PODS,
    }
    for problem, is_present in problems.items():
        if is_present:
            raise _refuse(
                f"System node pool {name} cannot have {problem}.", target="agentPoolProfile.mode"
            )


def _check_immutable(name: str, given: Json, existing: Json) -> None:
    for key in _IMMUTABLE:
        if key in given and _plain(given[key]) != _plain(existing.get(key)):
            raise _refuse(
                f"Changing property 'properties.{key}' is not allowed (agent pool {name}: "
                f"{existing.get(key)} to {given[key]}). Add a new pool instead.",
                code="PropertyChangeNotAllowed",
                target=f"properties.{key}",
            )


def _plain(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def finish(properties: Json) -> None:
    """Fill in what a pool shows once its nodes run."""
    properties["currentOrchestratorVersion"] = kubernetes_versions.resolve(
        properties["orchestratorVersion"]
    )
    properties["nodeImageVersion"] = _IMAGES.get(properties["osSKU"], _IMAGES["Ubuntu"])
    properties["powerState"] = {"code": "Running"}


def request(name: str, properties: Json) -> backends.PoolRequest:
    """Return what the cluster backend is asked for."""
    return backends.PoolRequest(
        name=name,
        count=properties["count"],
        vm_size=properties["vmSize"],
        mode=properties["mode"],
        zones=tuple(properties.get("availabilityZones") or ()),
        labels=dict(properties.get("nodeLabels") or {}),
        taints=tuple(properties.get("nodeTaints") or ()),
        max_pods=properties["maxPods"],
    )


def count_cores(pools: Iterable[tuple[str, Json]]) -> dict[str, int]:
    """Return the vCPUs in use by quota family."""
    cores: dict[str, int] = {}
    for name, properties in pools:
        size = find_size(name, properties)
        cores[size.family] = cores.get(size.family, 0) + size.cores * properties["count"]
    return cores

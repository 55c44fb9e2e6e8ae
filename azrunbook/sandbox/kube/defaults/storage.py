"""Defaults of configuration and storage: namespaces, secrets, volumes, classes, limits."""

import base64
from typing import Any

Object = dict[str, Any]


def namespace(obj: Object) -> None:
    metadata = obj["metadata"]
    if metadata.get("name"):
        labels = metadata.setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = metadata["name"]


def secret(obj: Object) -> None:
    """`stringData` is a way to write `data`; it is never read back."""
    plain = obj.pop("stringData", None) or {}
    for key, value in plain.items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    obj.setdefault("type", "Opaque")


def volume(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def volume_claim(obj: Object) -> None:
    obj["spec"].setdefault("volumeMode", "Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def storage_class(obj: Object) -> None:
    obj.setdefault("reclaimPolicy", "Delete")
    obj.setdefault("volumeBindingMode", "Immediate")


def csi_driver(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("attachRequired", True)
    spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
    for key in ("podInfoOnMount", "requiresRepublish", "seLinuxMount", "storageCapacity"):
        spec.setdefault(key, False)
    spec.setdefault("volumeLifecycleModes", ["Persistent"])


def limit_range(obj: Object) -> None:
    for item in (obj.get("spec") or {}).get("limits") or []:
        if item.get("type") != "Container":
            continue
        highest, lowest = item.get("max") or {}, item.get("min") or {}
        default = {**highest, **(item.get("default") or {})}
        request = {**default, **lowest, **(item.get("defaultRequest") or {})}
        if default:
            item["default"] = default
        if request:
            item["defaultRequest"] = request


def node(obj: Object) -> None:
    status = obj.setdefault("status", {})
    if status.get("capacity"):
        status.setdefault("allocatable", dict(status["capacity"]))


DEFAULTS = {
    "namespaces": namespace,
    "secrets": secret,
    "persistentvolumes": volume,
    "persistentvolumeclaims": volume_claim,
    "storageclasses.storage.k8s.io": storage_class,
    "csidrivers.storage.k8s.io": csi_driver,
    "limitranges": limit_range,
    "nodes": node,
}

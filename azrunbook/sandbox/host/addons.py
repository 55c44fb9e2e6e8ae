"""What AKS puts into every new cluster: the drivers of disks and files, and their storage classes.

Law: only creates, when a cluster is made; what a person changes or deletes later stays so. The
drivers' pods are not here: volumes are made by the cluster's own controller and are directories.
Source: learn.microsoft.com/azure/aks/concepts-storage, "Storage classes".
"""

from typing import Any

from azrunbook.sandbox.kube import registry

Object = dict[str, Any]

DISK, FILE = "disk.csi.azure.com", "file.csi.azure.com"
_STANDARD, _PREMIUM = "StandardSSD_LRS", "Premium_LRS"
_CLASSES = {
    "default": (DISK, _STANDARD),
    "managed": (DISK, _STANDARD),
    "managed-csi": (DISK, _STANDARD),
    "managed-csi-premium": (DISK, _PREMIUM),
    "managed-premium": (DISK, _PREMIUM),
    "azurefile": (FILE, "Standard_LRS"),
    "azurefile-csi": (FILE, "Standard_LRS"),
    "azurefile-csi-premium": (FILE, _PREMIUM),
    "azurefile-premium": (FILE, _PREMIUM),
}
_DEFAULT = "default"
_FILE_OPTIONS = ["mfsymlinks", "actimeo=30", "nosharesock"]
_MANAGED = {
    "addonmanager.kubernetes.io/mode": "EnsureExists",
    "kubernetes.io/cluster-service": "true",
}


def install(cluster: registry.Registry) -> None:
    """Create the drivers and classes.

    Raises:
        StatusError: one exists already; the cluster is not new.
    """
    drivers = cluster.resources.get("storage.k8s.io", "csidrivers")
    for name in (DISK, FILE):
        cluster.create(drivers, None, _driver(name))
    classes = cluster.resources.get("storage.k8s.io", "storageclasses")
    for name, (driver, sku) in _CLASSES.items():
        cluster.create(classes, None, _storage_class(name, driver, sku))


def _driver(name: str) -> Object:
    spec: Object = {"attachRequired": True, "podInfoOnMount": False, "fsGroupPolicy": "File"}
    if name == FILE:
        spec |= {"attachRequired": False, "podInfoOnMount": True}
        spec |= {"volumeLifecycleModes": ["Persistent", "Ephemeral"]}
    return {"metadata": {"name": name}, "spec": spec}


def _storage_class(name: str, driver: str, sku: str) -> Object:
    is_default = {"storageclass.kubernetes.io/is-default-class": "true"} if name == _DEFAULT else {}
    made: Object = {
        "metadata": {"name": name, "labels": _MANAGED, "annotations": is_default},
        "provisioner": driver,
        "parameters": {"skuname" if driver == DISK else "skuName": sku},
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "WaitForFirstConsumer" if driver == DISK else "Immediate",
    }
    if driver == FILE:
        made["mountOptions"] = _FILE_OPTIONS
    return made

"""The order of admission: plugins as the real server runs them by default."""

import ipaddress
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.admission import allocation, limits, pods, quota
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
IMMORTAL_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
DEFAULT_CLASS = {
    "ingresses.networking.k8s.io": (
        "ingressclasses.networking.k8s.io",
        "ingressclass.kubernetes.io/is-default-class",
        "ingressClassName",
    ),
    "persistentvolumeclaims": (
        "storageclasses.storage.k8s.io",
        "storageclass.kubernetes.io/is-default-class",
        "storageClassName",
    ),
}
PROTECTION = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
}
"""StorageObjectInUseProtection: the finalizer that every volume and claim starts with."""
OLD_INGRESS_CLASS = "kubernetes.io/ingress.class"


class Admission:
    """Admission of one cluster; services get their addresses from `service_addresses`."""

    def __init__(self, service_addresses: ipaddress.IPv4Network = allocation.USUAL_NETWORK) -> None:
        self._services = allocation.ServiceAllocator(service_addresses)

    def create(self, registry: "Registry", resource: Resource, obj: Object, write: Write) -> None:
        """Admit a new object, changing it where a plugin fills something in."""
        if resource.namespaced:
            _require_namespace(registry, resource, obj)
        if resource.storage == "pods":
            pods.admit(registry, obj)
        if resource.storage in limits.LIMITED:
            limits.admit(registry, resource.storage, obj)
        if resource.storage in DEFAULT_CLASS:
            _set_class(registry, resource, obj)
        if resource.storage in PROTECTION:
            _protect(obj["metadata"], PROTECTION[resource.storage])
        if resource.namespaced:
            quota.require(registry, resource, obj)
        if resource.storage == "certificatesigningrequests.certificates.k8s.io":
            obj["spec"].update(username=write.user.name, groups=list(write.user.groups))

    def update(self, resource: Resource, obj: Object, old: Object) -> None:
        """Admit a changed object, keeping what was handed out before."""
        if resource.storage == "services":
            allocation.keep(obj["spec"], old["spec"])

    def allocate(
        self, registry: "Registry", resource: Resource, obj: Object, old: Object | None
    ) -> None:
        """Give a valid object what the cluster has to hand out: addresses and ports."""
        if resource.storage == "services":
            self._services.allocate(registry, obj, old)
        elif resource.storage == "pods" and old is None:
            pods.finish(obj)

    def delete(self, resource: Resource, obj: Object) -> None:
        """Admit a deletion; raises StatusError 403."""
        name = obj["metadata"]["name"]
        if resource.storage == "namespaces" and name in IMMORTAL_NAMESPACES:
            why = "this namespace may not be deleted"
            raise errors.forbidden(resource.plural, resource.group, name, why)


def _protect(metadata: Object, finalizer: str) -> None:
    finalizers = metadata.get("finalizers") or []
    if finalizer not in finalizers:
        metadata["finalizers"] = [*finalizers, finalizer]


def _set_class(registry: "Registry", resource: Resource, obj: Object) -> None:
    """An ingress or claim without a class gets the default one, if there is one."""
    classes, annotation, field = DEFAULT_CLASS[resource.storage]
    if obj["spec"].get(field) is not None:
        return
    if OLD_INGRESS_CLASS in (obj["metadata"].get("annotations") or {}):
        return
    found = [
        part["metadata"]["name"]
        for part in registry.store.list_all(classes)
        if (part["metadata"].get("annotations") or {}).get(annotation) == "true"
    ]
    if found:
        obj["spec"][field] = found[0]


def _require_namespace(registry: "Registry", resource: Resource, obj: Object) -> None:
    namespaces = registry.resources.get("", "namespaces")
    name = obj["metadata"]["namespace"]
    namespace = registry.get(namespaces, None, name)
    if namespace["metadata"].get("deletionTimestamp") is None:
        return
    error = errors.forbidden(
        resource.plural,
        resource.group,
        obj["metadata"].get("name", ""),
        f"unable to create new content in namespace {name} because it is being terminated",
    )
    details = dict(error.details or {})
    cause = errors.Cause(
        "NamespaceTerminating", f"namespace {name} is being terminated", "metadata.namespace"
    )
    details["causes"] = [cause.to_json()]
    error.details = details
    raise error

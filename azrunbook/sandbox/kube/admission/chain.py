"""The order of admission: plugins as the real server runs them by default."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
IMMORTAL_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})


class Admission:
    """Admission of one cluster."""

    def create(self, registry: "Registry", resource: Resource, obj: Object, write: Write) -> None:
        """Admit a new object, changing it where a plugin fills something in."""
        if resource.namespaced:
            _require_namespace(registry, resource, obj)

    def update(
        self, registry: "Registry", resource: Resource, obj: Object, old: Object, write: Write
    ) -> None:
        """Admit a changed object."""

    def allocate(
        self, registry: "Registry", resource: Resource, obj: Object, old: Object | None
    ) -> None:
        """Give the object what the cluster has to hand out: addresses and ports."""

    def delete(self, registry: "Registry", resource: Resource, obj: Object, write: Write) -> None:
        """Admit a deletion."""
        name = obj["metadata"]["name"]
        if resource.storage == "namespaces" and name in IMMORTAL_NAMESPACES:
            why = "this namespace may not be deleted"
            raise errors.forbidden(resource.plural, resource.group, name, why)


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

"""Changing an object: the way of every update and patch from the new object to the store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import (
    conversion,
    creating,
    deleting,
    errors,
    managed_fields,
    reading,
    strategies,
    validation,
)
from azrunbook.sandbox.kube.managed_fields import Entry
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]


def update(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    *,
    write: Write,
    subresource: str | None = None,
) -> Object:
    """Replace an object by what a client sent; see `Registry.update`."""
    obj = reading.read(registry, resource, body, write)
    if subresource is None or obj["metadata"].get("name"):
        require_name(obj, name)
    require_namespace(resource, obj, namespace)
    creating.place(resource, namespace, obj)
    obj["metadata"]["name"] = name
    key = (obj["metadata"].get("namespace", ""), name)
    old = registry.store.find(resource.storage, key)
    if old is None:
        if subresource is None and resource.storage in strategies.CREATED_BY_PUT:
            return creating.create_read(registry, resource, namespace, obj, write)
        raise errors.not_found(resource.plural, resource.group, name)
    creating.fill_defaults(registry, resource, obj)
    return replace(registry, resource, obj, old, write=write, subresource=subresource)


def require_name(obj: Object, name: str) -> None:
    """Raise StatusError 400 unless the object has the name of the request."""
    said = obj["metadata"].get("name", "")
    if not said:
        raise errors.bad_request(
            f"the name of the object ({name} based on URL) was undeterminable: "
            "name must be provided"
        )
    if said != name:
        raise errors.bad_request(
            f"the name of the object ({said}) does not match the name on the URL ({name})"
        )


def require_namespace(resource: Resource, obj: Object, namespace: str | None) -> None:
    """Raise StatusError 400 if the object says another namespace than the request."""
    said = obj["metadata"].get("namespace")
    if resource.namespaced and said and said != namespace:
        raise errors.bad_request(
            f"the namespace of the object ({said}) does not match the namespace on the URL "
            f"({namespace})"
        )


def _require_current(resource: Resource, obj: Object, old: Object) -> None:
    metadata, before = obj["metadata"], old["metadata"]
    version = metadata.get("resourceVersion")
    name = before["name"]
    if not version or version == "0":
        if strategies.needs_version(resource):
            cause = errors.Cause(
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
                "metadata.resourceVersion",
            )
            raise errors.invalid(resource.kind, resource.group, name, [cause])
    elif version != before["resourceVersion"]:
        raise errors.conflict(resource.plural, resource.group, name)
    uid = metadata.get("uid")
    if uid and uid != before["uid"]:
        why = (
            "StorageError: invalid object, Code: 4, Key: , ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {before['uid']}"
        )
        raise errors.conflict(resource.plural, resource.group, name, why)


def replace(
    registry: "Registry",
    resource: Resource,
    obj: Object,
    old: Object,
    *,
    write: Write,
    subresource: str | None = None,
    entries: Sequence[Entry] | None = None,
) -> Object:
    """Store a read and defaulted object over the old one.

    `entries` is the ownership if an apply has computed it. Nothing is written, and the version
    stays, if nothing differs.
    """
    _require_current(resource, obj, old)
    cleared = obj["metadata"].get("managedFields") == [{}]
    if subresource is None:
        registry.admission.update(resource, obj, old)
    if entries is None:
        entries = _owned(registry, resource, obj, old, write, subresource)
    strategies.prepare_update(resource, obj, old, subresource)
    causes = validation.update_causes(resource, obj, old, subresource)
    creating.require_valid(resource, obj, causes)
    if subresource is None:
        registry.admission.allocate(registry, resource, obj, old)
    managed_fields.write(obj, [] if cleared else entries)
    obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    if obj == old or write.dry_run:
        return conversion.to_version(resource, old if obj == old else obj)
    key = (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
    if deleting.is_released(resource, obj):
        registry.store.put(resource.storage, key, obj)
        return conversion.to_version(resource, deleting.remove(registry, resource, key))
    stored = registry.store.put(resource.storage, key, obj)
    registry.notify(resource, old, stored)
    return conversion.to_version(resource, stored)


def _owned(
    registry: "Registry",
    resource: Resource,
    obj: Object,
    old: Object,
    write: Write,
    subresource: str | None,
) -> list[Entry]:
    shape = reading.stored_shape(registry, resource)
    ignored = creating.ignored_paths(resource, subresource)
    comparison = managed_fields.compare(shape, old, obj)
    comparison.changed = managed_fields.strip(comparison.changed, ignored)
    comparison.removed = managed_fields.strip(comparison.removed, ignored)
    writer = creating.entry(resource, write, "Update", subresource)
    return managed_fields.after_update(
        managed_fields.read(old), comparison, writer, ignored=ignored
    )

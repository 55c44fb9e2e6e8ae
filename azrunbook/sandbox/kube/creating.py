"""Creating an object: read, admit, prepare, validate, own, store."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import (
    conversion,
    decoding,
    defaults,
    errors,
    managed_fields,
    reading,
    shapes,
    strategies,
    times,
    validation,
)
from azrunbook.sandbox.kube.crds import pruning
from azrunbook.sandbox.kube.fieldsets import Path
from azrunbook.sandbox.kube.managed_fields import Entry
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.shapes import Form
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]


def create(
    registry: "Registry", resource: Resource, namespace: str | None, body: Any, write: Write
) -> Object:
    """Create from what a client sent; see `Registry.create`."""
    obj = reading.read(registry, resource, body, write)
    return create_read(registry, resource, namespace, obj, write)


def create_read(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    obj: Object,
    write: Write,
    entries: Sequence[Entry] | None = None,
) -> Object:
    """Create from a read object; `entries` is the ownership if an apply has computed it."""
    place(resource, namespace, obj)
    fill_defaults(registry, resource, obj)
    metadata = obj["metadata"]
    is_generated = not metadata.get("name") and bool(metadata.get("generateName"))
    if is_generated:
        metadata["name"] = strategies.generate_name(metadata["generateName"])
    _identify(obj)
    registry.admission.create(registry, resource, obj, write)
    if entries is None:
        entries = _owned(registry, resource, obj, write)
    strategies.prepare_create(resource, obj, empty_status=empty_status(resource))
    require_valid(resource, obj, validation.create_causes(resource, obj))
    registry.admission.allocate(registry, resource, obj, None)
    managed_fields.write(obj, entries)
    key = (metadata.get("namespace", ""), metadata["name"])
    if registry.store.find(resource.storage, key) is not None:
        if is_generated:
            raise errors.generate_name_conflict(resource.plural, resource.group, metadata["name"])
        raise errors.already_exists(resource.plural, resource.group, metadata["name"])
    if metadata.pop("resourceVersion", None):
        message = "resourceVersion should not be set on objects to be created"
        raise errors.StatusError(500, "", message)
    if write.dry_run:
        return conversion.to_version(resource, obj)
    stored = registry.store.put(resource.storage, key, obj)
    registry.notify(resource, None, stored)
    return conversion.to_version(resource, stored)


def place(resource: Resource, namespace: str | None, obj: Object) -> None:
    """Put the object into the namespace of the request; raises StatusError 400."""
    metadata = obj["metadata"]
    if not resource.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", namespace) != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace


def fill_defaults(registry: "Registry", resource: Resource, obj: Object) -> None:
    """Defaults of a kind, or of a custom resource's schema."""
    if resource.custom is None:
        defaults.apply(resource, obj)
        return
    obj.update(pruning.default(reading.shape_of(registry, resource), obj))


def _identify(obj: Object) -> None:
    metadata = obj["metadata"]
    for key in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "managedFields"):
        metadata.pop(key, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = times.stamp()


def empty_status(resource: Resource) -> Any:
    """The status of a new object, as Go writes an empty one."""
    if resource.custom is not None:
        return None
    field = shapes.for_kind(resource.storage_api_version, resource.kind).fields.get("status")
    if field is None or field.form is not Form.STRUCT:
        return None
    return decoding.Decoder(decoding.Report()).decode(field, {})


def empty_object(registry: "Registry", resource: Resource) -> Object:
    """An object that says nothing, as Go writes it: what a creation is compared with."""
    if resource.custom is not None:
        return {"metadata": {}}
    shape = reading.stored_shape(registry, resource)
    found: Object = decoding.Decoder(decoding.Report()).decode(shape, {})
    return found


def ignored_paths(resource: Resource, subresource: str | None) -> tuple[Path, ...]:
    """Fields that this endpoint does not write, so that nobody owns them through it."""
    if subresource == "status":
        return (("f:spec",),)
    if subresource is None and strategies.has_status(resource):
        return (("f:status",),)
    return ()


def _owned(registry: "Registry", resource: Resource, obj: Object, write: Write) -> list[Entry]:
    shape = reading.stored_shape(registry, resource)
    comparison = managed_fields.compare(shape, empty_object(registry, resource), obj)
    comparison.removed = {}
    writer = entry(resource, write, "Update")
    ignored = ignored_paths(resource, None)
    return managed_fields.after_update([], comparison, writer, ignored=ignored)


def entry(
    resource: Resource, write: Write, operation: str, subresource: str | None = None
) -> Entry:
    """The entry of this write's manager, without fields yet."""
    return Entry(
        manager=write.manager,
        operation=operation,
        api_version=resource.api_version,
        fields={},
        time=times.stamp(),
        subresource=subresource or "",
    )


def require_valid(resource: Resource, obj: Object, causes: Sequence[errors.Cause]) -> None:
    """Raise StatusError 422 if there is a cause to."""
    if causes:
        name = obj["metadata"].get("name", "")
        raise errors.invalid(resource.kind, resource.group, name, causes)

"""Patching: the four patch types over one way of writing."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import (
    apply,
    conversion,
    creating,
    decoding,
    errors,
    patch as json_patches,
    reading,
    strategic,
    updating,
)
from azrunbook.sandbox.kube.crds import pruning
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TYPES = (JSON, MERGE, STRATEGIC, APPLY)


def types_of(resource: Resource) -> tuple[str, ...]:
    """The patch types that a resource takes: custom ones know no strategic merge."""
    return TYPES if resource.custom is None else (JSON, MERGE, APPLY)


def patch(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    *,
    content_type: str,
    write: Write,
    subresource: str | None = None,
) -> Object:
    """Patch one object; see `Registry.patch`."""
    if content_type not in types_of(resource):
        raise errors.unsupported_media_type(types_of(resource) if content_type in TYPES else ())
    key = ((namespace or "") if resource.namespaced else "", name)
    old = registry.store.find(resource.storage, key)
    if content_type == APPLY:
        return _apply(
            registry, resource, namespace, name, body, old=old, write=write, sub=subresource
        )
    if old is None:
        raise errors.not_found(resource.plural, resource.group, name)
    shown = conversion.to_version(resource, old)
    patched = _patched(registry, resource, shown, body, content_type)
    obj = reading.read(registry, resource, patched, write)
    updating.require_name(obj, name)
    updating.require_namespace(resource, obj, namespace)
    creating.place(resource, namespace, obj)
    creating.fill_defaults(registry, resource, obj)
    return updating.replace(registry, resource, obj, old, write=write, subresource=subresource)


def _patched(
    registry: "Registry", resource: Resource, shown: Object, body: Any, content_type: str
) -> Object:
    if content_type == JSON:
        found = json_patches.json_patch(shown, body)
    elif content_type == MERGE:
        found = json_patches.merge(shown, body)
    else:
        found = strategic.merge(shown, body, reading.shape_of(registry, resource))
    if not isinstance(found, dict) or not isinstance(found.get("metadata"), dict):
        raise errors.rejected()
    return found


def _require_applicable(resource: Resource, body: Any, name: str, write: Write) -> None:
    if not write.manager:
        cause = errors.Cause(
            "FieldValueRequired", "Required value: is required for apply patch", "fieldManager"
        )
        raise errors.invalid("PatchOptions", "meta.k8s.io", "", [cause])
    if not isinstance(body, dict):
        raise errors.bad_request("error decoding YAML: the patch is not an object")
    for key, want in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if not body.get(key):
            raise errors.bad_request(f"invalid object type: /, Kind=: {key} must be set")
        if body[key] != want:
            raise errors.bad_request(
                f"incorrect {key} {body[key]!r} in the applied object, expected {want!r}"
            )
    if (body.get("metadata") or {}).get("managedFields"):
        raise errors.bad_request("metadata.managedFields must be nil")
    said = (body.get("metadata") or {}).get("name")
    if said and said != name:
        raise errors.bad_request(
            f"the name of the object ({said}) does not match the name on the URL ({name})"
        )


def _applied(registry: "Registry", resource: Resource, body: Object, write: Write) -> Object:
    """The configuration as typed: checked against the schema, nothing filled in."""
    shape = reading.shape_of(registry, resource)
    report = decoding.Report()
    if resource.custom is not None:
        applied = pruning.prune(shape, body, report)
        applied["metadata"] = body.get("metadata") or {}
        reading.complain(resource, report, write)
        return applied
    complaints = apply.check_typed(shape, body)
    if complaints:
        raise apply.typed_error(body, complaints)
    return decoding.decode(
        shape, body, kind=resource.kind, version=resource.version, report=report, fill=False
    )


def _apply(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    *,
    old: Object | None,
    write: Write,
    sub: str | None,
) -> Object:
    _require_applicable(resource, body, name, write)
    if old is None and sub is not None:
        raise errors.not_found(resource.plural, resource.group, name)
    applied = conversion.to_storage(resource, _applied(registry, resource, body, write))
    applied["metadata"] = {**(applied.get("metadata") or {}), "name": name}
    creating.place(resource, namespace, applied)
    shape = reading.stored_shape(registry, resource)
    merged, entries = apply.apply(
        shape,
        old,
        applied,
        creating.entry(resource, write, "Apply", sub),
        base=creating.empty_object(registry, resource) if resource.custom is None else {},
        ignored=creating.ignored_paths(resource, sub),
        force=write.force,
    )
    quiet = Write(manager=write.manager, user=write.user, dry_run=write.dry_run, warn=write.warn)
    obj = reading.read(registry, resource, conversion.to_version(resource, merged), quiet)
    if old is None:
        return creating.create_read(registry, resource, namespace, obj, quiet, entries)
    creating.fill_defaults(registry, resource, obj)
    return updating.replace(
        registry, resource, obj, old, write=quiet, subresource=sub, entries=entries
    )

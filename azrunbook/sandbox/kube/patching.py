"""Patching: the four patch types over one way of writing."""

import json
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import (
    apply,
    bodies,
    conversion,
    creating,
    decoding,
    errors,
    patch as json_patches,
    reading,
    shapes,
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
    outcome = patched(registry, resource, shown, body, content_type)
    obj = read(registry, resource, outcome, body, content_type, write)
    updating.require_name(obj, name)
    updating.require_namespace(resource, obj, namespace)
    creating.place(resource, namespace, obj)
    creating.fill_defaults(registry, resource, obj)
    return updating.replace(registry, resource, obj, old, write=write, subresource=subresource)


def patched(
    registry: "Registry", resource: Resource, shown: Object, body: Any, content_type: str
) -> Object:
    if content_type == JSON:
        found = json_patches.json_patch(shown, body)
    elif content_type == MERGE:
        found = json_patches.merge_patch(shown, body)
    else:
        found = strategic.merge(shown, body, reading.shape_of(registry, resource))
    if not isinstance(found, dict):
        raise errors.rejected()
    return found


def read(
    registry: "Registry",
    resource: Resource,
    outcome: Object,
    body: Any,
    content_type: str,
    write: Write,
) -> Object:
    """The patched object as read; what is wrong with it is said of the patch: 422, not 400.

    The server shows the patch itself for a strategic one, for the others the outcome as text.
    """
    is_strategic = content_type == STRATEGIC
    if is_strategic:
        outcome = {**outcome, "apiVersion": resource.api_version, "kind": resource.kind}
    start = "json patch " if content_type == JSON else ""
    twice = [f'{start}duplicate field "{path}"' for path in bodies.repeated(body)]
    try:
        return reading.read(registry, resource, outcome, write, twice)
    except errors.StatusError as error:
        why = error.message
        if isinstance(error, decoding.UnreadableError):
            why = error.converted if is_strategic else error.why
        text = json.dumps(outcome, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        shown = strategic.go_map(body) if is_strategic else text
        raise errors.unusable_patch(shown, why) from None


def require_applicable(resource: Resource, body: Any, name: str, write: Write) -> None:
    if not write.manager:
        cause = errors.Cause(
            "FieldValueRequired", "Required value: is required for apply patch", "fieldManager"
        )
        raise errors.invalid("PatchOptions", "meta.k8s.io", "", [cause])
    if body is not None and not isinstance(body, dict):
        raise errors.bad_request(
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot "
            "unmarshal array into Go value of type map[string]interface {}"
        )
    body = body or {}
    version, kind = body.get("apiVersion") or "", body.get("kind") or ""
    if version != resource.api_version:
        raise errors.bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {version}, expected: {resource.api_version}"
        )
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise apply.typed_error(
            {**body, "metadata": {}}, apply.check_typed(shapes.object_meta(), metadata, ".metadata")
        )
    if metadata.get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    if kind != resource.kind:
        raise apply.typed_error(
            {**body, "kind": kind}, [f"no corresponding type for {version}, Kind={kind}"]
        )
    said = metadata.get("name")
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
    require_applicable(resource, body, name, write)
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

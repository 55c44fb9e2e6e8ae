"""The scale subresource: one small form of everything that has replicas."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import (
    creating,
    errors,
    patch as json_patches,
    patching,
    reading,
    selectors,
    updating,
)
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.tables.cells import path
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
SCALE = Resource("autoscaling", "v1", "scales", "scale", "Scale", namespaced=True, verbs=())
"""The form itself, of whatever resource: what bodies and patches are read as."""
DEFAULT_PATHS = ("spec.replicas", "status.replicas")


def _paths(resource: Resource) -> tuple[str, str, str]:
    if resource.custom is None:
        return (*DEFAULT_PATHS, "")
    scale = (resource.custom.get("subresources") or {}).get("scale") or {}
    return (
        str(scale.get("specReplicasPath", "")).lstrip("."),
        str(scale.get("statusReplicasPath", "")).lstrip("."),
        str(scale.get("labelSelectorPath", "")).lstrip("."),
    )


def _selector(resource: Resource, obj: Object, custom_path: str) -> str:
    if resource.custom is not None:
        return str(path(obj, custom_path, "")) if custom_path else ""
    found = path(obj, "spec.selector")
    if resource.storage == "replicationcontrollers":
        found = {"matchLabels": found or {}}
    return selectors.format_requirements(selectors.from_label_selector(found) or ())


def show(resource: Resource, obj: Object) -> Object:
    """The Scale of an object."""
    wanted_path, current_path, selector_path = _paths(resource)
    metadata = {key: obj["metadata"][key] for key in SHOWN if key in obj["metadata"]}
    wanted, selector = path(obj, wanted_path, 0), _selector(resource, obj, selector_path)
    status: Object = {"replicas": path(obj, current_path, 0)}
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": wanted} if wanted else {},
        "status": status,
    }


def get(registry: "Registry", resource: Resource, namespace: str | None, name: str) -> Object:
    """Raises StatusError 404."""
    return show(resource, registry.get(resource, namespace, name))


def update(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    *,
    write: Write,
) -> Object:
    """Set the replicas; raises StatusError 400, 404, 409 or 422."""
    obj = registry.get(resource, namespace, name)
    scale = reading.read(registry, SCALE, body, write)
    metadata = scale["metadata"]
    updating.require_name(scale, name)
    version, uid = metadata.get("resourceVersion"), metadata.get("uid")
    if uid and uid != obj["metadata"]["uid"]:
        why = (
            f"Precondition failed: UID in precondition: {uid}, "
            f"UID in object meta: {obj['metadata']['uid']}"
        )
        raise errors.conflict(resource.plural, resource.group, name, why)
    if version and version != obj["metadata"]["resourceVersion"]:
        raise errors.conflict(resource.plural, resource.group, name)
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if replicas < 0:
        cause = errors.Cause(
            "FieldValueInvalid",
            f"Invalid value: {replicas}: must be greater than or equal to 0",
            "spec.replicas",
        )
        raise errors.invalid("Scale", "autoscaling", name, [cause])
    return show(resource, _set(registry, resource, obj, replicas, write))


def _set(
    registry: "Registry", resource: Resource, obj: Object, replicas: int, write: Write
) -> Object:
    """Write the replicas, owned by the manager through the scale subresource."""
    wanted_path = _paths(resource)[0]
    body: Any = replicas
    for part in reversed(wanted_path.split(".")):
        body = {part: body}
    changed = json_patches.merge(obj, body)
    metadata = {**changed["metadata"]}
    changed["metadata"] = metadata
    old = registry.store.find(resource.storage, (metadata.get("namespace", ""), metadata["name"]))
    if old is None:
        raise errors.not_found(resource.plural, resource.group, metadata["name"])
    creating.fill_defaults(registry, resource, changed)
    return updating.replace(registry, resource, changed, old, write=write, subresource="scale")


def patch(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    name: str,
    body: Any,
    *,
    content_type: str,
    write: Write,
) -> Object:
    """Patch the Scale; raises StatusError 400, 404, 409, 415 or 422."""
    shown = get(registry, resource, namespace, name)
    if content_type == patching.APPLY:
        patching.require_applicable(SCALE, body, name, write)
        changed = json_patches.merge(shown, body)
    else:
        changed = patching.patched(registry, SCALE, shown, body, content_type)
        changed = patching.read(registry, SCALE, changed, body, content_type, write)
    return update(registry, resource, namespace, name, changed, write=write)

"""Validation of object metadata: names, labels, annotations, finalizers, owners."""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.validation import causes, names

Object = dict[str, Any]
ANNOTATIONS_BYTES = 256 * 1024
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
RBAC = "rbac.authorization.k8s.io"
NAME_RULES: dict[str, Callable[[str], list[str]]] = {
    "namespaces": names.label,
    "services": names.label_1035,
    f"roles.{RBAC}": names.path_segment,
    f"rolebindings.{RBAC}": names.path_segment,
    f"clusterroles.{RBAC}": names.path_segment,
    f"clusterrolebindings.{RBAC}": names.path_segment,
    "apiservices.apiregistration.k8s.io": names.path_segment,
}


def create(resource: Resource, obj: Object) -> list[Cause]:
    """Why the metadata of a new object is refused."""
    metadata = obj["metadata"]
    rule = NAME_RULES.get(resource.storage, names.subdomain)
    found: list[Cause] = []
    prefix = metadata.get("generateName")
    if prefix:
        trimmed = prefix[:-1] + "a" if prefix.endswith("-") else prefix
        found += [causes.invalid("metadata.generateName", prefix, why) for why in rule(trimmed)]
    name = metadata.get("name", "")
    if not name:
        found.append(causes.required("metadata.name", "name or generateName is required"))
    else:
        found += [causes.invalid("metadata.name", name, why) for why in rule(name)]
    return found + _parts(resource, metadata)


def _parts(resource: Resource, metadata: Object) -> list[Cause]:
    found = labels(metadata.get("labels"), "metadata.labels")
    found += annotations(metadata.get("annotations"), "metadata.annotations")
    found += _owners(metadata.get("ownerReferences") or [])
    finalizers = metadata.get("finalizers") or []
    found += [
        causes.invalid("metadata.finalizers", name, why)
        for name in finalizers
        for why in names.qualified(name)
    ]
    if _is_extension(resource):
        return found
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return found + [
        causes.invalid(f"metadata.finalizers[{index}]", name, why)
        for index, name in enumerate(finalizers)
        if "/" not in name and name not in STANDARD_FINALIZERS
    ]


def _is_extension(resource: Resource) -> bool:
    """Definitions and custom resources may have finalizers without a prefix."""
    return resource.custom is not None or resource.group == "apiextensions.k8s.io"


def labels(found: Object | None, where: str) -> list[Cause]:
    """Why labels are refused."""
    problems = []
    for key, value in sorted((found or {}).items()):
        problems += [causes.invalid(where, key, why) for why in names.qualified(key)]
        problems += [causes.invalid(where, value, why) for why in names.label_value(value)]
    return problems


def annotations(found: Object | None, where: str) -> list[Cause]:
    """Why annotations are refused."""
    problems = []
    size = 0
    for key, value in (found or {}).items():
        problems += [causes.invalid(where, key, why) for why in names.qualified(key.lower())]
        size += len(key.encode()) + len(value.encode())
    if size > ANNOTATIONS_BYTES:
        problems.append(causes.too_long(where, ANNOTATIONS_BYTES))
    return problems


def _owners(owners: list[Object]) -> list[Cause]:
    found = []
    controllers: list[str] = []
    for index, owner in enumerate(owners):
        where = f"metadata.ownerReferences[{index}]"
        if not owner.get("apiVersion"):
            found.append(causes.invalid(f"{where}.apiVersion", "", "version must not be empty"))
        for key, why in (
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(key):
                found.append(causes.invalid(f"{where}.{key}", "", why))
        if owner.get("controller"):
            controllers.append(owner.get("name", ""))
    if len(controllers) > 1:
        why = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{controllers[0]} and {controllers[1]}"
        )
        found.append(causes.invalid("metadata.ownerReferences", owners, why))
    return found


def update(resource: Resource, obj: Object, old: Object) -> list[Cause]:
    """Why a change of metadata is refused."""
    metadata, before = obj["metadata"], old["metadata"]
    found: list[Cause] = []
    if before.get("deletionTimestamp"):
        kept = before.get("finalizers") or []
        added = [name for name in metadata.get("finalizers") or [] if name not in kept]
        if added:
            shown = ", ".join(f'"{name}"' for name in added)
            why = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{shown}}}"
            )
            found.append(causes.forbidden("metadata.finalizers", why))
    for key in ("name", "namespace", "uid"):
        if metadata.get(key) != before.get(key):
            found += causes.unchanged(f"metadata.{key}", metadata.get(key), before.get(key))
    return found + _parts(resource, metadata)

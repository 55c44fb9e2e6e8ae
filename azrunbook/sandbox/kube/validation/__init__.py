"""Validation: what the real server refuses with 422, in its words and its order.

Law: pure. Rules are functions from an object to causes, found by the name of its collection.
"""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.crds import schemas
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.validation import (
    configuration,
    definitions,
    metadata,
    networking,
    pods,
    workloads,
)

Object = dict[str, Any]
CREATE: dict[str, Callable[[Object], list[errors.Cause]]] = {
    "pods": pods.create,
    **workloads.CREATE,
    **networking.CREATE,
    **configuration.CREATE,
    **definitions.CREATE,
}
UPDATE: dict[str, Callable[[Object, Object], list[errors.Cause]]] = {
    **workloads.UPDATE,
    **networking.UPDATE,
    **configuration.UPDATE,
    **definitions.UPDATE,
}


def _content(resource: Resource, obj: Object) -> list[errors.Cause]:
    if resource.custom is not None:
        schema = (resource.custom.get("schema") or {}).get("openAPIV3Schema")
        return schemas.validate(schema or {}, obj)
    rule = CREATE.get(resource.storage)
    return rule(obj) if rule else []


def create_causes(resource: Resource, obj: Object) -> list[errors.Cause]:
    """Why a new object is refused; empty when it is fine."""
    return metadata.create(resource, obj) + _content(resource, obj)


def update_causes(
    resource: Resource, obj: Object, old: Object, subresource: str | None
) -> list[errors.Cause]:
    """Why a change is refused; empty when it is fine."""
    found = metadata.update(resource, obj, old)
    if subresource not in (None, "scale"):
        return found + (_content(resource, obj) if resource.custom is not None else [])
    if resource.storage == "pods":
        return found + pods.update(obj, old)
    found += _content(resource, obj)
    kept = UPDATE.get(resource.storage)
    return found + kept(obj, old) if kept else found

"""Validation: what the real server refuses with 422, in its words and its order.

Law: pure. Rules are functions from an object to causes, found by the name of its collection.
"""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.crds import schemas
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.validation import (
    autoscaling,
    batch,
    configuration,
    definitions,
    limits,
    metadata,
    network_policies,
    networking,
    pods,
    rbac,
    storage,
    workloads,
)

Object = dict[str, Any]
CREATE: dict[str, Callable[[Object], list[errors.Cause]]] = {
    "pods": pods.create,
    **workloads.CREATE,
    **batch.CREATE,
    **autoscaling.CREATE,
    **rbac.CREATE,
    **limits.CREATE,
    **storage.CREATE,
    **networking.CREATE,
    **network_policies.CREATE,
    **configuration.CREATE,
    **definitions.CREATE,
}
UPDATE: dict[str, Callable[[Object, Object], list[errors.Cause]]] = {
    **workloads.UPDATE,
    **batch.UPDATE,
    **rbac.UPDATE,
    **limits.UPDATE,
    **storage.UPDATE,
    **networking.UPDATE,
    **configuration.UPDATE,
    **definitions.UPDATE,
}
CHANGED: dict[str, Callable[[Object], list[errors.Cause]]] = {
    **workloads.CHANGED,
    **batch.CHANGED,
    **storage.CHANGED,
}
"""Where a changed object is looked at otherwise than a new one."""


def _content(resource: Resource, obj: Object, *, is_new: bool) -> list[errors.Cause]:
    if resource.custom is not None:
        schema = (resource.custom.get("schema") or {}).get("openAPIV3Schema")
        return schemas.validate(schema or {}, obj)
    rule = CREATE.get(resource.storage)
    if not is_new:
        rule = CHANGED.get(resource.storage, rule)
    return rule(obj) if rule else []


def create_causes(resource: Resource, obj: Object) -> list[errors.Cause]:
    """Why a new object is refused; empty when it is fine."""
    return metadata.create(resource, obj) + _content(resource, obj, is_new=True)


def update_causes(
    resource: Resource, obj: Object, old: Object, subresource: str | None
) -> list[errors.Cause]:
    """Why a change is refused; empty when it is fine."""
    found = metadata.update(resource, obj, old)
    if subresource not in (None, "scale"):
        return found + (
            _content(resource, obj, is_new=False) if resource.custom is not None else []
        )
    if resource.storage == "pods":
        return found + pods.update(obj, old)
    found += _content(resource, obj, is_new=False)
    kept = UPDATE.get(resource.storage)
    return found + kept(obj, old) if kept else found

"""Validation: what the real server refuses with 422, in its words and its order.

Law: pure. Rules are functions from an object to causes, found by the name of its collection.
"""

from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.resources import Resource

Object = dict[str, Any]


def create_causes(resource: Resource, obj: Object) -> list[errors.Cause]:
    """Why a new object is refused; empty when it is fine."""
    return []


def update_causes(
    resource: Resource, obj: Object, old: Object, subresource: str | None
) -> list[errors.Cause]:
    """Why a change is refused; empty when it is fine."""
    return []

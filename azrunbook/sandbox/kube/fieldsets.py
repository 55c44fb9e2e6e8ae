"""Sets of fields in the form of `FieldsV1`: nested keys `f:name`, `k:{...}`, `v:...`, and ".".

Law: pure. A node that is owned itself has the key "."; a leaf `{}` is owned. This is the form of
managedFields, so ownership is stored, compared and shown without conversion.
"""

import json
from collections.abc import Iterator
from typing import Any

from azrunbook.sandbox.kube import shapes
from azrunbook.sandbox.kube.shapes import Form, Shape

FieldSet = dict[str, Any]
Path = tuple[str, ...]
SELF = "."


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Fields of either."""
    if not left or not right:
        return _merge_leaf(left, right)
    found = dict(left)
    for key, part in right.items():
        found[key] = union(found[key], part) if key in found else part
    return found


def _merge_leaf(left: FieldSet, right: FieldSet) -> FieldSet:
    """One of the two is a leaf: the other, owned itself as well."""
    other = left or right
    return {SELF: {}, **other} if other and SELF not in other else other


def difference(left: FieldSet, right: FieldSet) -> FieldSet | None:
    """Fields of the left that the right has not; None when nothing is left."""
    if not left:
        return None if not right or SELF in right else left
    if not right:
        rest = {key: part for key, part in left.items() if key != SELF}
        return rest or None
    found: FieldSet = {}
    for key, part in left.items():
        if key == SELF:
            if SELF not in right:
                found[SELF] = {}
        elif key not in right:
            found[key] = part
        else:
            left_over = difference(part, right[key])
            if left_over is not None:
                found[key] = left_over
    return found or None


def intersection(left: FieldSet, right: FieldSet) -> FieldSet | None:
    """Fields of both; None when there are none."""
    if not left:
        return {} if not right or SELF in right else None
    if not right:
        return {} if SELF in left else None
    found: FieldSet = {}
    for key, part in left.items():
        if key not in right:
            continue
        if key == SELF:
            found[SELF] = {}
            continue
        both = intersection(part, right[key])
        if both is not None:
            found[key] = both
    if not found:
        return None
    return {} if found == {SELF: {}} else found


def without(fields: FieldSet, path: Path) -> FieldSet | None:
    """The set without a field and all below it; None when nothing is left."""
    head, rest = path[0], path[1:]
    if head not in fields:
        return fields
    found = dict(fields)
    below = found.pop(head)
    inner = without(below, rest) if rest else None
    if inner is not None:
        found[head] = inner
    return found or None


def leaves(fields: FieldSet, path: Path = ()) -> Iterator[Path]:
    """Every owned field as a path of keys."""
    if not fields:
        yield path
    for key, part in fields.items():
        if key == SELF:
            yield path
        else:
            yield from leaves(part, (*path, key))


def contains(fields: FieldSet, path: Path) -> bool:
    """Whether exactly this field is in the set."""
    for key in path:
        if key not in fields:
            return False
        fields = fields[key]
    return not fields or SELF in fields


def key_of(shape: Shape, item: Any) -> str:
    """The path element of a list's item: its keys, or itself in a set."""
    if shape.list_type == "map" and isinstance(item, dict):
        keys = {key: item[key] for key in sorted(shape.map_keys) if key in item}
        element = shape.element or shapes.ANY
        for key in shape.map_keys:
            if key not in keys and (default := _key_default(element, key)) is not None:
                keys[key] = default
        keys = {key: keys[key] for key in sorted(keys)}
        return "k:" + json.dumps(keys, separators=(",", ":"), ensure_ascii=False)
    return "v:" + json.dumps(item, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


KEY_DEFAULTS = {"protocol": "TCP"}


def _key_default(element: Shape, key: str) -> Any:
    """A key may be left out when it has a default: a port's protocol."""
    field = element.fields.get(key)
    if field is not None and "default" in field.schema:
        return field.schema["default"]
    if element.name.endswith((".ContainerPort", ".ServicePort")):
        return KEY_DEFAULTS.get(key)
    return None


def is_granular(shape: Shape, value: Any) -> bool:
    """Whether parts of this value can have owners of their own."""
    if isinstance(value, dict):
        return shape.form in (Form.STRUCT, Form.MAP) and not shape.is_atomic
    if isinstance(value, list):
        return shape.form is Form.LIST and shape.list_type in ("set", "map")
    return False


def child(shape: Shape, key: str) -> Shape:
    """The shape of a field of a struct, or of a value of a map."""
    if shape.form is Form.STRUCT:
        return shape.fields.get(key, shapes.ANY)
    return shape.element or shapes.ANY


def from_value(shape: Shape, value: Any) -> FieldSet:
    """All fields that a value sets; as applied: a struct is not owned itself, a list item is."""
    found: FieldSet = {}
    if not is_granular(shape, value) or not value:
        return found
    if isinstance(value, dict):
        for key, part in value.items():
            found["f:" + key] = from_value(child(shape, key), part)
        return found
    element = shape.element or shapes.ANY
    for item in value:
        inner = from_value(element, item) if shape.list_type == "map" else {}
        found[key_of(shape, item)] = {SELF: {}, **inner} if inner else {}
    return found

"""Which schemas a custom resource may have: structural ones.

Law: pure. The rules are those of the real server's package `apiextensions`: every node has a type,
lists have items, what cannot be checked quickly or pruned safely is forbidden, and a default fits
the schema that it is given in. Neither CEL rules nor patterns are compiled here: Go's expressions
are not Python's, and a definition that the real server takes must be taken.
"""

from collections.abc import Iterator
from typing import Any

from azrunbook.sandbox.kube import shapes
from azrunbook.sandbox.kube.crds import pruning, schemas
from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes

Object = dict[str, Any]
TYPES = ("array", "boolean", "integer", "number", "object", "string")
LIST_TYPES = ("atomic", "map", "set")
NAMES = frozenset({"name", "generateName"})
FORBIDDEN = {
    "$ref": "$ref is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "patternProperties": "patternProperties is not supported",
    "id": "id is not supported",
}
QUADRATIC = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
IMPLICIT = (
    "must not specify anything other than name and generateName, but metadata is implicitly "
    "specified"
)
EMBEDDED = (
    "must not be empty if x-kubernetes-embedded-resource is true without "
    "x-kubernetes-preserve-unknown-fields"
)


def require_structural(schema: Object, where: str) -> list[Cause]:
    """Why the schema of a version is refused; `where` is its own path."""
    found = list(_root(schema, where))
    found += _node(schema, where, is_root=True)
    return found


def _root(schema: Object, where: str) -> Iterator[Cause]:
    kind = schema.get("type")
    if not kind:
        yield causes.required(f"{where}.type", "must not be empty at the root")
    elif kind != "object":
        yield causes.invalid(f"{where}.type", kind, 'must be "object" at the root')
    metadata = (schema.get("properties") or {}).get("metadata") or {}
    if set(metadata.get("properties") or ()) - NAMES:
        yield causes.forbidden(f"{where}.properties[metadata]", IMPLICIT)


def _node(schema: Object, where: str, *, is_root: bool = False) -> Iterator[Cause]:
    if not is_root:
        yield from _type(schema, where)
    yield from _forbidden(schema, where)
    if schema.get("type") == "array":
        yield from _list(schema, where)
    yield from _object(schema, where)
    yield from _default(schema, where)
    for key, part in sorted((schema.get("properties") or {}).items()):
        yield from _node(part, f"{where}.properties[{key}]")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _node(schema[key], f"{where}.{key}")


def _type(schema: Object, where: str) -> Iterator[Cause]:
    kind = schema.get("type")
    is_either = schema.get("x-kubernetes-int-or-string")
    if kind and is_either:
        why = "must be empty if x-kubernetes-int-or-string is true"
        yield causes.invalid(f"{where}.type", kind, why)
    elif kind and kind not in TYPES:
        yield causes.unsupported(f"{where}.type", kind, TYPES)
    elif not kind and not is_either and not schema.get("x-kubernetes-preserve-unknown-fields"):
        yield causes.required(f"{where}.type", "must not be empty for specified object fields")


def _forbidden(schema: Object, where: str) -> Iterator[Cause]:
    for key, why in FORBIDDEN.items():
        if schema.get(key):
            yield causes.forbidden(f"{where}.{key}", why)
    if schema.get("uniqueItems"):
        yield causes.forbidden(f"{where}.uniqueItems", QUADRATIC)
    if schema.get("additionalProperties") is False:
        why = "additionalProperties cannot be set to false"
        yield causes.forbidden(f"{where}.additionalProperties", why)


def _list(schema: Object, where: str) -> Iterator[Cause]:
    items, kind = schema.get("items"), schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if items is None:
        yield causes.required(f"{where}.items", "must be specified")
    if kind and kind not in LIST_TYPES:
        yield causes.unsupported(f"{where}.x-kubernetes-list-type", kind, LIST_TYPES)
    if kind != "map":
        return
    if not keys:
        why = "must not be empty if x-kubernetes-list-type is map"
        yield causes.required(f"{where}.x-kubernetes-list-map-keys", why)
    if items and items.get("type") != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        yield causes.invalid(f"{where}.items.type", items.get("type", ""), why)
    for index, key in enumerate(keys):
        if key not in ((items or {}).get("properties") or {}):
            why = "entries must all be names of item properties"
            yield causes.invalid(f"{where}.x-kubernetes-list-map-keys[{index}]", key, why)


def _object(schema: Object, where: str) -> Iterator[Cause]:
    has_properties = bool(schema.get("properties"))
    if has_properties and schema.get("additionalProperties"):
        why = "additionalProperties and properties are mutual exclusive"
        yield causes.forbidden(f"{where}.additionalProperties", why)
    is_open = schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("x-kubernetes-embedded-resource") and not (has_properties or is_open):
        yield causes.required(f"{where}.properties", EMBEDDED)


def _default(schema: Object, where: str) -> Iterator[Cause]:
    """A default fits its own schema once the defaults within it are filled in."""
    if "default" in schema:
        value = pruning.default(shapes.from_schema(schema), schema["default"])
        yield from schemas.validate_value(schema, value, f"{where}.default")

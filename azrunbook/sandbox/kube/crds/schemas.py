"""Validation of custom resources by their OpenAPI v3 schema.

Law: pure. CEL rules (`x-kubernetes-validations`) are kept in the definition, not evaluated.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes

Object = dict[str, Any]
Schema = Mapping[str, Any]
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array",
         dict: "object", type(None): "null"}  # fmt: skip
SKIPPED = ("apiVersion", "kind", "metadata")


def validate(schema: Schema, obj: Object) -> list[Cause]:
    """Why an object does not fit; its type and metadata aside."""
    found: list[Cause] = []
    found += [causes.required(name) for name in schema.get("required") or [] if name not in obj]
    for name, part in (schema.get("properties") or {}).items():
        if name in obj and name not in SKIPPED:
            found += _value(part, obj[name], name)
    return found


def validate_value(schema: Schema, value: Any, where: str) -> list[Cause]:
    """Why a value does not fit a part of a schema."""
    return _value(schema, value, where)


def _type(value: Any) -> str:
    return next(
        name
        for kind, name in TYPES.items()
        if type(value) is kind or (kind is dict and isinstance(value, dict))
    )


def _fits(kind: str, value: Any) -> bool:
    actual = _type(value)
    if actual == kind:
        return True
    if actual == "integer":
        return kind == "number"
    return actual == "number" and kind == "integer" and float(value).is_integer()


def _value(schema: Schema, value: Any, where: str) -> list[Cause]:
    if value is None and schema.get("nullable"):
        return []
    if schema.get("x-kubernetes-int-or-string"):
        kinds = ["integer", "string"]
    else:
        kinds = [schema["type"]] if schema.get("type") else []
    if kinds and not any(_fits(kind, value) for kind in kinds):
        actual = _type(value)
        why = f'{where} in body must be of type {",".join(kinds)}: "{actual}"'
        return [causes.wrong_type(where, actual, why)]
    found = list(_enumerated(schema, value, where))
    if isinstance(value, bool) or value is None:
        return found
    if isinstance(value, int | float):
        found += _number(schema, value, where)
    elif isinstance(value, str):
        found += _text(schema, value, where)
    elif isinstance(value, list):
        found += _list(schema, value, where)
    else:
        found += _object(schema, value, where)
    return found + _combined(schema, value, where)


def _enumerated(schema: Schema, value: Any, where: str) -> Iterator[Cause]:
    choices = schema.get("enum")
    if choices and value not in choices:
        yield causes.unsupported(where, value, choices)


def _number(schema: Schema, value: float, where: str) -> Iterator[Cause]:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None:
        if schema.get("exclusiveMinimum") and value <= lowest:
            yield causes.invalid(where, value, f"{where} in body should be greater than {lowest}")
        elif value < lowest:
            why = f"{where} in body should be greater than or equal to {lowest}"
            yield causes.invalid(where, value, why)
    if highest is not None:
        if schema.get("exclusiveMaximum") and value >= highest:
            yield causes.invalid(where, value, f"{where} in body should be less than {highest}")
        elif value > highest:
            why = f"{where} in body should be less than or equal to {highest}"
            yield causes.invalid(where, value, why)
    factor = schema.get("multipleOf")
    if factor and value % factor:
        yield causes.invalid(where, value, f"{where} in body should be a multiple of {factor}")


def _text(schema: Schema, value: str, where: str) -> Iterator[Cause]:
    if len(value) < schema.get("minLength", 0):
        why = f"{where} in body should be at least {schema['minLength']} chars long"
        yield causes.invalid(where, value, why)
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield causes.too_long(where, schema["maxLength"])
    pattern = schema.get("pattern")
    if pattern and not _matches(pattern, value):
        yield causes.invalid(where, value, f"{where} in body should match '{pattern}'")
    form = schema.get("format")
    if form in ("date-time", "date") and not _is_date(value):
        yield causes.invalid(where, value, f'{where} in body must be of type {form}: "{value}"')


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True


def _is_date(value: str) -> bool:
    try:
        dt.datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _list(schema: Schema, value: list[Any], where: str) -> Iterator[Cause]:
    if len(value) < schema.get("minItems", 0):
        why = f"{where} in body should have at least {schema['minItems']} items"
        yield causes.invalid(where, len(value), why)
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield causes.too_many(where, len(value), schema["maxItems"])
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    seen: list[Any] = []
    for index, item in enumerate(value):
        place = f"{where}[{index}]"
        yield from _value(schema.get("items") or {}, item, place)
        if kind == "map" and isinstance(item, dict):
            identity: Any = {key: item.get(key) for key in keys}
        elif kind == "set":
            identity = item
        else:
            continue
        if identity in seen:
            yield causes.duplicate(place, identity)
        seen.append(identity)


def _embedded(value: Object, where: str) -> Iterator[Cause]:
    for name in ("apiVersion", "kind"):
        if not value.get(name):
            yield causes.required(f"{where}.{name}", "must not be empty")


def _object(schema: Schema, value: Object, where: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-embedded-resource"):
        yield from _embedded(value, where)
    for name in schema.get("required") or []:
        if name not in value:
            yield causes.required(f"{where}.{name}")
    if len(value) < schema.get("minProperties", 0):
        why = f"{where} in body should have at least {schema['minProperties']} properties"
        yield causes.invalid(where, len(value), why)
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield causes.too_many(where, len(value), schema["maxProperties"])
    properties = schema.get("properties") or {}
    extra = schema.get("additionalProperties")
    for name, part in value.items():
        if name in properties:
            yield from _value(properties[name], part, f"{where}.{name}")
        elif isinstance(extra, Mapping):
            yield from _value(extra, part, f"{where}.{name}")


def _combined(schema: Schema, value: Any, where: str) -> list[Cause]:
    found: list[Cause] = []
    for part in schema.get("allOf") or []:
        found += _value(part, value, where)
    alternatives = schema.get("anyOf")
    if alternatives and all(_value(part, value, where) for part in alternatives):
        why = f"{where} in body must validate at least one schema (anyOf)"
        found.append(causes.invalid(where, "", why))
    exclusive = schema.get("oneOf")
    if exclusive:
        fitting = sum(not _value(part, value, where) for part in exclusive)
        if fitting != 1:
            many = "none" if not fitting else str(fitting)
            why = (
                f"{where} in body must validate one and only one schema (oneOf). Found {many} valid"
            )
            found.append(causes.invalid(where, "", why))
    if schema.get("not") and not _value(schema["not"], value, where):
        why = f"{where} in body must not validate the schema (not)"
        found.append(causes.invalid(where, "", why))
    return found

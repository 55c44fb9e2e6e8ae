"""How a wrong field is said: the kinds of cause with the real server's wording."""

import json
from collections.abc import Iterable
from typing import Any

from azrunbook.sandbox.kube.errors import Cause

IMMUTABLE = "field is immutable"


def show(value: Any) -> str:
    """A value as messages have it: JSON, but text quoted as Go does."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def invalid(field: str, value: Any, why: str) -> Cause:
    detail = f": {why}" if why else ""
    return Cause("FieldValueInvalid", f"Invalid value: {show(value)}{detail}", field)


def wrong_type(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueTypeInvalid", f"Invalid value: {show(value)}: {why}", field)


def required(field: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {show(value)}", field)


def unsupported(field: str, value: Any, choices: Iterable[Any]) -> Cause:
    supported = ", ".join(show(choice) for choice in choices)
    message = f"Unsupported value: {show(value)}: supported values: {supported}"
    return Cause("FieldValueNotSupported", message, field)


def too_long(field: str, limit: int) -> Cause:
    message = f"Too long: may not be more than {limit} bytes"
    return Cause("FieldValueTooLong", message, field)


def too_many(field: str, count: int, limit: int) -> Cause:
    message = f"Too many: {count}: must have at most {limit} items"
    return Cause("FieldValueTooMany", message, field)


def missing(field: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {show(value)}", field)


def non_negative(field: str, value: Any) -> list[Cause]:
    """A number that may not be below zero."""
    if isinstance(value, int) and value < 0:
        return [invalid(field, value, "must be greater than or equal to 0")]
    return []


def one_of(field: str, value: Any, choices: Iterable[str]) -> list[Cause]:
    """A text of a closed set; an empty one is missing."""
    known = list(choices)
    if not value:
        return [required(field)]
    return [] if value in known else [unsupported(field, value, known)]


def unchanged(field: str, value: Any, old: Any) -> list[Cause]:
    """A field that may never change."""
    return [] if value == old else [invalid(field, value, IMMUTABLE)]

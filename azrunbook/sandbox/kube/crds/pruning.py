"""Pruning and defaulting of custom resources by their structural schema.

Law: pure; a new object is returned, what was given is not changed. Types are not checked here:
that is validation's, which answers 422 instead of 400.
"""

from typing import Any

from azrunbook.sandbox.kube import decoding, shapes
from azrunbook.sandbox.kube.bodies import RepeatedKeys
from azrunbook.sandbox.kube.decoding import Report
from azrunbook.sandbox.kube.shapes import Form, Shape

Object = dict[str, Any]


def prune(shape: Shape, body: Object, report: Report) -> Object:
    """A custom resource without the fields that its schema does not know (they are reported)."""
    found: Object = {}
    _report_repeated(body, "", report)
    for key, value in body.items():
        if key == "metadata":
            found[key] = decoding.decode(
                shapes.object_meta(), value, kind="object", version="v1", report=Report()
            )
            _report_metadata(value, report)
        elif key in ("apiVersion", "kind"):
            found[key] = value
        elif key in shape.fields:
            found[key] = _prune(shape.fields[key], value, key, report)
        elif shape.keeps_unknown:
            found[key] = value
        else:
            report.unknown(key)
    return found


def _report_metadata(value: Any, report: Report) -> None:
    if isinstance(value, dict):
        known = shapes.object_meta().fields
        for key in value:
            if key not in known:
                report.unknown(f"metadata.{key}")


def _report_repeated(value: Any, path: str, report: Report) -> None:
    if isinstance(value, RepeatedKeys):
        for name in value.names:
            report.repeated(f"{path}.{name}" if path else name)


def _prune(shape: Shape, value: Any, path: str, report: Report) -> Any:
    _report_repeated(value, path, report)
    if isinstance(value, dict) and shape.form is Form.STRUCT:
        found = {}
        for key, part in value.items():
            if key in shape.fields:
                found[key] = _prune(shape.fields[key], part, f"{path}.{key}", report)
            elif shape.keeps_unknown:
                found[key] = part
            else:
                report.unknown(f"{path}.{key}")
        return found
    element = shape.element
    if element is not None and isinstance(value, dict) and shape.form is Form.MAP:
        return {key: _prune(element, part, f"{path}.{key}", report) for key, part in value.items()}
    if element is not None and isinstance(value, list) and shape.form is Form.LIST:
        return [
            _prune(element, part, f"{path}[{index}]", report) for index, part in enumerate(value)
        ]
    return value


def default(shape: Shape, value: Any) -> Any:
    """The value with the schema's defaults where nothing (or a forbidden null) is said."""
    if isinstance(value, dict) and shape.form is Form.STRUCT:
        found = dict(value)
        for key, field in shape.fields.items():
            is_null = key in found and found[key] is None and not field.schema.get("nullable")
            if "default" in field.schema and (key not in found or is_null):
                found[key] = field.schema["default"]
            elif is_null:
                del found[key]
            if key in found and key not in ("apiVersion", "kind", "metadata"):
                found[key] = default(field, found[key])
        return found
    element = shape.element
    if element is not None and isinstance(value, dict):
        return {key: default(element, part) for key, part in value.items()}
    if element is not None and isinstance(value, list):
        return [default(element, part) for part in value]
    return value

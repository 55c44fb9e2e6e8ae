"""Columns of custom resources: `additionalPrinterColumns`, read by simple JSON paths."""

import re
from typing import Any

from azrunbook.sandbox.kube import definitions
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.tables.cells import since

Object = dict[str, Any]
AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
PART = re.compile(
    r"\.([A-Za-z_][\w-]*(?:\\\.[\w-]+)*)|\[(\d+)\]|\[\*\]|\['([^']+)'\]"
    r"|\[\?\(@\.(\w+)\s*==\s*[\"']([^\"']*)[\"']\)\]"
)


def _printer_columns(resource: Resource) -> list[Object]:
    custom = resource.custom or {}
    return list(custom.get("additionalPrinterColumns") or [AGE])


def columns(resource: Resource) -> list[Object]:
    """Name, then what the definition says; only the age if it says nothing."""
    found = [
        {
            "name": "Name",
            "type": "string",
            "format": "name",
            "description": definitions.describe("metadata.name"),
            "priority": 0,
        }
    ]
    for column in _printer_columns(resource):
        description = column.get("description")
        if not description and column["jsonPath"] == AGE["jsonPath"]:
            description = definitions.describe("metadata.creationTimestamp")
        found.append(
            {
                "name": column["name"],
                "type": column["type"],
                "format": column.get("format", ""),
                "description": description
                or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
                "priority": column.get("priority", 0),
            }
        )
    return found


def cells(resource: Resource, obj: Object) -> list[Any]:
    """The values of the columns after the name."""
    found: list[Any] = []
    for column in _printer_columns(resource):
        values = read(obj, column["jsonPath"])
        if not values:
            found.append(None)
        elif column["type"] == "date":
            found.append(since(str(values[0])))
        elif column["type"] in ("integer", "number", "boolean"):
            found.append(values[0])
        else:
            found.append(",".join(_text(value) for value in values))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def read(obj: Any, json_path: str) -> list[Any]:
    """All values at a JSON path: fields, indexes, `[*]` and `[?(@.key=="value")]`."""
    found = [obj]
    for match in PART.finditer(json_path):
        field, index, quoted, key, wanted = match.groups()
        found = [
            value for item in found for value in _step(item, field, index, quoted, key, wanted)
        ]
    return [value for value in found if value is not None]


def _step(
    item: Any,
    field: str | None,
    index: str | None,
    quoted: str | None,
    key: str | None,
    wanted: str | None,
) -> list[Any]:
    name = field.replace("\\.", ".") if field else quoted
    if name is not None:
        return [item[name]] if isinstance(item, dict) and name in item else []
    if not isinstance(item, list):
        return []
    if index is not None:
        return [item[int(index)]] if int(index) < len(item) else []
    if key is not None:
        return [part for part in item if isinstance(part, dict) and _text(part.get(key)) == wanted]
    return list(item)

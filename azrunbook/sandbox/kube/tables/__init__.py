"""Tables: what `kubectl get` shows, made by the server.

Law: pure. The columns are data (`columns.json`, names and types of a real 1.36 server; most
descriptions are those of fields in the OpenAPI definitions); the cells are printers by kind.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources as package_files
from typing import Any

from azrunbook.sandbox.kube import definitions
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.tables import custom
from azrunbook.sandbox.kube.tables.cells import age, created
from azrunbook.sandbox.kube.tables.printers import PRINTERS

Object = dict[str, Any]


@functools.cache
def _definitions() -> Mapping[str, list[Object]]:
    text = package_files.files(__package__).joinpath("columns.json").read_text()
    return {name: [_column(row) for row in rows] for name, rows in json.loads(text).items()}


def _column(row: Mapping[str, Any]) -> Object:
    description = row["text"] if "text" in row else definitions.describe(row["doc"])
    return {
        "name": row["name"],
        "type": row["type"],
        "format": row.get("format", ""),
        "description": description,
        "priority": row.get("priority", 0),
    }


DEFAULT = (
    {"name": "Name", "type": "string", "format": "name", "doc": "metadata.name"},
    {"name": "Created At", "type": "date", "doc": "metadata.creationTimestamp"},
)


def columns(resource: Resource) -> list[Object]:
    """The column definitions of a resource's tables."""
    if resource.custom is not None:
        return custom.columns(resource)
    found = _definitions().get(resource.storage)
    return found if found is not None else [_column(row) for row in DEFAULT]


def _cells(resource: Resource, obj: Object) -> list[Any]:
    name = obj["metadata"]["name"]
    if resource.custom is not None:
        return [name, *custom.cells(resource, obj)]
    printer = PRINTERS.get(resource.storage)
    if printer is not None:
        return printer(obj)
    return [name, created(obj) if columns(resource)[-1]["type"] == "date" else age(obj)]


COMPLETED = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}


def _row(resource: Resource, obj: Object, version: str, include: str) -> Object:
    row: Object = {"cells": _cells(resource, obj)}
    phase = (obj.get("status") or {}).get("phase") if resource.storage == "pods" else None
    if phase in COMPLETED:
        row["conditions"] = [
            {
                "type": "Completed",
                "status": "True",
                "reason": phase,
                "message": COMPLETED[phase],
            }
        ]
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": f"meta.k8s.io/{version}",
            "metadata": obj["metadata"],
        }
    return row


def table(
    resource: Resource,
    objects: Sequence[Object],
    metadata: Mapping[str, Any],
    version: str = "v1",
    include: str = "",
) -> Object:
    """A Table; `include` is includeObject: "" (metadata), "None" or "Object"."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": dict(metadata),
        "columnDefinitions": columns(resource),
        "rows": [_row(resource, obj, version, include) for obj in objects],
    }

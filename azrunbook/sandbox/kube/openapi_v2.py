"""/openapi/v2: one document of all kinds, for clients that have not learned version 3.

Law: as `openapi`: generated from the definitions, kept until the resource table changes. Such
clients look for a kind's definition by its `x-kubernetes-group-version-kind`, and in the paths
for the query parameters of its operations; request and response bodies are left out of the paths.
The real server's favourite form, protobuf, is not spoken: JSON to those who take it, nothing to
the others.
"""

import gzip
import hashlib
import json
from typing import Any

from azrunbook.sandbox.kube import definitions, openapi
from azrunbook.sandbox.kube.resources import ResourceTable

Object = dict[str, Any]
DEFINITIONS = "#/definitions/"
KEPT = ("description", "operationId", "x-kubernetes-action", "x-kubernetes-group-version-kind")


def _refer(schema: Any) -> Any:
    """The schema with its references into this document."""
    if isinstance(schema, list):
        return [_refer(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _refer(value) for key, value in schema.items()}
    reference = found.get("$ref")
    if isinstance(reference, str):
        found["$ref"] = DEFINITIONS + reference.rpartition("/")[2]
    if isinstance(found.get("type"), list):
        found["type"] = found["type"][0]
    return found


def _parameter(parameter: Object) -> Object:
    rest = {key: value for key, value in parameter.items() if key != "schema"}
    return {**rest, **parameter["schema"]}


def _operations(path: Object) -> Object:
    found: Object = {}
    for key, part in path.items():
        if key == "parameters":
            found[key] = [_parameter(one) for one in part]
            continue
        found[key] = {name: part[name] for name in KEPT}
        found[key]["parameters"] = [_parameter(one) for one in part.get("parameters", ())]
        found[key]["responses"] = {"200": {"description": "OK"}}
    return found


class OpenApiV2:
    """The OpenAPI v2 document of one cluster, gzip-compressed."""

    def __init__(self, resources: ResourceTable) -> None:
        self._resources = resources
        self._kept: tuple[int, bytes, str] | None = None

    def document(self) -> tuple[bytes, str]:
        """The compressed document and its ETag."""
        generation = self._resources.generation
        if self._kept is None or self._kept[0] != generation:
            text = json.dumps(self._make(), separators=(",", ":")).encode()
            etag = '"' + hashlib.sha512(text).hexdigest().upper() + '"'
            self._kept = (generation, gzip.compress(text, 6), etag)
        return self._kept[1], self._kept[2]

    def _make(self) -> Object:
        paths: Object = {}
        schemas: Object = {name: _refer(schema) for name, schema in definitions.load().items()}
        for resource in self._resources:
            if resource.custom is not None:
                schemas.update(_refer(openapi.custom_schemas(resource)))
            for path, part in openapi.paths_of(resource).items():
                paths[path] = _operations(part)
        return {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": openapi.VERSION},
            "paths": paths,
            "definitions": schemas,
        }

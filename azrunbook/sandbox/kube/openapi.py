"""/openapi/v3: one document per group and version, generated from the definitions.

Law: made when first asked for and kept compressed; documents of built-in groups are shared by all
clusters of the process. Paths hold what clients look for: the operations of a kind, their
`x-kubernetes-group-version-kind` and the query parameters (`fieldValidation` among them).
"""

import functools
import gzip
import hashlib
import json
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from azrunbook.sandbox.kube import definitions
from azrunbook.sandbox.kube.resources import Resource, ResourceTable

Object = dict[str, Any]
COMPONENTS = "#/components/schemas/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
VERSION = "v1.36.2"
PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


def _parameter(name: str, kind: str, description: str, place: str = "query") -> Object:
    found: Object = {
        "name": name,
        "in": place,
        "description": description,
        "schema": {"type": kind, "uniqueItems": True},
    }
    if place == "path":
        found["required"] = True
    return found


PRETTY = _parameter("pretty", "string", "If 'true', then the output is pretty printed.")
DRY_RUN = _parameter("dryRun", "string", "Whether the change is only tried out: All.")
MANAGER = _parameter("fieldManager", "string", "The name of the actor that makes the change.")
STRICTNESS = _parameter(
    "fieldValidation",
    "string",
    "What is done about unknown or duplicate fields: Ignore, Warn (the default) or Strict.",
)
FORCE = _parameter("force", "boolean", "Whether an apply takes over fields that others own.")
WRITE = [DRY_RUN, MANAGER, STRICTNESS]
LIST = [
    _parameter("labelSelector", "string", "Restricts the objects by their labels."),
    _parameter("fieldSelector", "string", "Restricts the objects by their fields."),
    _parameter("limit", "integer", "The largest number of objects of one answer."),
    _parameter("continue", "string", "Where a list goes on."),
    _parameter("resourceVersion", "string", "The version that is asked for."),
    _parameter("resourceVersionMatch", "string", "How the version is meant."),
    _parameter("timeoutSeconds", "integer", "How long a watch lasts."),
    _parameter("watch", "boolean", "Whether to watch."),
    _parameter("allowWatchBookmarks", "boolean", "Whether a watch may send bookmarks."),
    _parameter("sendInitialEvents", "boolean", "Whether a watch begins with what exists."),
]
DELETE = [
    DRY_RUN,
    _parameter("gracePeriodSeconds", "integer", "How long the object may take to end."),
    _parameter("orphanDependents", "boolean", "Whether dependents stay."),
    _parameter("propagationPolicy", "string", "What happens to dependents."),
]


def convert(schema: Any) -> Any:
    """A definition as OpenAPI v3 has it: components, no null types."""
    if isinstance(schema, list):
        return [convert(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str):
            found[key] = value.replace(definitions.PREFIX, COMPONENTS)
        elif key == "type" and isinstance(value, list):
            found[key] = value[0]
        else:
            found[key] = convert(value)
    if isinstance(found.get("$ref"), str) and len(found) > 1:  # a property may have that name
        reference = {"$ref": found.pop("$ref")}
        return {**found, "allOf": [reference], "default": {}}
    return found


def _references(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _closure(names: Iterable[str]) -> Object:
    """The definitions with all that they refer to."""
    found: Object = {}
    pending = [name for name in names if name in definitions.load()]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        schema = definitions.load()[name]
        found[name] = _component(name, schema)
        pending += [other for other in _references(schema) if other not in found]
    return {name: found[name] for name in sorted(found)}


def _component(name: str, schema: Object) -> Object:
    converted: Object = convert(schema)
    for key in ("kind", "apiVersion"):
        (converted.get("properties") or {}).get(key, {}).pop("enum", None)
    if name.endswith(("Quantity", "IntOrString")):
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    return converted


def _operation(resource: Resource, verb: str, action: str, schema: str, extra: Object) -> Object:
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    answer = {"application/json": {"schema": {"$ref": COMPONENTS + schema}}}
    return {
        "description": f"{verb} of {resource.kind}",
        "operationId": f"{verb}{resource.group.title().replace('.', '')}{resource.version.title()}"
        f"{'Namespaced' if resource.namespaced else ''}{resource.kind}",
        "responses": {
            "200": {"description": "OK", "content": answer},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk,
        **extra,
    }


def _body(media_types: Iterable[str], schema: str) -> Object:
    reference = {"schema": {"$ref": COMPONENTS + schema}}
    return {"requestBody": {"content": dict.fromkeys(media_types, reference)}}


def _paths(resource: Resource, schema: str) -> Object:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else "/api/v1"
    base = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    shared = [PRETTY]
    if resource.namespaced:
        shared = [_parameter("namespace", "string", "object name and auth scope", "path"), PRETTY]
    verbs = set(resource.verbs)
    collection: Object = {"parameters": shared}
    named: Object = {
        "parameters": [
            _parameter("name", "string", f"name of the {resource.kind}", "path"),
            *shared,
        ]
    }
    json_body = _body(("application/json", "application/yaml"), schema)
    patch_types = PATCH_TYPES if resource.custom is None else PATCH_TYPES[:3]
    patch_body = _body(patch_types, META + "Patch")
    for verb, name, where, action, extra in (
        ("list", "get", collection, "list", {"parameters": LIST}),
        ("create", "post", collection, "post", {"parameters": WRITE, **json_body}),
        ("deletecollection", "delete", collection, "deletecollection", {"parameters": DELETE}),
        ("get", "get", named, "get", {}),
        ("update", "put", named, "put", {"parameters": WRITE, **json_body}),
        ("patch", "patch", named, "patch", {"parameters": [*WRITE, FORCE], **patch_body}),
        ("delete", "delete", named, "delete", {"parameters": DELETE}),
    ):
        if verb in verbs:
            answer = schema + "List" if verb == "list" else schema
            where[name] = _operation(resource, verb, action, answer, extra)
    found = {f"{base}/{resource.plural}": collection}
    if len(named) > 1:
        found[f"{base}/{resource.plural}/{{name}}"] = named
    return found


def _custom_name(resource: Resource) -> str:
    group = ".".join(reversed(resource.group.split(".")))
    return f"{group}.{resource.version}.{resource.kind}"


def paths_of(resource: Resource) -> Object:
    """The paths of a resource; none for one that has no definition."""
    if resource.custom is not None:
        return _paths(resource, _custom_name(resource))
    name = definitions.by_kind().get((resource.api_version, resource.kind))
    return {} if name is None else _paths(resource, name)


def custom_schemas(resource: Resource) -> Object:
    """The definitions of a custom resource and its list."""
    name = _custom_name(resource)
    schema = ((resource.custom or {}).get("schema") or {}).get("openAPIV3Schema") or {}
    gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    usual = convert(definitions.load()["io.k8s.api.core.v1.ConfigMap"]["properties"])
    for name in ("apiVersion", "kind"):
        usual[name].pop("enum", None)
    head = {name: usual[name] for name in ("apiVersion", "kind", "metadata")}
    properties = {**(schema.get("properties") or {}), **head}
    items = {"type": "array", "items": {"$ref": COMPONENTS + name}}
    listed = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "items": items}
    return {
        name: {
            **schema,
            "properties": properties,
            "x-kubernetes-group-version-kind": [gvk],
        },
        name + "List": {
            "type": "object",
            "required": ["items"],
            "properties": {
                **listed,
                "metadata": {"$ref": COMPONENTS + META + "ListMeta"},
            },
            "x-kubernetes-group-version-kind": [{**gvk, "kind": resource.list_kind}],
        },
    }


def _document(resources: Iterable[Resource]) -> bytes:
    paths: Object = {}
    schemas: Object = {}
    names = [META + name for name in ("ObjectMeta", "ListMeta", "Status", "DeleteOptions", "Patch")]
    for resource in resources:
        if resource.custom is not None:
            schemas.update(custom_schemas(resource))
        name = definitions.by_kind().get((resource.api_version, resource.kind))
        if name is not None:
            names += [name, name + "List"]
        paths.update(paths_of(resource))
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION},
        "paths": paths,
        "components": {"schemas": {**_closure(names), **schemas}},
    }
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), 6)


@functools.lru_cache(maxsize=64)
def _built_in(resources: tuple[Resource, ...]) -> bytes:
    return _document(resources)


class OpenApi:
    """The OpenAPI v3 documents of one cluster, gzip-compressed."""

    def __init__(self, resources: ResourceTable) -> None:
        self._resources = resources
        self._custom: dict[tuple[str, str], tuple[int, bytes]] = {}

    def index(self) -> Object:
        """The paths with the hash of what is behind them."""
        found = {}
        for group, versions in self._resources.groups().items():
            for version in versions:
                path = f"apis/{group}/{version}" if group else f"api/{version}"
                digest = self._hash(group, version)
                found[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return {"paths": found}

    def _hash(self, group: str, version: str) -> str:
        # A client keeps a document of this hash for a year: what made it is a part of it.
        text = [VERSION, metadata.version("azrunbook"), group, version]
        for resource in self._resources.in_version(group, version):
            if resource.custom is not None:
                names = [resource.plural, resource.kind, resource.namespaced]
                text.append(json.dumps([names, resource.custom], sort_keys=True))
        return hashlib.sha512("\n".join(text).encode()).hexdigest().upper()

    def document(self, group: str, version: str) -> tuple[bytes, str] | None:
        """The compressed document of a version of a group, and its ETag; None if not served."""
        resources = tuple(self._resources.in_version(group, version))
        if not resources:
            return None
        etag = '"' + self._hash(group, version) + '"'
        if all(resource.custom is None for resource in resources):
            return _built_in(resources), etag
        kept = self._custom.get((group, version))
        if kept is None or kept[0] != self._resources.generation:
            kept = (self._resources.generation, _document(resources))
            self._custom[group, version] = kept
        return kept[1], etag

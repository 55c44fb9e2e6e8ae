"""Validation of CustomResourceDefinitions."""

from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names

Object = dict[str, Any]
SCOPES = ("Cluster", "Namespaced")


def definition(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    parts = spec.get("names") or {}
    group, plural = spec.get("group", ""), parts.get("plural", "")
    found: list[Cause] = []
    wanted = f"{plural}.{group}"
    name = obj["metadata"].get("name", "")
    if name and name != wanted:
        why = 'must be spec.names.plural+"."+spec.group'
        found.append(causes.invalid("metadata.name", name, why))
    if not group:
        found.append(causes.required("spec.group"))
    elif "." not in group:
        why = "should be a domain with at least one dot"
        found.append(causes.invalid("spec.group", group, why))
    found += causes.one_of("spec.scope", spec.get("scope"), SCOPES)
    found += _versions(spec.get("versions") or [])
    for key in ("plural", "singular", "kind", "listKind"):
        value = parts.get(key, "")
        if not value:
            found.append(causes.required(f"spec.names.{key}"))
        else:
            problems = names.label_1035(value.lower())
            found += [causes.invalid(f"spec.names.{key}", value, why) for why in problems]
    if parts.get("kind") and parts["kind"] == parts.get("listKind"):
        why = "kind and listKind may not be the same"
        found.append(causes.invalid("spec.names.listKind", parts["listKind"], why))
    return found


def _versions(versions: list[Object]) -> list[Cause]:
    found: list[Cause] = []
    if not versions:
        found.append(causes.required("spec.versions"))
    elif sum(bool(part.get("storage")) for part in versions) != 1:
        why = "must have exactly one version marked as storage version"
        found.append(causes.invalid("spec.versions", versions, why))
    for index, part in enumerate(versions):
        where = f"spec.versions[{index}]"
        schema = (part.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            why = "schemas are required"
            found.append(causes.required(f"{where}.schema.openAPIV3Schema", why))
        else:
            found += _structural(schema, f"{where}.schema.openAPIV3Schema", is_root=True)
    return found


def _structural(schema: Object, where: str, *, is_root: bool = False) -> list[Cause]:
    """Every node says its type, unless it is int-or-string or keeps what it does not know."""
    found: list[Cause] = []
    is_open = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    kind = schema.get("type")
    if is_root and kind != "object":
        message = 'must be "object" at the root'
        found.append(
            causes.required(f"{where}.type", "must not be empty at the root")
            if not kind
            else causes.invalid(f"{where}.type", kind, message)
        )
    elif not kind and not is_open:
        why = "must not be empty for specified object fields"
        found.append(causes.required(f"{where}.type", why))
    for key, part in sorted((schema.get("properties") or {}).items()):
        found += _structural(part, f"{where}.properties[{key}]")
    items = schema.get("items")
    if kind == "array" and items is None:
        found.append(causes.required(f"{where}.items", "must be specified"))
    if isinstance(items, dict):
        found += _structural(items, f"{where}.items")
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        found += _structural(extra, f"{where}.additionalProperties")
    return found


def definition_kept(obj: Object, old: Object) -> list[Cause]:
    found: list[Cause] = []
    for key in ("group", "scope"):
        found += causes.unchanged(f"spec.{key}", obj["spec"].get(key), old["spec"].get(key))
    parts, before = obj["spec"].get("names") or {}, old["spec"].get("names") or {}
    for key in ("kind", "plural"):
        found += causes.unchanged(f"spec.names.{key}", parts.get(key), before.get(key))
    return found


NAME = "customresourcedefinitions.apiextensions.k8s.io"
CREATE = {NAME: definition}
UPDATE = {NAME: definition_kept}

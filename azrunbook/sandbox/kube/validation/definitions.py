"""Validation of CustomResourceDefinitions."""

from typing import Any

from azrunbook.sandbox.kube.crds import structure
from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names

Object = dict[str, Any]
SCOPES = ("Cluster", "Namespaced")
STRATEGIES = ("None", "Webhook")
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
SCALE_PATHS = {
    "specReplicasPath": (".spec",),
    "statusReplicasPath": (".status",),
    "labelSelectorPath": (".spec", ".status"),
}
NOT_PRESERVED = (
    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
    "spec.versions[*].schema instead"
)


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
    for index, value in enumerate(parts.get("shortNames") or []):
        problems = names.label_1035(value)
        found += [causes.invalid(f"spec.names.shortNames[{index}]", value, p) for p in problems]
    found += _conversion(spec)
    if parts.get("kind") and parts["kind"] == parts.get("listKind"):
        why = "kind and listKind may not be the same"
        found.append(causes.invalid("spec.names.listKind", parts["listKind"], why))
    return found


def _conversion(spec: Object) -> list[Cause]:
    found: list[Cause] = []
    if spec.get("preserveUnknownFields"):
        found.append(causes.invalid("spec.preserveUnknownFields", value=True, why=NOT_PRESERVED))
    conversion = spec.get("conversion") or {"strategy": "None"}
    found += causes.one_of("spec.conversion.strategy", conversion.get("strategy"), STRATEGIES)
    if conversion.get("strategy") == "Webhook" and not conversion.get("webhook"):
        why = "required when strategy is set to Webhook"
        found.append(causes.required("spec.conversion.webhookClientConfig", why))
    return found


def _versions(versions: list[Object]) -> list[Cause]:
    found: list[Cause] = []
    if not versions:
        found.append(causes.required("spec.versions"))
    elif sum(bool(part.get("storage")) for part in versions) != 1:
        why = "must have exactly one version marked as storage version"
        found.append(causes.invalid("spec.versions", versions, why))
    if len({part.get("name") for part in versions}) < len(versions):
        why = "must contain unique version names"
        found.append(causes.invalid("spec.versions", versions, why))
    for index, part in enumerate(versions):
        where = f"spec.versions[{index}]"
        schema = (part.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            why = "schemas are required"
            found.append(causes.required(f"{where}.schema.openAPIV3Schema", why))
        else:
            found += structure.require_structural(schema, f"{where}.schema.openAPIV3Schema")
        found += _version(part, where)
    return found


def _version(part: Object, where: str) -> list[Cause]:
    name = part.get("name", "")
    found = [causes.invalid(f"{where}.name", name, why) for why in names.label_1035(name)]
    for index, column in enumerate(part.get("additionalPrinterColumns") or []):
        place = f"{where}.additionalPrinterColumns[{index}]"
        kind, path = column.get("type", ""), column.get("jsonPath", "")
        if kind not in COLUMN_TYPES:
            why = f"must be one of {', '.join(COLUMN_TYPES)}"
            found.append(causes.invalid(f"{place}.type", kind, why))
        if not path.startswith("."):
            why = "must be a simple json path starting with ."
            found.append(causes.invalid(f"{place}.jsonPath", path, why))
    scale = (part.get("subresources") or {}).get("scale") or {}
    for key, root in SCALE_PATHS.items():
        if key in scale and not scale[key].startswith(root):
            why = f"should be a json path under {' or '.join(root)}"
            found.append(causes.invalid(f"{where}.subresources.scale.{key}", scale[key], why))
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

"""Validation of roles and bindings."""

from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names, selectors

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"


def role(obj: Object) -> list[Cause]:
    found: list[Cause] = []
    is_namespaced = "namespace" in obj["metadata"]
    for index, rule in enumerate(obj.get("rules") or []):
        found += _rule(rule, f"rules[{index}]", is_namespaced=is_namespaced)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return found
    where = "aggregationRule.clusterRoleSelectors"
    if not aggregation.get("clusterRoleSelectors"):
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        found.append(causes.required(where, why))
    for index, selector in enumerate(aggregation.get("clusterRoleSelectors") or []):
        found += selectors.label_selector(selector, f"{where}[{index}]")
    return found


def _rule(rule: Object, where: str, *, is_namespaced: bool) -> list[Cause]:
    found: list[Cause] = []
    if not rule.get("verbs"):
        why = "verbs must contain at least one value"
        found.append(causes.required(f"{where}.verbs", why))
    paths = rule.get("nonResourceURLs")
    if paths:
        place = f"{where}.nonResourceURLs"
        if is_namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            found.append(causes.invalid(place, paths, why))
        if any(rule.get(key) for key in ("apiGroups", "resources", "resourceNames")):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            found.append(causes.invalid(place, paths, why))
        return found
    for key, word in (("apiGroups", "api group"), ("resources", "resource")):
        if not rule.get(key):
            why = f"resource rules must supply at least one {word}"
            found.append(causes.required(f"{where}.{key}", why))
    return found


def binding(obj: Object) -> list[Cause]:
    reference = obj.get("roleRef") or {}
    is_local = "namespace" in obj["metadata"]
    kinds = ("Role", "ClusterRole") if is_local else ("ClusterRole",)
    found: list[Cause] = []
    if reference.get("apiGroup") != GROUP:
        found.append(causes.unsupported("roleRef.apiGroup", reference.get("apiGroup"), (GROUP,)))
    if reference.get("kind") not in kinds:
        found.append(causes.unsupported("roleRef.kind", reference.get("kind", ""), kinds))
    name = reference.get("name", "")
    if not name:
        found.append(causes.required("roleRef.name"))
    else:
        problems = names.path_segment(name)
        found += [causes.invalid("roleRef.name", name, why) for why in problems]
    for index, subject in enumerate(obj.get("subjects") or []):
        found += _subject(subject, f"subjects[{index}]", is_local=is_local)
    return found


def _subject(subject: Object, where: str, *, is_local: bool) -> list[Cause]:
    found: list[Cause] = []
    kind, group, name = (subject.get(key, "") for key in ("kind", "apiGroup", "name"))
    if not name:
        found.append(causes.required(f"{where}.name"))
    if kind == "ServiceAccount":
        if name:
            problems = names.subdomain(name)
            found += [causes.invalid(f"{where}.name", name, why) for why in problems]
        if group:
            found.append(causes.unsupported(f"{where}.apiGroup", group, ("",)))
        if not is_local and not subject.get("namespace"):
            found.append(causes.required(f"{where}.namespace"))
    elif kind in ("User", "Group"):
        if group != GROUP:
            found.append(causes.unsupported(f"{where}.apiGroup", group, (GROUP,)))
    else:
        supported = ("ServiceAccount", "User", "Group")
        found.append(causes.unsupported(f"{where}.kind", kind, supported))
    return found


def binding_kept(obj: Object, old: Object) -> list[Cause]:
    """The role of a binding never changes; shown as the server's internal type writes it."""
    reference = obj["roleRef"]
    if reference == old["roleRef"]:
        return []
    shown = {name: reference.get(name[0].lower() + name[1:], "") for name in ("Kind", "Name")}
    shown = {"APIGroup": reference.get("apiGroup", ""), **shown}
    return [causes.invalid("roleRef", shown, "cannot change roleRef")]


CREATE = {
    f"roles.{GROUP}": role,
    f"clusterroles.{GROUP}": role,
    f"rolebindings.{GROUP}": binding,
    f"clusterrolebindings.{GROUP}": binding,
}
UPDATE = {
    f"rolebindings.{GROUP}": binding_kept,
    f"clusterrolebindings.{GROUP}": binding_kept,
}

"""Defaults of access, admission and extension: RBAC, webhooks, priorities, custom resources."""

from typing import Any

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"


def binding(obj: Object) -> None:
    reference = obj.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = RBAC
    for subject in obj.get("subjects") or []:
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", RBAC)


def webhooks(obj: Object) -> None:
    for hook in obj.get("webhooks") or []:
        hook.setdefault("failurePolicy", "Fail")
        hook.setdefault("matchPolicy", "Equivalent")
        hook.setdefault("namespaceSelector", {})
        hook.setdefault("objectSelector", {})
        hook.setdefault("timeoutSeconds", 10)
        for rule in hook.get("rules") or []:
            rule.setdefault("scope", "*")
        service = (hook.get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)


def mutating_webhooks(obj: Object) -> None:
    webhooks(obj)
    for hook in obj.get("webhooks") or []:
        hook.setdefault("reinvocationPolicy", "Never")


def admission_policy(obj: Object) -> None:
    spec = obj["spec"]
    spec.setdefault("failurePolicy", "Fail")
    matches = spec.get("matchConstraints")
    if matches is None:
        return
    matches.setdefault("matchPolicy", "Equivalent")
    matches.setdefault("namespaceSelector", {})
    matches.setdefault("objectSelector", {})
    for rule in matches.get("resourceRules") or []:
        rule.setdefault("scope", "*")


def priority_class(obj: Object) -> None:
    obj.setdefault("preemptionPolicy", "PreemptLowerPriority")


def custom_definition(obj: Object) -> None:
    spec = obj["spec"]
    names = spec.get("names") or {}
    kind = names.get("kind", "")
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = kind + "List"
    spec.setdefault("conversion", {"strategy": "None"})


def flow_schema(obj: Object) -> None:
    if not obj["spec"].get("matchingPrecedence"):
        obj["spec"]["matchingPrecedence"] = 1000


DEFAULTS = {
    f"rolebindings.{RBAC}": binding,
    f"clusterrolebindings.{RBAC}": binding,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": mutating_webhooks,
    "validatingadmissionpolicies.admissionregistration.k8s.io": admission_policy,
    "priorityclasses.scheduling.k8s.io": priority_class,
    "customresourcedefinitions.apiextensions.k8s.io": custom_definition,
    "flowschemas.flowcontrol.apiserver.k8s.io": flow_schema,
}

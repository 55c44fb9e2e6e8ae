"""Validation of configuration, access, policy, storage and scheduling objects."""

import base64
import json
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, names, selectors, workloads

Object = dict[str, Any]
SIZE_BYTES = 1024 * 1024
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
RBAC = "rbac.authorization.k8s.io"
NEEDED_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def _keys(data: Object, where: str) -> list[Cause]:
    return [
        causes.invalid(f"{where}[{key}]", key, why)
        for key in sorted(data)
        for why in names.config_key(key)
    ]


def config_map(obj: Object) -> list[Cause]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    found = _keys(data, "data")
    for key in sorted(set(data) & set(binary)):
        why = "duplicate of key present in binaryData"
        found.append(causes.invalid(f"data[{key}]", key, why))
    found += _keys(binary, "binaryData")
    size = sum(len(value.encode()) for value in data.values())
    size += sum(len(value) * 3 // 4 for value in binary.values())
    return [*found, causes.too_long("", SIZE_BYTES)] if size > SIZE_BYTES else found


def secret(obj: Object) -> list[Cause]:
    data, kind = obj.get("data") or {}, obj.get("type")
    found = _keys(data, "data")
    if sum(len(value) * 3 // 4 for value in data.values()) > SIZE_BYTES:
        found.append(causes.too_long("data", SIZE_BYTES))
    needed = NEEDED_KEYS.get(str(kind), ())
    found += [causes.required(f"data[{key}]") for key in needed if key not in data]
    if kind == "kubernetes.io/dockerconfigjson" and ".dockerconfigjson" in data:
        try:
            json.loads(base64.b64decode(data[".dockerconfigjson"]))
        except ValueError:
            where = "data[.dockerconfigjson]"
            found.append(causes.invalid(where, "<secret contents redacted>", "invalid character"))
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        found += [causes.required("data[username]"), causes.required("data[password]")]
    if kind == "kubernetes.io/service-account-token":
        key = "kubernetes.io/service-account.name"
        if not (obj["metadata"].get("annotations") or {}).get(key):
            found.append(causes.required(f"metadata.annotations[{key}]"))
    return found


def _immutable(obj: Object, old: Object) -> list[Cause]:
    if not old.get("immutable"):
        return []
    why = "field is immutable when `immutable` is set"
    found = []
    if not obj.get("immutable"):
        found.append(causes.forbidden("immutable", why))
    found += [
        causes.forbidden(key, why)
        for key in ("data", "binaryData")
        if (obj.get(key) or {}) != (old.get(key) or {})
    ]
    return found


def secret_kept(obj: Object, old: Object) -> list[Cause]:
    return causes.unchanged("type", obj.get("type"), old.get("type")) + _immutable(obj, old)


def _is_over_all(value: Any) -> bool:
    text = str(value)
    return text.endswith("%") and text[:-1].isdigit() and int(text[:-1]) > 100  # noqa: PLR2004 - %


def budget(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    lowest, highest = spec.get("minAvailable"), spec.get("maxUnavailable")
    found: list[Cause] = []
    if lowest is not None and highest is not None:
        internal = {
            "MinAvailable": lowest,
            "Selector": spec.get("selector"),
            "MaxUnavailable": highest,
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }
        why = "minAvailable and maxUnavailable cannot be both set"
        found.append(causes.invalid("spec", internal, why))
    for key, value in (("minAvailable", lowest), ("maxUnavailable", highest)):
        if value is not None:
            found += workloads.share(f"spec.{key}", value)
            if _is_over_all(value):
                why = "must not be greater than 100%"
                found.append(causes.invalid(f"spec.{key}", value, why))
    policy = spec.get("unhealthyPodEvictionPolicy")
    choices = ("AlwaysAllow", "IfHealthyBudget")
    if policy is not None and policy not in choices:
        found.append(causes.unsupported("spec.unhealthyPodEvictionPolicy", policy, choices))
    return found + selectors.label_selector(spec.get("selector"), "spec.selector")


def role(obj: Object) -> list[Cause]:
    found: list[Cause] = []
    is_namespaced = "namespace" in obj["metadata"]
    for index, rule in enumerate(obj.get("rules") or []):
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            why = "verbs must contain at least one value"
            found.append(causes.required(f"{where}.verbs", why))
        if rule.get("nonResourceURLs"):
            if is_namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                found.append(
                    causes.invalid(f"{where}.nonResourceURLs", rule["nonResourceURLs"], why)
                )
            continue
        for key, word in (("apiGroups", "api group"), ("resources", "resource")):
            if not rule.get(key):
                why = f"resource rules must supply at least one {word}"
                found.append(causes.required(f"{where}.{key}", why))
    return found


def binding(obj: Object) -> list[Cause]:
    reference = obj.get("roleRef") or {}
    kinds = ("ClusterRole", "Role") if "namespace" in obj["metadata"] else ("ClusterRole",)
    found: list[Cause] = []
    if reference.get("apiGroup") != RBAC:
        found.append(causes.unsupported("roleRef.apiGroup", reference.get("apiGroup"), (RBAC,)))
    if reference.get("kind") not in kinds:
        found.append(causes.unsupported("roleRef.kind", reference.get("kind", ""), kinds))
    if not reference.get("name"):
        found.append(causes.required("roleRef.name"))
    for index, subject in enumerate(obj.get("subjects") or []):
        found += _subject(subject, f"subjects[{index}]", is_local="namespace" in obj["metadata"])
    return found


def _subject(subject: Object, where: str, *, is_local: bool) -> list[Cause]:
    found: list[Cause] = []
    kind, group = subject.get("kind", ""), subject.get("apiGroup", "")
    if not subject.get("name"):
        found.append(causes.required(f"{where}.name"))
    if kind == "ServiceAccount":
        if not is_local and not subject.get("namespace"):
            found.append(causes.required(f"{where}.namespace"))
        if group:
            found.append(causes.unsupported(f"{where}.apiGroup", group, ("",)))
    elif kind in ("User", "Group"):
        if group != RBAC:
            found.append(causes.unsupported(f"{where}.apiGroup", group, (RBAC,)))
    else:
        supported = ("Group", "ServiceAccount", "User")
        found.append(causes.unsupported(f"{where}.kind", kind, supported))
    return found


def binding_kept(obj: Object, old: Object) -> list[Cause]:
    if obj["roleRef"] == old["roleRef"]:
        return []
    return [causes.invalid("roleRef", obj["roleRef"], "cannot change roleRef")]


def volume_claim(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    if not spec.get("accessModes"):
        found.append(causes.required("spec.accessModes", "at least 1 access mode is required"))
    found += [
        causes.unsupported("spec.accessModes", mode, ACCESS_MODES)
        for mode in spec.get("accessModes") or []
        if mode not in ACCESS_MODES
    ]
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        found.append(causes.required("spec.resources[storage]"))
    elif containers.quantity(storage) <= 0:
        why = "must be greater than zero"
        found.append(causes.invalid("spec.resources[storage]", storage, why))
    return found


CLAIM_FREE = frozenset({"resources", "volumeName", "volumeAttributesClassName"})
CLAIM_CHANGEABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)


def volume_claim_kept(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    free = CLAIM_FREE | ({"storageClassName"} if "storageClassName" not in before else set())
    if any(spec.get(key) != before.get(key) for key in {*spec, *before} - free):
        return [causes.forbidden("spec", CLAIM_CHANGEABLE)]
    return []


def volume(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    if not spec.get("accessModes"):
        found.append(causes.required("spec.accessModes"))
    if not (spec.get("capacity") or {}).get("storage"):
        found.append(causes.required("spec.capacity"))
    return found


def storage_class(obj: Object) -> list[Cause]:
    found = [] if obj.get("provisioner") else [causes.required("provisioner")]
    policy, mode = obj.get("reclaimPolicy"), obj.get("volumeBindingMode")
    found += causes.one_of("reclaimPolicy", policy, ("Delete", "Retain"))
    modes = ("Immediate", "WaitForFirstConsumer")
    return found + causes.one_of("volumeBindingMode", mode, modes)


def storage_class_kept(obj: Object, old: Object) -> list[Cause]:
    found = []
    for key in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"):
        if obj.get(key) != old.get(key):
            why = f"updates to {key} are forbidden."
            found.append(causes.forbidden(key, why))
    return found


def priority_class(obj: Object) -> list[Cause]:
    value, name = obj.get("value", 0), obj["metadata"].get("name", "")
    highest = 1_000_000_000
    if value > highest and not name.startswith("system-"):
        why = f"maximum allowed value of a user defined priority is {highest}"
        return [causes.forbidden("value", why)]
    return []


def priority_class_kept(obj: Object, old: Object) -> list[Cause]:
    if obj.get("value") == old.get("value"):
        return []
    return [causes.forbidden("value", "may not be changed in an update.")]


def lease(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    found: list[Cause] = []
    if seconds is not None and seconds <= 0:
        why = "must be greater than 0"
        found.append(causes.invalid("spec.leaseDurationSeconds", seconds, why))
    return found + causes.non_negative("spec.leaseTransitions", transitions)


CREATE = {
    "configmaps": config_map,
    "secrets": secret,
    "poddisruptionbudgets.policy": budget,
    f"roles.{RBAC}": role,
    f"clusterroles.{RBAC}": role,
    f"rolebindings.{RBAC}": binding,
    f"clusterrolebindings.{RBAC}": binding,
    "persistentvolumeclaims": volume_claim,
    "persistentvolumes": volume,
    "storageclasses.storage.k8s.io": storage_class,
    "priorityclasses.scheduling.k8s.io": priority_class,
    "leases.coordination.k8s.io": lease,
}
UPDATE = {
    "configmaps": _immutable,
    "secrets": secret_kept,
    f"rolebindings.{RBAC}": binding_kept,
    f"clusterrolebindings.{RBAC}": binding_kept,
    "persistentvolumeclaims": volume_claim_kept,
    "storageclasses.storage.k8s.io": storage_class_kept,
    "priorityclasses.scheduling.k8s.io": priority_class_kept,
}

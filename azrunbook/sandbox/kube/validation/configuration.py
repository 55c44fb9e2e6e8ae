"""Validation of configuration, policy and scheduling objects."""

import base64
from typing import Any

from azrunbook.sandbox.kube import bodies, errors
from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names, selectors, workloads

Object = dict[str, Any]
SIZE_BYTES = 1024 * 1024
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
    for key in (".dockerconfigjson", ".dockercfg"):
        if key in needed and key in data:
            found += _registry_logins(data[key], f"data[{key}]")
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        found += [causes.required("data[username]"), causes.required("data[password]")]
    if kind == "kubernetes.io/service-account-token":
        key = "kubernetes.io/service-account.name"
        if not (obj["metadata"].get("annotations") or {}).get(key):
            found.append(causes.required(f"metadata.annotations[{key}]"))
    return found


def _registry_logins(data: str, where: str) -> list[Cause]:
    """Credentials of registries are JSON; what is wrong is said without showing them."""
    try:
        bodies.parse_json(base64.b64decode(data))
    except errors.StatusError as error:
        return [causes.invalid(where, "<secret contents redacted>", error.message)]
    return []


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
            found += workloads.not_over_all(f"spec.{key}", value)
    policy = spec.get("unhealthyPodEvictionPolicy")
    choices = ("AlwaysAllow", "IfHealthyBudget")
    if policy is not None and policy not in choices:
        found.append(causes.unsupported("spec.unhealthyPodEvictionPolicy", policy, choices))
    return found + selectors.label_selector(spec.get("selector"), "spec.selector")


HIGHEST_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES = {
    "system-node-critical": 2_000_001_000,
    "system-cluster-critical": 2_000_000_000,
}


def priority_class(obj: Object) -> list[Cause]:
    value, name = obj.get("value", 0), obj["metadata"].get("name", "")
    found: list[Cause] = []
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            is_known = name in SYSTEM_PRIORITIES
            problem = (
                f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}"
                if is_known
                else f"{name} is not a known system priority class"
            )
            why = (
                "priority class names with 'system-' prefix are reserved for system use only. "
                f"error: {problem}"
            )
            found.append(causes.forbidden("metadata.name", why))
    elif value > HIGHEST_PRIORITY:
        why = f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}"
        found.append(causes.forbidden("value", why))
    policies = ("PreemptLowerPriority", "Never")
    return found + causes.one_of("preemptionPolicy", obj.get("preemptionPolicy"), policies)


def priority_class_kept(obj: Object, old: Object) -> list[Cause]:
    found: list[Cause] = []
    if obj.get("value") != old.get("value"):
        found.append(causes.forbidden("value", "may not be changed in an update."))
    policy, before = obj.get("preemptionPolicy"), old.get("preemptionPolicy")
    return found + causes.unchanged("preemptionPolicy", policy, before)


def event(obj: Object) -> list[Cause]:
    """An event lies in the namespace of what it is about; of the cluster, in the default one."""
    about = (obj.get("involvedObject") or obj.get("regarding") or {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    if about == namespace or (not about and namespace == "default"):
        return []
    return [causes.invalid("involvedObject.namespace", about, "does not match event.namespace")]


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
    "priorityclasses.scheduling.k8s.io": priority_class,
    "events": event,
    "leases.coordination.k8s.io": lease,
}
UPDATE = {
    "configmaps": _immutable,
    "secrets": secret_kept,
    "priorityclasses.scheduling.k8s.io": priority_class_kept,
}

"""Validation of resource quotas and limit ranges, and of the names of resources."""

from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, names

Object = dict[str, Any]
CONTAINER = frozenset({"cpu", "memory", "ephemeral-storage"})
QUOTA = CONTAINER | {
    "requests.cpu", "requests.memory", "requests.storage", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas",
    "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
    "services.nodeports", "services.loadbalancers",
}  # fmt: skip
WHOLE = frozenset({
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
})  # fmt: skip
STANDARD = QUOTA | {"storage"}
SCOPES = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass",
    "CrossNamespacePodAffinity", "VolumeAttributesClass",
)  # fmt: skip
COMPUTE = CONTAINER | {
    "pods", "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu",
    "limits.memory", "limits.ephemeral-storage",
}  # fmt: skip
OF_SCOPE = {"BestEffort": frozenset({"pods"}), "VolumeAttributesClass": QUOTA}
OPPOSED = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))


def _name(name: str, where: str, standard: frozenset[str], why: str) -> list[Cause]:
    """A resource by a qualified name; without a prefix it has to be a standard one."""
    found = [causes.invalid(where, name, problem) for problem in names.qualified(name)]
    if found or "/" in name:
        return found
    if name not in STANDARD and not name.startswith(("hugepages-", "requests.hugepages-")):
        why_not = "must be a standard resource type or fully qualified"
        found.append(causes.invalid(where, name, why_not))
    if name not in standard and not name.startswith(("hugepages-", "requests.hugepages-")):
        found.append(causes.invalid(where, name, why))
    return found


def _amount(name: str, value: Any, where: str) -> list[Cause]:
    amount = containers.quantity(value)
    found: list[Cause] = []
    if amount < 0:
        found.append(causes.invalid(where, value, "must be greater than or equal to 0"))
    if (name in WHOLE or "/" in name) and amount.denominator != 1:
        found.append(causes.invalid(where, value, "must be an integer"))
    return found


def quota(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    hard = spec.get("hard") or {}
    found: list[Cause] = []
    for name, value in sorted(hard.items()):
        where = f"spec.hard[{name}]"
        found += _name(name, where, QUOTA, "must be a standard resource for quota")
        found += _amount(name, value, where)
    return found + _scopes(spec.get("scopes") or [], hard) + _scope_selector(spec)


def _scopes(scopes: list[str], hard: Object) -> list[Cause]:
    where = "spec.scopes"
    found: list[Cause] = []
    for scope in scopes:
        if scope not in SCOPES:
            found.append(causes.invalid(where, scopes, "unsupported scope"))
        allowed = OF_SCOPE.get(scope, COMPUTE)
        found += [
            causes.invalid(where, scopes, "unsupported scope applied to resource")
            for name in sorted(hard)
            if name in QUOTA and name not in allowed
        ]
    found += [
        causes.invalid(where, scopes, "conflicting scopes")
        for pair in OPPOSED
        if set(pair) <= set(scopes)
    ]
    return found


def _scope_selector(spec: Object) -> list[Cause]:
    found: list[Cause] = []
    for part in (spec.get("scopeSelector") or {}).get("matchExpressions") or []:
        where = "spec.scopeSelector.matchExpressions"
        operator, values = part.get("operator"), part.get("values")
        if part.get("scopeName") not in SCOPES:
            found.append(
                causes.invalid(f"{where}.scopeName", part.get("scopeName", ""), "unsupported scope")
            )
        if operator in ("In", "NotIn") and not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            found.append(causes.required(f"{where}.values", why))
        elif operator in ("Exists", "DoesNotExist") and values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            found.append(causes.invalid(f"{where}.values", values, why))
        elif operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            why = "not a valid selector operator"
            found.append(causes.invalid(f"{where}.operator", operator or "", why))
    return found


def quota_kept(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    found: list[Cause] = []
    if set(spec.get("scopes") or []) != set(before.get("scopes") or []):
        found.append(causes.invalid("spec.scopes", spec.get("scopes"), causes.IMMUTABLE))
    return found


def limit_range(obj: Object) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or []):
        where, kind = f"spec.limits[{index}]", item.get("type", "")
        found += _limit_type(kind, f"{where}.type")
        if kind in seen:
            found.append(causes.duplicate(f"{where}.type", kind))
        seen.add(kind)
        found += _limit(item, kind, where)
    return found


def _limit_type(kind: str, where: str) -> list[Cause]:
    problems = names.qualified(kind)
    if not problems and "/" not in kind and kind not in ("Pod", "Container", TYPE_OF_CLAIMS):
        problems = ["must be a standard limit type or fully qualified"]
    return [causes.invalid(where, kind, why) for why in problems]


TYPE_OF_CLAIMS = "PersistentVolumeClaim"
DEFAULTS = ("default", "defaultRequest")


def _limit(item: Object, kind: str, where: str) -> list[Cause]:
    found = _limit_names(item, ("max", "min"), kind, where)
    if kind == "Pod":
        why = "may not be specified when `type` is 'Pod'"
        found += [causes.forbidden(f"{where}.{key}", why) for key in DEFAULTS if item.get(key)]
    else:
        found += _limit_names(item, DEFAULTS, kind, where)
    bounds = [item.get(key) or {} for key in ("min", "max")]
    if kind == TYPE_OF_CLAIMS and not any("storage" in part for part in bounds):
        why = "either minimum or maximum storage value is required, but neither was provided"
        found.append(causes.required(f"{where}.limits", why))
    found += _limit_names(item, ("maxLimitRequestRatio",), kind, where)
    given = {name for key in ("max", "min", *DEFAULTS) for name in item.get(key) or {}}
    for name in sorted(given):
        found += _ordered(item, name, where, with_defaults=kind != "Pod")
    return found


def _limit_names(item: Object, keys: tuple[str, ...], kind: str, where: str) -> list[Cause]:
    standard = CONTAINER if kind in ("Pod", "Container") else STANDARD
    why = "must be a standard resource for containers"
    return [
        cause
        for key in keys
        for name in sorted(item.get(key) or {})
        for cause in _name(name, f"{where}.{key}[{name}]", standard, why)
    ]


COMPARISONS = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)  # fmt: skip
"""What may not be more than what; the field that is blamed, and the value that is shown."""


def _ordered(item: Object, name: str, where: str, *, with_defaults: bool) -> list[Cause]:
    values = {
        key: (item.get(key) or {}).get(name)
        for key in ("min", "max", *(DEFAULTS if with_defaults else ()))
    }
    found: list[Cause] = []
    for small, large, blamed, shown, why in COMPARISONS:
        low, high = values.get(small), values.get(large)
        if low is None or high is None or containers.quantity(low) <= containers.quantity(high):
            continue
        text = why.format(low, high)
        found.append(causes.invalid(f"{where}.{blamed}[{name}]", values[shown], text))
    return found + _ratio(item, name, where)


def _ratio(item: Object, name: str, where: str) -> list[Cause]:
    ratio = (item.get("maxLimitRequestRatio") or {}).get(name)
    if ratio is None:
        return []
    place = f"{where}.maxLimitRequestRatio[{name}]"
    if containers.quantity(ratio) < 1:
        return [causes.invalid(place, ratio, f"ratio {ratio} is less than 1")]
    low, high = ((item.get(key) or {}).get(name) for key in ("min", "max"))
    if low is None or high is None or not containers.quantity(low):
        return []
    most = containers.quantity(high) / containers.quantity(low)
    if containers.quantity(ratio) <= most:
        return []
    why = f"ratio {ratio} is greater than max/min = {float(most):f}"
    return [causes.invalid(place, ratio, why)]


CREATE = {"resourcequotas": quota, "limitranges": limit_range}
UPDATE = {"resourcequotas": quota_kept}

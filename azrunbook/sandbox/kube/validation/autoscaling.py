"""Validation of horizontal pod autoscalers."""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, names

Object = dict[str, Any]
METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")
MOST_SECONDS = 3600
LONGEST_PERIOD_SECONDS = 1800


def _reference(reference: Object, where: str, *, needs_group: bool) -> list[Cause]:
    found: list[Cause] = []
    for key in ("kind", "name"):
        value = reference.get(key, "")
        if not value:
            found.append(causes.required(f"{where}.{key}"))
        else:
            problems = names.path_segment(value)
            found += [causes.invalid(f"{where}.{key}", value, why) for why in problems]
    version = str(reference.get("apiVersion", ""))
    if version.count("/") > 1:
        why = f"unexpected GroupVersion string: {version}"
        found.append(causes.invalid(f"{where}.apiVersion", version, why))
    elif needs_group and not version.rpartition("/")[0]:
        why = "apiVersion must specify API group"
        found.append(causes.invalid(f"{where}.apiVersion", version, why))
    return found


def autoscaler(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    lowest, highest = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if lowest is not None and lowest < 1:
        why = "must be greater than or equal to 1"
        found.append(causes.invalid("spec.minReplicas", lowest, why))
    if highest == 0:
        found.append(causes.required("spec.maxReplicas", "must be set and greater than 0"))
    elif highest < 0:
        found.append(causes.invalid("spec.maxReplicas", highest, "must be greater than 0"))
    if lowest is not None and highest < lowest:
        why = "must be greater than or equal to `minReplicas`"
        found.append(causes.invalid("spec.maxReplicas", highest, why))
    target = spec.get("scaleTargetRef") or {}
    needs_group = target.get("kind") != "ReplicationController"
    found += _reference(target, "spec.scaleTargetRef", needs_group=needs_group)
    for index, metric in enumerate(spec.get("metrics") or []):
        found += _metric(metric, f"spec.metrics[{index}]")
    for key in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(key)
        if rules is not None:
            found += _rules(rules, f"spec.behavior.{key}")
    return found


def _metric(metric: Object, where: str) -> list[Cause]:
    kind = metric.get("type", "")
    found: list[Cause] = []
    if not kind:
        found.append(causes.required(f"{where}.type", "must specify a metric source type"))
    if kind not in METRICS:
        found.append(causes.unsupported(f"{where}.type", kind, METRICS))
    present = [key for key in SOURCES if key in metric]
    if present:
        found += SOURCES[present[0]](metric[present[0]], f"{where}.{present[0]}")
    expected = kind[:1].lower() + kind[1:]
    if kind not in METRICS:
        found.append(causes.unsupported(f"{where}.type", kind, METRICS))
    elif expected not in metric:
        why = "must populate information for the given metric source"
        found.append(causes.required(f"{where}.{expected}", why))
    if len(present) != 1:
        why = "must populate the given metric source only"
        found += [causes.forbidden(f"{where}.{key}", why) for key in present if key != expected]
    return found


def _target(target: Object, where: str) -> list[Cause]:
    """What every kind of metric may say of its target."""
    kind, choices = target.get("type", ""), ("AverageValue", "Utilization", "Value")
    found: list[Cause] = []
    if not kind:
        found.append(causes.required(f"{where}.type", "must specify a metric target type"))
    if kind not in choices:
        found.append(causes.unsupported(f"{where}.type", kind, choices))
    for key in ("value", "averageValue"):
        amount = target.get(key)
        if amount is not None and containers.quantity(amount) <= 0:
            found.append(causes.invalid(f"{where}.{key}", amount, "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        found.append(causes.invalid(f"{where}.averageUtilization", share, "must be greater than 0"))
    return found


def _named(source: Object, where: str) -> list[Cause]:
    name = (source.get("metric") or {}).get("name", "")
    if not name:
        return [causes.required(f"{where}.metric.name", "must specify a metric name")]
    problems = names.path_segment(name)
    return [causes.invalid(f"{where}.metric.name", name, why) for why in problems]


def _object(source: Object, where: str) -> list[Cause]:
    described = source.get("describedObject") or {}
    target = source.get("target") or {}
    found = _reference(described, f"{where}.describedObject", needs_group=False)
    found += _named(source, where) + _target(target, f"{where}.target")
    if not {"value", "averageValue"} & set(target):
        why = "must set either a target value or averageValue"
        found.append(causes.required(f"{where}.target.averageValue", why))
    return found


def _external(source: Object, where: str) -> list[Cause]:
    target = source.get("target") or {}
    found = _named(source, where) + _target(target, f"{where}.target")
    given = {"value", "averageValue"} & set(target)
    if not given:
        why = "must set either a target value for metric or a per-pod target"
        found.append(causes.required(f"{where}.target.averageValue", why))
    if len(given) > 1:
        why = "may not set both a target value for metric and a per-pod target"
        found.append(causes.forbidden(f"{where}.target.value", why))
    return found


def _pods(source: Object, where: str) -> list[Cause]:
    target = source.get("target") or {}
    found = _named(source, where) + _target(target, f"{where}.target")
    if "averageValue" not in target:
        why = "must specify a positive target averageValue"
        found.append(causes.required(f"{where}.target.averageValue", why))
    return found


def _resource(source: Object, where: str) -> list[Cause]:
    target = source.get("target") or {}
    found: list[Cause] = []
    if not source.get("name"):
        found.append(causes.required(f"{where}.name", "must specify a resource name"))
    found += _target(target, f"{where}.target")
    given = {"averageUtilization", "averageValue"} & set(target)
    if not given:
        why = "must set either a target raw value or a target utilization"
        found.append(causes.required(f"{where}.target.averageUtilization", why))
    if len(given) > 1:
        why = "may not set both a target raw value and a target utilization"
        found.append(causes.forbidden(f"{where}.target.averageValue", why))
    return found


def _container_resource(source: Object, where: str) -> list[Cause]:
    found = _resource(source, where)
    if not source.get("container"):
        found.insert(
            0 if source.get("name") else 1,
            causes.required(f"{where}.container", "must specify a container"),
        )
    return found


SOURCES: dict[str, Callable[[Object, str], list[Cause]]] = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container_resource,
}
"""In the order in which the server looks at them."""


def _rules(rules: Object, where: str) -> list[Cause]:
    found: list[Cause] = []
    window, choice = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    place = f"{where}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        found.append(causes.invalid(place, window, "must be greater than or equal to zero"))
    if window is not None and window > MOST_SECONDS:
        why = f"must be less than or equal to {MOST_SECONDS}"
        found.append(causes.invalid(place, window, why))
    choices = ("Disabled", "Max", "Min")
    if choice is not None and choice not in choices:
        found.append(causes.unsupported(f"{where}.selectPolicy", choice, choices))
    if not rules.get("policies"):
        why = "must specify at least one Policy"
        found.append(causes.required(f"{where}.policies", why))
    for index, policy in enumerate(rules.get("policies") or []):
        found += _policy(policy, f"{where}.policies[{index}]")
    return found


def _policy(policy: Object, where: str) -> list[Cause]:
    found: list[Cause] = []
    kind, period = policy.get("type", ""), policy.get("periodSeconds", 0)
    if kind not in ("Percent", "Pods"):
        found.append(causes.unsupported(f"{where}.type", kind, ("Percent", "Pods")))
    for key in ("value", "periodSeconds"):
        amount = policy.get(key, 0)
        if amount <= 0:
            found.append(causes.invalid(f"{where}.{key}", amount, "must be greater than zero"))
    if period > LONGEST_PERIOD_SECONDS:
        why = f"must be less than or equal to {LONGEST_PERIOD_SECONDS}"
        found.append(causes.invalid(f"{where}.periodSeconds", period, why))
    return found


CREATE = {"horizontalpodautoscalers.autoscaling": autoscaler}

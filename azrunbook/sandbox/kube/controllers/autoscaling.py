"""How many replicas a HorizontalPodAutoscaler wants.

Law: pure. Source: documentation "Horizontal Pod Autoscaling", algorithm details and configurable
scaling behaviour. Of the metric types, Resource is emulated.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from azrunbook.sandbox.kube.controllers import quantities

Object = dict[str, Any]

TOLERANCE = Fraction(1, 10)
DEFAULT_UP: Object = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DEFAULT_DOWN: Object = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


@dataclass(frozen=True)
class Sample:
    """One pod as a metric sees it: what it uses (None: not measured) and asks for."""

    usage: Fraction | None
    request: Fraction
    is_ready: bool = True


@dataclass(frozen=True)
class Proposal:
    """What one metric proposes, and its current value for the status."""

    replicas: int
    current: Object


def propose(metric: Object, samples: Sequence[Sample], current: int) -> Proposal | None:
    """Replicas by one Resource metric; None if no pod was measured."""
    target = metric["resource"]["target"]
    measured = [one for one in samples if one.usage is not None and one.is_ready]
    if not measured:
        return None
    used = sum((one.usage or Fraction(0) for one in measured), Fraction(0))
    average = used / len(measured)
    value: Object = {"averageValue": quantities.format_milli(average)}
    if target["type"] == "Utilization":
        asked = sum((one.request for one in measured), Fraction(0))
        if asked == 0:
            return None
        value["averageUtilization"] = int(used * 100 / asked)
        goal = Fraction(int(target["averageUtilization"]), 100)
        goals = [one.request * goal for one in samples]
    else:
        each = quantities.parse_quantity(target["averageValue"])
        goals = [each for _ in samples]
        samples = [replace(one, request=each) for one in samples]
    return Proposal(_replicas(samples, goals, current), value)


def _replicas(samples: Sequence[Sample], goals: Sequence[Fraction], current: int) -> int:
    """The measured ratio, damped by what was not measured (conservatively, both ways).

    Not measured counts as idle on the way up and as all of its request (or the goal, if that is
    more) on the way down; not ready counts as idle on the way up and not at all on the way down.
    """
    pairs = list(zip(samples, goals, strict=True))
    ready = [(s.usage, g) for s, g in pairs if s.usage is not None and s.is_ready]
    ratio = _ratio(ready)
    if abs(ratio - 1) <= TOLERANCE:
        return current
    is_up = ratio > 1
    if is_up:
        others = [(Fraction(0), g) for s, g in pairs if s.usage is None or not s.is_ready]
    else:
        others = [(max(s.request, g), g) for s, g in pairs if s.usage is None]
    if not others:
        return math.ceil(ratio * len(ready))
    damped = _ratio([*ready, *others])
    size = math.ceil(damped * (len(ready) + len(others)))
    is_reversed = (damped > 1) != is_up or (size < current if is_up else size > current)
    return current if abs(damped - 1) <= TOLERANCE or is_reversed else size


def _ratio(pairs: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    listed = list(pairs)
    goal = sum((g for _, g in listed), Fraction(0))
    return sum((u for u, _ in listed), Fraction(0)) / goal if goal else Fraction(1)


@dataclass(frozen=True)
class Limits:
    """What a scaler's spec allows."""

    least: int
    most: int
    up: Object
    down: Object


def limits_of(scaler: Object) -> Limits:
    spec = scaler["spec"]
    behavior = spec.get("behavior") or {}
    return Limits(
        int(spec.get("minReplicas") or 1),
        int(spec["maxReplicas"]),
        {**DEFAULT_UP, **(behavior.get("scaleUp") or {})},
        {**DEFAULT_DOWN, **(behavior.get("scaleDown") or {})},
    )


@dataclass(frozen=True)
class Memory:
    """What happened before: recommendations and changes, each with its age in seconds."""

    recommendations: Sequence[tuple[float, int]] = ()
    changes: Sequence[tuple[float, int]] = ()


@dataclass(frozen=True)
class Decision:
    """The size to have now, and the reason for which it differs from what metrics say."""

    replicas: int
    limited: tuple[str, str] | None = None


_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")


def find_forced(current: int, limits: Limits) -> tuple[int, str] | None:
    """The size, and the reason, when the bounds alone decide: no metric is asked then."""
    if current > limits.most:
        return limits.most, "Current number of replicas above Spec.MaxReplicas"
    if current < limits.least:
        return limits.least, "Current number of replicas below Spec.MinReplicas"
    return None


def decide(wanted: int, current: int, limits: Limits, memory: Memory) -> Decision:
    """Stabilize, limit the rate, keep within the bounds."""
    steady = _stabilized(wanted, current, limits, memory)
    if steady > limits.most:
        message = "the desired replica count is more than the maximum replica count"
        bounded = Decision(limits.most, ("TooManyReplicas", message))
    elif steady < limits.least:
        message = "the desired replica count is less than the minimum replica count"
        bounded = Decision(limits.least, ("TooFewReplicas", message))
    else:
        bounded = Decision(steady)
    return _rated(bounded, current, limits, memory)


def _stabilized(wanted: int, current: int, limits: Limits, memory: Memory) -> int:
    """The least change that any recommendation within the window asked for."""

    def recent(rules: Object) -> list[int]:
        window = int(rules.get("stabilizationWindowSeconds") or 0)
        return [wanted, *(size for age, size in memory.recommendations if age < window)]

    floor, ceiling = min(recent(limits.up)), max(recent(limits.down))
    if current < floor:
        return floor
    return min(current, ceiling) if current > ceiling else current


def _rated(bounded: Decision, current: int, limits: Limits, memory: Memory) -> Decision:
    if bounded.replicas > current:
        most = _reach(current, limits.up, memory, sign=1)
        if bounded.replicas > most:
            message = "the desired replica count is increasing faster than the maximum scale rate"
            return Decision(most, ("ScaleUpLimit", message))
    elif bounded.replicas < current:
        least = _reach(current, limits.down, memory, sign=-1)
        if bounded.replicas < least:
            message = "the desired replica count is decreasing faster than the maximum scale rate"
            return Decision(least, ("ScaleDownLimit", message))
    return bounded


def _reach(current: int, rules: Object, memory: Memory, *, sign: int) -> int:
    """How far the policies let the size go in one direction."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    reached = []
    for policy in rules.get("policies") or ():
        period, value = float(policy["periodSeconds"]), int(policy["value"])
        moved = sum(d for age, d in memory.changes if age < period and d * sign > 0)
        start = current - moved
        if policy["type"] == "Pods":
            reached.append(start + sign * value)
        else:
            exact = Fraction(start * (100 + sign * value), 100)
            reached.append(math.ceil(exact) if sign > 0 else math.floor(exact))
    if not reached:
        return current
    is_widest = rules.get("selectPolicy", "Max") == "Max"
    farthest = max(reached) if (sign > 0) == is_widest else min(reached)
    return max(farthest, current) if sign > 0 else min(farthest, current)


def range_condition(decision: Decision) -> tuple[bool, str, str]:
    """Status, reason and message of ScalingLimited."""
    reason, message = decision.limited or _WITHIN
    return decision.limited is not None, reason, message


Usage = Mapping[str, Fraction]
"""What a pod uses: cpu in cores, memory in bytes."""

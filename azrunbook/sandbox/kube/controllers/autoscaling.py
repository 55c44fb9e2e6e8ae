"""How many replicas a HorizontalPodAutoscaler wants.

Law: pure. Source: documentation "Horizontal Pod Autoscaling", algorithm details and configurable
scaling behaviour, and k8s.io/kubernetes pkg/controller/podautoscaler.
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
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
class Tolerance:
    """How far the ratio may be off in each direction before it counts."""

    up: Fraction = TOLERANCE
    down: Fraction = TOLERANCE

    def covers(self, ratio: Fraction) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


@dataclass(frozen=True)
class Proposal:
    """What one metric proposes, and its current value for the status."""

    replicas: int
    current: Object


def propose(
    target: Object,
    samples: Sequence[Sample],
    current: int,
    tolerance: Tolerance = Tolerance(),
) -> Proposal | None:
    """Replicas by one metric over pods; None if no pod that counts was measured."""
    measured = [one for one in samples if one.usage is not None and one.is_ready]
    if not measured:
        return None
    used = sum((one.usage or Fraction(0) for one in measured), Fraction(0))
    value: Object = {"averageValue": quantities.format_milli(used / len(measured))}
    if target["type"] == "Utilization":
        goal = int(target["averageUtilization"])
        value["averageUtilization"] = _utilization((o.usage or Fraction(0), o) for o in measured)
    else:
        goal = 100
        each = quantities.parse_quantity(target["averageValue"])
        samples = [replace(one, request=each) for one in samples]
    is_whole = target["type"] == "Utilization"
    ratio = functools.partial(_ratio, goal=goal, is_whole=is_whole)
    return Proposal(_replicas(samples, ratio, goal, current, tolerance), value)


Pairs = Sequence[tuple[Fraction, Sample]]


def _utilization(pairs: Iterable[tuple[Fraction, Sample]]) -> int:
    """Whole percent of what is asked for, cut off: the number that the algorithm goes on with."""
    listed = list(pairs)
    asked = sum((one.request for _, one in listed), Fraction(0))
    return int(sum((used for used, _ in listed), Fraction(0)) * 100 / asked) if asked else 0


def _ratio(pairs: Pairs, *, goal: int, is_whole: bool) -> Fraction:
    if is_whole:
        return Fraction(_utilization(pairs), goal)
    asked = sum((one.request for _, one in pairs), Fraction(0))
    return sum((used for used, _ in pairs), Fraction(0)) / asked if asked else Fraction(1)


def _replicas(
    samples: Sequence[Sample],
    ratio_of: Callable[[Pairs], Fraction],
    goal: int,
    current: int,
    tolerance: Tolerance,
) -> int:
    """The measured ratio, damped by what was not measured (conservatively, both ways).

    Not measured counts as idle on the way up and as all of its request (or the goal, if that is
    more) on the way down; not ready counts as idle on the way up and not at all on the way down.
    """
    ready = [(s.usage, s) for s in samples if s.usage is not None and s.is_ready]
    ratio = ratio_of(ready)
    is_up = ratio > 1
    missing = [one for one in samples if one.usage is None and one.is_ready]
    if is_up:
        others = [(Fraction(0), one) for one in samples if one.usage is None or not one.is_ready]
    else:
        share = Fraction(max(100, goal), 100)
        others = [(one.request * share, one) for one in missing]
    if not others:
        return current if tolerance.covers(ratio) else math.ceil(ratio * len(ready))
    damped = ratio_of([*ready, *others])
    size = math.ceil(damped * (len(ready) + len(others)))
    is_reversed = (damped > 1) != is_up or (size < current if is_up else size > current)
    return current if tolerance.covers(damped) or is_reversed else size


@dataclass(frozen=True)
class Limits:
    """What a scaler's spec allows."""

    least: int
    most: int
    up: Object
    down: Object
    has_behavior: bool = True
    """Without one the controller doubles, or goes to 4, in one step (not per period)."""


def limits_of(scaler: Object) -> Limits:
    spec = scaler["spec"]
    behavior = spec.get("behavior") or {}
    return Limits(
        int(spec.get("minReplicas") or 1),
        int(spec["maxReplicas"]),
        {**DEFAULT_UP, **(behavior.get("scaleUp") or {})},
        {**DEFAULT_DOWN, **(behavior.get("scaleDown") or {})},
        has_behavior=spec.get("behavior") is not None,
    )


def tolerance_of(limits: Limits) -> Tolerance:
    """The tolerance of each direction; 10 % where the behavior names none."""
    up, down = (
        quantities.parse_quantity(rules["tolerance"]) if "tolerance" in rules else TOLERANCE
        for rules in (limits.up, limits.down)
    )
    return Tolerance(up, down)


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
    able: tuple[str, str] = ("ReadyForNewScale", "recommended size matches current size")


_STABILIZED = (
    "recent recommendations were {than} than current one, "
    "applying the {which} recent recommendation"
)
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
    rated = _rated(bounded, current, limits, memory)
    if steady == wanted:
        return rated
    is_down = steady > wanted
    than, which = ("higher", "highest") if is_down else ("lower", "lowest")
    reason = "ScaleDownStabilized" if is_down else "ScaleUpStabilized"
    return replace(rated, able=(reason, _STABILIZED.format(than=than, which=which)))


def _stabilized(wanted: int, current: int, limits: Limits, memory: Memory) -> int:
    """The least change that any recommendation within the window asked for."""

    def recent(rules: Object) -> list[int]:
        window = int(rules.get("stabilizationWindowSeconds") or 0)
        return [wanted, *(size for age, size in memory.recommendations if age < window)]

    floor, ceiling = min(recent(limits.up)), max(recent(limits.down))
    if not limits.has_behavior:
        return ceiling
    if current < floor:
        return floor
    return min(current, ceiling) if current > ceiling else current


def _rated(bounded: Decision, current: int, limits: Limits, memory: Memory) -> Decision:
    if bounded.replicas > current:
        most = max(2 * current, 4)
        if limits.has_behavior:
            most = _reach(current, limits.up, memory, sign=1)
        if bounded.replicas > most:
            message = "the desired replica count is increasing faster than the maximum scale rate"
            return Decision(most, ("ScaleUpLimit", message))
    elif bounded.replicas < current:
        least = _reach(current, limits.down, memory, sign=-1) if limits.has_behavior else 0
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
        moved = sum(d for age, d in memory.changes if age < period)
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

"""Disruption budgets: how many of the pods that they cover may go.

Law: pure. Source: documentation "Specifying a Disruption Budget", k8s.io/kubernetes
pkg/controller/disruption.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from azrunbook.sandbox.kube import times
from azrunbook.sandbox.kube.controllers import conditions, moments, pods, quantities

Object = dict[str, Any]

DISRUPTED_SECONDS = 120  # how long an evicted pod counts as going although it is still there

_COUNTS = ("currentHealthy", "desiredHealthy", "expectedPods")


def needs_scale(budget: Object) -> bool:
    """Whether the budget depends on how many pods their controllers want."""
    spec = budget["spec"]
    return "maxUnavailable" in spec or isinstance(spec.get("minAvailable"), str)


def desired_healthy(budget: Object, expected: int) -> int:
    """How many pods must stay healthy. Percentages round up, both ways."""
    spec = budget["spec"]
    if "maxUnavailable" in spec:
        most = quantities.resolve_share(spec["maxUnavailable"], expected, round_up=True)
        return max(0, expected - most)
    return quantities.resolve_share(spec.get("minAvailable", 1), expected, round_up=True)


def plan_status(
    budget: Object, selected: Sequence[Object], expected: int, *, at: dt.datetime
) -> Object:
    """The status of a budget over the pods that it selects."""
    disrupted = _still_going(budget, selected, at)
    healthy = sum(
        pods.is_ready(pod)
        and not pods.is_terminating(pod)
        and pod["metadata"]["name"] not in disrupted
        for pod in selected
    )
    desired = desired_healthy(budget, expected)
    allowed = max(0, healthy - desired) if expected > 0 else 0
    made = conditions.condition(
        "DisruptionAllowed",
        allowed > 0,
        at=times.stamp(at),
        reason="SufficientPods" if allowed else "InsufficientPods",
        observedGeneration=budget["metadata"].get("generation", 1),
    )
    made["message"] = ""
    found = budget.get("status", {}).get("conditions")
    status: Object = {
        "observedGeneration": budget["metadata"].get("generation", 1),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": conditions.replaced(found, made),
    }
    return {**status, "disruptedPods": disrupted} if disrupted else status


def plan_failed_status(budget: Object, why: str, *, at: dt.datetime) -> Object:
    """The status of a budget that cannot be computed: nothing may go, and why."""
    status = dict(budget.get("status") or {})
    made = conditions.condition(
        "DisruptionAllowed",
        False,
        at=times.stamp(at),
        reason="SyncFailed",
        message=why,
        observedGeneration=status.get("observedGeneration", 0),
    )
    numbers = {name: status.get(name, 0) for name in _COUNTS}
    found = conditions.replaced(status.get("conditions"), made)
    return {**status, **numbers, "disruptionsAllowed": 0, "conditions": found}


def seconds_to_overdue(status: Object, *, at: dt.datetime) -> float | None:
    """When the first eviction that was granted stops being believed; None if none is open."""
    granted = (status.get("disruptedPods") or {}).values()
    waits = (moments.seconds_until(one, plus_seconds=DISRUPTED_SECONDS, at=at) for one in granted)
    return min((max(0.0, wait) for wait in waits), default=None)


def _still_going(budget: Object, selected: Sequence[Object], at: dt.datetime) -> dict[str, str]:
    """Pods whose eviction was granted and which are neither gone nor overdue."""
    present = {p["metadata"]["name"] for p in selected if not pods.is_terminating(p)}
    granted = budget.get("status", {}).get("disruptedPods") or {}
    return {
        name: since
        for name, since in granted.items()
        if name in present
        and moments.seconds_until(since, plus_seconds=DISRUPTED_SECONDS, at=at) > 0
    }

"""Disruption budgets: how many pods may go, and whether one may be evicted.

Law: pure. Source: documentation "Specifying a Disruption Budget", k8s.io/kubernetes
pkg/controller/disruption and the eviction subresource of pods.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube import errors, times
from azrunbook.sandbox.kube.controllers import access, conditions, moments, pods, quantities

Object = dict[str, Any]

DISRUPTED_SECONDS = 120  # how long an evicted pod counts as going although it is still there
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."


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


@dataclass(frozen=True)
class Verdict:
    """Whether a pod may be evicted: no budget is touched, one is charged, or it is refused."""

    charge: Object | None = None
    """The budget's status after this eviction."""
    refusal: errors.StatusError | None = None


def judge_eviction(pod: Object, covering: Sequence[Object], *, at: dt.datetime) -> Verdict:
    """Decide on one eviction. `covering` are the budgets that select the pod."""
    is_needless = pods.is_done(pod) or pods.phase(pod) == "Pending" or pods.is_terminating(pod)
    if is_needless or not covering:
        return Verdict()
    if len(covering) > 1:
        message = (
            "This pod has more than one PodDisruptionBudget, "
            "which the eviction subresource does not support."
        )
        return Verdict(refusal=errors.internal(message))
    budget = covering[0]
    status = budget.get("status") or {}
    if not pods.is_ready(pod) and _lets_unhealthy_go(budget, status):
        return Verdict()
    return _charge(pod, budget, status, at)


def _lets_unhealthy_go(budget: Object, status: Object) -> bool:
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return bool(healthy >= desired > 0)


def _charge(pod: Object, budget: Object, status: Object, at: dt.datetime) -> Verdict:
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 1):
        cause = f"The disruption budget {name} is still being processed by the server."
        return Verdict(refusal=_too_many(cause, retry_seconds=10))
    allowed = int(status.get("disruptionsAllowed", 0))
    if allowed <= 0:
        cause = (
            f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods "
            f"and has {status.get('currentHealthy', 0)} currently"
        )
        return Verdict(refusal=_too_many(cause, retry_seconds=0))
    disrupted = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: times.stamp(at)}
    return Verdict(charge={**status, "disruptionsAllowed": allowed - 1, "disruptedPods": disrupted})


def _too_many(cause: str, *, retry_seconds: int) -> errors.StatusError:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    details |= access.compact({"retryAfterSeconds": retry_seconds})
    return errors.StatusError(429, "TooManyRequests", VIOLATES, details)

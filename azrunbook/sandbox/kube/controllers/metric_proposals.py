"""What each metric of a HorizontalPodAutoscaler proposes, or why it cannot be had.

Law: pure; pods and readings are given. Resource and ContainerResource are measured from processes.
Pods, Object and External metrics need an adapter, which an AKS cluster has not unless someone
installs it: they answer as the real controller does without one.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from azrunbook.sandbox.kube import metrics, times
from azrunbook.sandbox.kube.controllers import autoscaling, conditions, pods

Object = dict[str, Any]
Readings = Callable[[str, str], metrics.Reading | None]
"""(namespace, pod name) to what the pod used lately; None while it has not been measured."""

INITIALIZATION_SECONDS, FIRST_READINESS_SECONDS = 300.0, 30.0
NOT_SERVED = "the server could not find the requested resource (get pods.metrics.k8s.io)"


@dataclass(frozen=True)
class Answer:
    """One metric's answer: a proposal, or the reason and the error for which there is none."""

    name: str
    metric: Object
    proposal: autoscaling.Proposal | None
    reason: str = ""
    error: str = ""
    """What the condition and the event say."""
    context: str = ""
    """What the summary over all metrics puts before the error."""

    @property
    def status(self) -> Object:
        """The entry of status.currentMetrics."""
        kind, part = source_of(self.metric)
        current = self.proposal.current if self.proposal else {}
        said = {key: part[key] for key in ("name", "container") if key in part}
        return {"type": self.metric["type"], kind: {**said, "current": current}}


@dataclass(frozen=True)
class Surroundings:
    """What all metrics of one scaler are computed from."""

    pods: Sequence[Object]
    """The pods that the target's selector matches."""
    readings: Readings | None
    current: int
    tolerance: autoscaling.Tolerance
    at: dt.datetime


def source_of(metric: Object) -> tuple[str, Object]:
    """The name of the field that holds a metric's source, and what it holds."""
    kind = metric["type"][0].lower() + metric["type"][1:]
    return kind, metric.get(kind) or {}


def answer(metric: Object, around: Surroundings) -> Answer:
    """Compute one metric."""
    if metric["type"] not in ("Resource", "ContainerResource"):
        return _without_adapter(metric)
    _, source = source_of(metric)
    is_part = metric["type"] == "ContainerResource"
    kind = "container resource" if is_part else "resource"
    is_share = source["target"]["type"] == "Utilization"
    what = f"{source['name']} {kind}" + (" utilization (percentage of request)" * is_share)
    found = _propose(source, around)
    if isinstance(found, autoscaling.Proposal):
        return Answer(what, metric, found)
    error = f"failed to get {source['name']} {'utilization' if is_share else 'usage'}: {found}"
    reason = f"FailedGet{metric['type']}Metric"
    context = (
        f"failed to get {source['name']} {'container' if is_part else 'resource'} metric value"
    )
    return Answer(what, metric, None, reason, error, context)


def _without_adapter(metric: Object) -> Answer:
    _, source = source_of(metric)
    name = (source.get("metric") or {}).get("name", "")
    api = "external" if metric["type"] == "External" else "custom"
    what = {"Object": "object metric", "Pods": "pods metric"}.get(metric["type"], "external metric")
    error = (
        f"unable to get metric {name}: unable to fetch metrics from {api} metrics API: "
        f"no {api} metrics API ({api}.metrics.k8s.io) registered"
    )
    reason = f"FailedGet{metric['type']}Metric"
    return Answer(f"{what} {name}", metric, None, reason, error, f"failed to get {what} value")


def _propose(source: Object, around: Surroundings) -> autoscaling.Proposal | str:
    """The proposal of a Resource or ContainerResource metric, or why there is none."""
    name, part = source["name"], source.get("container")
    if around.readings is None:
        why = f"unable to fetch metrics from resource metrics API: {NOT_SERVED}"
        return f"unable to get metrics for resource {name}: {why}"
    if not around.pods:
        return "no pods returned by selector while calculating replica count"
    readings = [around.readings(*pods.key(pod)) for pod in around.pods]
    if not any(readings):
        why = "no metrics returned from resource metrics API"
        return f"unable to get metrics for resource {name}: {why}"
    is_share = source["target"]["type"] == "Utilization"
    lacking = find_without_request(around.pods, name, part) if is_share else None
    if lacking is not None:
        return lacking
    samples = [
        sample(pod, reading, name, part, at=around.at)
        for pod, reading in zip(around.pods, readings, strict=True)
        if _counts(pod)
    ]
    found = autoscaling.propose(source["target"], samples, around.current, around.tolerance)
    return found or "did not receive metrics for targeted pods (pods might be unready)"


def _counts(pod: Object) -> bool:
    return not pods.is_terminating(pod) and pods.phase(pod) != "Failed"


def find_without_request(found: Iterable[Object], name: str, part: str | None) -> str | None:
    """The sentence about the first container that asks for nothing: a share of it is no number."""
    for pod in found:
        for container in _containers(pod, part):
            if name not in ((container.get("resources") or {}).get("requests") or {}):
                who = f"container {container['name']} of Pod {pod['metadata']['name']}"
                return f"missing request for {name} in {who}"
    return None


def _containers(pod: Object, part: str | None) -> list[Object]:
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    found = [*(spec.get("containers") or ()), *sidecars]
    return [one for one in found if part is None or one["name"] == part]


def sample(
    pod: Object, reading: metrics.Reading | None, name: str, part: str | None, *, at: dt.datetime
) -> autoscaling.Sample:
    """One pod by one metric: measured, not measured, or measured and not to be trusted yet."""
    asked = Fraction(
        sum(pods.container_requests(container)[name] for container in _containers(pod, part)), 1000
    )
    amount = None
    if reading is not None:
        usage = reading.total if part is None else reading.parts.get(part, {})
        amount = usage.get(name)
    is_ready = pods.phase(pod) != "Pending"
    if is_ready and name == "cpu" and reading is not None:
        is_ready = is_trustworthy(pod, reading, at=at)
    return autoscaling.Sample(amount, asked, is_ready)


def is_trustworthy(pod: Object, reading: metrics.Reading, *, at: dt.datetime) -> bool:
    """Whether a pod's CPU says something about its work, not about its start.

    Source: documentation, flags --horizontal-pod-autoscaler-cpu-initialization-period and
    --horizontal-pod-autoscaler-initial-readiness-delay.
    """
    ready = conditions.find(pod.get("status", {}).get("conditions"), "Ready")
    started_text = pod.get("status", {}).get("startTime")
    if ready is None or not started_text or "lastTransitionTime" not in ready:
        return False
    started, changed = times.parse(started_text), times.parse(ready["lastTransitionTime"])
    is_false = ready["status"] == "False"
    if (at - started).total_seconds() < INITIALIZATION_SECONDS:
        began = reading.at - dt.timedelta(seconds=reading.window_seconds)
        return not is_false and began >= changed
    return not (is_false and (changed - started).total_seconds() < FIRST_READINESS_SECONDS)

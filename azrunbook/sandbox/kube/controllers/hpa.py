"""The HorizontalPodAutoscaler controller: sizes a target by what its pods use.

Law: the algorithm is autoscaling.py's. Metrics come from a callable that the cluster is given; a
cluster without one answers as one without a metrics server does. This is the one controller that
works by period, as the real one does (15 s), and only while there is a scaler.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from azrunbook.sandbox.kube import selectors, writes
from azrunbook.sandbox.kube.controllers import (
    access,
    autoscaling,
    conditions,
    loop,
    pods,
)
from azrunbook.sandbox.kube.controllers.access import Access
from azrunbook.sandbox.kube.subresources import scale as scales

Object = dict[str, Any]
Metrics = Callable[[str, str], autoscaling.Usage | None]
"""(namespace, pod name) to usage; None while the pod has not been measured."""

COMPONENT = "horizontal-pod-autoscaler"
REMEMBERED_SECONDS = 3600.0
_NO_METRICS = (
    "the HPA was unable to compute the replica count: failed to get {name} utilization: "
    "unable to get metrics for resource {name}: {why}"
)
_NOT_SERVED = (
    "unable to fetch metrics from resource metrics API: "
    "the server could not find the requested resource (get pods.metrics.k8s.io)"
)
_NOT_MEASURED = "no metrics returned from resource metrics API"


@dataclass
class _History:
    """Recommendations and changes of one scaler, with their instants."""

    recommendations: list[tuple[dt.datetime, int]] = field(default_factory=list)
    changes: list[tuple[dt.datetime, int]] = field(default_factory=list)

    def memory(self, now: dt.datetime) -> autoscaling.Memory:
        def aged(items: list[tuple[dt.datetime, int]]) -> list[tuple[float, int]]:
            found = [((now - at).total_seconds(), size) for at, size in items]
            return [(age, size) for age, size in found if age < REMEMBERED_SECONDS]

        return autoscaling.Memory(aged(self.recommendations), aged(self.changes))


class AutoscalerController:
    """Scales targets between their bounds."""

    name = "hpa"

    def __init__(self, cluster: Access, metrics: Metrics | None, *, period_seconds: float) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._period_seconds = period_seconds
        self._scalers = cluster.resource("autoscaling", "horizontalpodautoscalers")
        self._pods = cluster.resource("", "pods")
        self._histories: dict[str, _History] = {}

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._scalers, _of_spec)]

    def reconcile(self, key: loop.Key) -> float | None:
        scaler = self._cluster.registry.find(self._scalers, *key)
        if scaler is None:
            return None
        self._cluster.write_status(self._scalers, scaler, self._scaled(scaler))
        return self._period_seconds

    def _scaled(self, scaler: Object) -> Object:
        """Scale the target if it is due; the status afterwards."""
        status = {
            **(scaler.get("status") or {}),
            "observedGeneration": scaler["metadata"].get("generation"),
        }
        status = {name: value for name, value in status.items() if value is not None}
        target = scaler["spec"]["scaleTargetRef"]
        resource = self._cluster.registry.resources.find_kind(
            target.get("apiVersion", ""), target["kind"]
        )
        namespace = scaler["metadata"]["namespace"]
        found = None
        if resource is not None:
            found = self._cluster.registry.find(resource, namespace, target["name"])
        if resource is None or found is None:
            message = (
                "the HPA controller was unable to get the target's current scale: "
                f'{target["kind"].lower()}s "{target["name"]}" not found'
            )
            return self._said(status, "AbleToScale", False, "FailedGetScale", message)
        text = "the HPA controller was able to get the target's current scale"
        status = self._said(status, "AbleToScale", True, "SucceededGetScale", text)
        current = int(found["spec"].get("replicas", 1))
        status |= {"currentReplicas": current, "desiredReplicas": current}
        if current == 0:
            message = "scaling is disabled since the replica count of the target is zero"
            return self._said(status, "ScalingActive", False, "ScalingDisabled", message)
        proposals = self._proposals(scaler, found, current)  # measured even if the bounds decide
        forced = autoscaling.find_forced(current, autoscaling.limits_of(scaler))
        if forced is not None:
            size, why = forced
            status["desiredReplicas"] = size
            return self._rescale(scaler, status, resource, found, size, why)
        return self._sized(scaler, status, resource, found, proposals)

    def _sized(
        self,
        scaler: Object,
        status: Object,
        resource: Any,
        target: Object,
        proposals: list[tuple[str, autoscaling.Proposal]] | None,
    ) -> Object:
        current = status["currentReplicas"]
        if proposals is None:
            metric = (scaler["spec"].get("metrics") or [{}])[0]
            name = (metric.get("resource") or {}).get("name", "cpu")
            why = _NOT_SERVED if self._metrics is None else _NOT_MEASURED
            message = _NO_METRICS.format(name=name, why=why)
            reason = "FailedGetResourceMetric"
            self._cluster.events.warning(scaler, reason, message, component=COMPONENT)
            return self._said(status, "ScalingActive", False, reason, message)
        name, best = max(proposals, key=lambda one: one[1].replicas)
        status["currentMetrics"] = [
            {"type": "Resource", "resource": {"name": n, "current": p.current}}
            for n, p in proposals
        ]
        measured = f"{name} resource utilization (percentage of request)"
        message = f"the HPA was able to successfully calculate a replica count from {measured}"
        status = self._said(status, "ScalingActive", True, "ValidMetricFound", message)
        decision = self._decide(scaler, best.replicas, current)
        status["desiredReplicas"] = decision.replicas
        is_limited, reason, text = autoscaling.range_condition(decision)
        status = self._said(status, "ScalingLimited", is_limited, reason, text)
        if decision.replicas == current:
            text = "recommended size matches current size"
            return self._said(status, "AbleToScale", True, "ReadyForNewScale", text)
        above = f"{measured} above target"
        why = above if decision.replicas > current else "All metrics below target"
        return self._rescale(scaler, status, resource, target, decision.replicas, why)

    def _proposals(
        self, scaler: Object, target: Object, current: int
    ) -> list[tuple[str, autoscaling.Proposal]] | None:
        """What each metric proposes; None if one cannot be had."""
        if self._metrics is None:
            return None
        found = []
        for metric in scaler["spec"].get("metrics") or ():
            if metric["type"] != "Resource":
                return None
            name = metric["resource"]["name"]
            proposal = autoscaling.propose(metric, self._samples(target, name), current)
            if proposal is None:
                return None
            found.append((name, proposal))
        return found or None

    def _samples(self, target: Object, name: str) -> list[autoscaling.Sample]:
        namespace = target["metadata"]["namespace"]
        requirements = selectors.from_label_selector(target["spec"].get("selector")) or ()
        query = selectors.format_requirements(requirements)
        samples = []
        for pod in self._cluster.registry.list(self._pods, namespace, label_selector=query):
            if not pods.is_active(pod) or self._metrics is None:
                continue
            usage = self._metrics(namespace, pod["metadata"]["name"])
            asked = Fraction(pods.requests(pod)[name], 1000)
            amount = usage.get(name) if usage is not None else None
            samples.append(autoscaling.Sample(amount, asked, pods.is_ready(pod)))
        return samples

    def _decide(self, scaler: Object, wanted: int, current: int) -> autoscaling.Decision:
        history = self._histories.setdefault(scaler["metadata"]["uid"], _History())
        now = self._cluster.clock()
        decision = autoscaling.decide(
            wanted, current, autoscaling.limits_of(scaler), history.memory(now)
        )
        history.recommendations.append((now, wanted))
        if decision.replicas != current:
            history.changes.append((now, decision.replicas - current))
        del history.recommendations[:-1000]
        del history.changes[:-1000]
        return decision

    def _rescale(
        self,
        scaler: Object,
        status: Object,
        resource: Any,
        target: Object,
        size: int,
        why: str,
    ) -> Object:
        namespace, name = target["metadata"]["namespace"], target["metadata"]["name"]
        registry = self._cluster.registry
        scale = scales.get(registry, resource, namespace, name)
        body = {**scale, "spec": {**scale["spec"], "replicas": size}}
        write = writes.Write(manager=access.MANAGER)
        scales.update(registry, resource, namespace, name, body, write=write)
        message = f"New size: {size}; reason: {why}"
        self._cluster.events.normal(scaler, "SuccessfulRescale", message, component=COMPONENT)
        status["lastScaleTime"] = self._cluster.now_text()
        text = f"the HPA controller was able to update the target scale to {size}"
        return self._said(status, "AbleToScale", True, "SucceededRescale", text)

    def _said(self, status: Object, kind: str, is_so: bool, reason: str, message: str) -> Object:
        made = conditions.condition(
            kind, is_so, at=self._cluster.now_text(), reason=reason, message=message
        )
        return {**status, "conditions": conditions.replaced(status.get("conditions"), made)}


def _of_spec(change: loop.Change) -> Iterable[loop.Key]:
    """Our own status writes are no reason to come back before the period is over."""
    is_same = change.previous is not None and change.previous["spec"] == change.object["spec"]
    return [] if is_same and change.type != "DELETED" else [loop.key_of(change.object)]

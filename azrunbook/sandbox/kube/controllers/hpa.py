"""The HorizontalPodAutoscaler controller: sizes a target by what its pods use.

Law: the algorithm is autoscaling.py's. Metrics come from a callable that the cluster is given; a
cluster without one answers as one without a metrics server does. This is the one controller that
works by period, as the real one does (15 s), and only while there is a scaler.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from azrunbook.sandbox.kube import errors, resources, writes
from azrunbook.sandbox.kube.controllers import (
    access,
    autoscaling,
    conditions,
    loop,
    metric_proposals,
)
from azrunbook.sandbox.kube.controllers.access import Access
from azrunbook.sandbox.kube.controllers.metric_proposals import Readings
from azrunbook.sandbox.kube.subresources import scale as scales

Object = dict[str, Any]

COMPONENT = "horizontal-pod-autoscaler"
REMEMBERED_SECONDS = 3600.0


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


@dataclass(frozen=True)
class _Target:
    """What is scaled: its resource and its Scale."""

    resource: resources.Resource
    scale: Object

    @property
    def replicas(self) -> int:
        return int(self.scale["spec"].get("replicas") or 0)


class AutoscalerController:
    """Scales targets between their bounds."""

    name = "hpa"

    def __init__(self, cluster: Access, metrics: Readings | None, *, period_seconds: float) -> None:
        self._cluster = cluster
        self._readings = metrics
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
        target = self._target(scaler)
        if isinstance(target, str):
            self._cluster.events.warning(scaler, "FailedGetScale", target, component=COMPONENT)
            message = f"the HPA controller was unable to get the target's current scale: {target}"
            return self._said(status, "AbleToScale", False, "FailedGetScale", message)
        text = "the HPA controller was able to get the target's current scale"
        status = self._said(status, "AbleToScale", True, "SucceededGetScale", text)
        current = target.replicas
        status["currentReplicas"] = current
        status.setdefault("desiredReplicas", current)
        self._remember_first(scaler, current)
        if current == 0:
            status["desiredReplicas"] = 0
            message = "scaling is disabled since the replica count of the target is zero"
            return self._said(status, "ScalingActive", False, "ScalingDisabled", message)
        answers = self._answers(scaler, target)  # measured even if the bounds decide
        forced = autoscaling.find_forced(current, autoscaling.limits_of(scaler))
        if forced is not None:
            size, why = forced
            return self._rescale(scaler, status, target, size, why)
        return self._sized(scaler, status, target, answers)

    def _target(self, scaler: Object) -> _Target | str:
        """What is scaled, or the sentence why it cannot be."""
        named, namespace = scaler["spec"]["scaleTargetRef"], scaler["metadata"]["namespace"]
        version, kind = named.get("apiVersion", ""), named["kind"]
        registry = self._cluster.registry
        resource = registry.resources.find_kind(version, kind)
        if resource is None:
            group = version.rpartition("/")[0]
            return f'no matches for kind "{kind}" in group "{group}"'
        if resource.find_subresource("scale") is None:
            return "the server could not find the requested resource"
        try:
            scale = scales.get(registry, resource, namespace, named["name"])
        except errors.StatusError as error:
            return str(error)
        return _Target(resource, scale)

    def _remember_first(self, scaler: Object, current: int) -> None:
        """The size found counts as recommended: a new scaler does not shrink its target at once."""
        first = [(self._cluster.clock(), current)]
        self._histories.setdefault(scaler["metadata"]["uid"], _History(first))

    def _sized(
        self,
        scaler: Object,
        status: Object,
        target: _Target,
        answers: Sequence[metric_proposals.Answer],
    ) -> Object:
        status["currentMetrics"] = [one.status for one in answers]
        current = target.replicas
        valid = [(one, one.proposal.replicas) for one in answers if one.proposal is not None]
        invalid = [one for one in answers if one.proposal is None]
        best, size = max(valid, key=lambda one: one[1], default=(None, 0))
        for one in invalid:
            self._cluster.events.warning(scaler, one.reason, one.error, component=COMPONENT)
        if best is None or (invalid and size < current):
            first = invalid[0]
            text = (
                f"invalid metrics ({len(invalid)} invalid out of {len(answers)}), "
                f"first error is: {first.context}: {first.error}"
            )
            reason = "FailedComputeMetricsReplicas"
            self._cluster.events.warning(scaler, reason, text, component=COMPONENT)
            message = f"the HPA was unable to compute the replica count: {first.error}"
            return self._said(status, "ScalingActive", False, first.reason, message)
        message = f"the HPA was able to successfully calculate a replica count from {best.name}"
        status = self._said(status, "ScalingActive", True, "ValidMetricFound", message)
        decision = self._decide(scaler, size, current)
        status = self._said(status, "AbleToScale", True, *decision.able)
        is_limited, reason, text = autoscaling.range_condition(decision)
        status = self._said(status, "ScalingLimited", is_limited, reason, text)
        if decision.replicas == current:
            return {**status, "desiredReplicas": current}
        is_up = decision.replicas > current
        why = f"{best.name} above target" if is_up else "All metrics below target"
        return self._rescale(scaler, status, target, decision.replicas, why)

    def _answers(self, scaler: Object, target: _Target) -> list[metric_proposals.Answer]:
        around = metric_proposals.Surroundings(
            self._cluster.registry.list(
                self._pods,
                scaler["metadata"]["namespace"],
                label_selector=target.scale["status"].get("selector", ""),
            ),
            self._readings,
            target.replicas,
            autoscaling.tolerance_of(autoscaling.limits_of(scaler)),
            self._cluster.clock(),
        )
        metrics = scaler["spec"].get("metrics") or ()
        return [metric_proposals.answer(metric, around) for metric in metrics]

    def _decide(self, scaler: Object, wanted: int, current: int) -> autoscaling.Decision:
        history = self._histories[scaler["metadata"]["uid"]]
        now = self._cluster.clock()
        decision = autoscaling.decide(
            wanted, current, autoscaling.limits_of(scaler), history.memory(now)
        )
        history.recommendations.append((now, wanted))
        del history.recommendations[:-1000]
        return decision

    def _rescale(
        self, scaler: Object, status: Object, target: _Target, size: int, why: str
    ) -> Object:
        registry, named = self._cluster.registry, target.scale["metadata"]
        body = {**target.scale, "spec": {**target.scale["spec"], "replicas": size}}
        write = writes.Write(manager=access.MANAGER)
        name, namespace = named["name"], named["namespace"]
        try:
            scales.update(registry, target.resource, namespace, name, body, write=write)
        except errors.StatusError as error:
            text = f"New size: {size}; reason: {why}; error: {error}"
            self._cluster.events.warning(scaler, "FailedRescale", text, component=COMPONENT)
            text = f"the HPA controller was unable to update the target scale: {error}"
            return self._said(status, "AbleToScale", False, "FailedUpdateScale", text)
        message = f"New size: {size}; reason: {why}"
        self._cluster.events.normal(scaler, "SuccessfulRescale", message, component=COMPONENT)
        changes = self._histories[scaler["metadata"]["uid"]].changes
        changes.append((self._cluster.clock(), size - target.replicas))
        del changes[:-1000]
        text = f"the HPA controller was able to update the target scale to {size}"
        status = self._said(status, "AbleToScale", True, "SucceededRescale", text)
        return {**status, "desiredReplicas": size, "lastScaleTime": self._cluster.now_text()}

    def _said(self, status: Object, kind: str, is_so: bool, reason: str, message: str) -> Object:
        made = conditions.condition(
            kind, is_so, at=self._cluster.now_text(), reason=reason, message=message
        )
        return {**status, "conditions": conditions.replaced(status.get("conditions"), made)}


def _of_spec(change: loop.Change) -> Iterable[loop.Key]:
    """Our own status writes are no reason to come back before the period is over."""
    is_same = change.previous is not None and change.previous["spec"] == change.object["spec"]
    return [] if is_same and change.type != "DELETED" else [loop.key_of(change.object)]

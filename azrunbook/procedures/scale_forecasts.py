"""What each phase of procedure 05 will do, forecast from live objects, and what it did. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from azrunbook import checks, errors, forecast
from azrunbook.procedures import scale


def make(phase: str, snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    """Forecast one phase, named as its group of steps.

    Raises:
        KeyError: nothing is forecast for this phase.
    """
    return _MAKERS[phase](snapshot, facts)


def _for_values(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    return _for_more(snapshot, facts, facts.more_replicas)


def _for_autoscaling(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    return _for_more(snapshot, facts, facts.most_replicas)


def _for_more(snapshot: forecast.Snapshot, facts: scale.Facts, replicas: int) -> forecast.Forecast:
    name = facts.release.spec.name
    pods = [pod for pod in _list_pods(snapshot, name) if not forecast.is_ending(pod)]
    names = [f"{name} {number}" for number in range(len(pods) + 1, replicas + 1)]
    what = f"{replicas} replicas of {name}"
    return forecast.forecast_replicas(what, snapshot, pods[0]["spec"], names)


def _for_filling(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    count = facts.pool.count + 1
    names = [f"{scale.PROBE} {number}" for number in range(1, count + 1)]
    what = f"{count} probes on the {facts.pool.count} nodes of {facts.pool.name}"
    return forecast.forecast_replicas(what, snapshot, _make_probe_spec(snapshot, facts), names)


def _for_growing(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    waiting = [pod for pod in snapshot.pods if not pod["spec"].get("nodeName")]
    newest = _find_newest(snapshot, facts)
    node = {
        **newest,
        "metadata": {**newest["metadata"], "name": f"a new node of {facts.pool.name}"},
    }
    what = f"what waits, with one node more in {facts.pool.name}"
    return forecast.forecast_replicas(
        what,
        snapshot,
        _make_probe_spec(snapshot, facts),
        [forecast.get_name(pod) for pod in waiting],
        more_nodes=[node],
    )


def _for_shrinking(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    """A scale set takes away its newest machine."""
    node = _find_newest(snapshot, facts)["metadata"]["name"]
    return forecast.forecast_drain(f"{node} is taken away", snapshot, node)


def _for_draining(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Forecast:
    return forecast.forecast_drain(f"{facts.node} is drained", snapshot, facts.node)


_MAKERS: Mapping[str, Callable[[forecast.Snapshot, scale.Facts], forecast.Forecast]] = {
    "scale by values": _for_values,
    "autoscale": _for_autoscaling,
    "fill the pool": _for_filling,
    "grow the pool": _for_growing,
    "shrink the pool": _for_shrinking,
    "drain": _for_draining,
}


def _list_pods(snapshot: forecast.Snapshot, release: str) -> list[forecast.Object]:
    """The release's pods that hold a place.

    Raises:
        PlanError: there are none to forecast by.
    """
    found = [
        pod
        for pod in snapshot.pods
        if scale.is_of_release(pod, release) and pod["spec"].get("nodeName")
    ]
    if not found:
        raise errors.PlanError(
            f"no pod of {release} runs: expected one to forecast by. "
            "azrunbook run 03_release_app -p apply=true"
        )
    return found


def _make_probe_spec(snapshot: forecast.Snapshot, facts: scale.Facts) -> dict[str, Any]:
    """The spec that the chart makes of the probe's values, as far as it decides about room."""
    spec = _list_pods(snapshot, facts.release.spec.name)[0]["spec"]
    request = forecast.measure_request(spec)
    resources = {"cpu": f"{facts.probe_cpu_milli}m", "memory": str(request["memory"])}
    return {
        **spec,
        "containers": [{"resources": {"requests": resources}}],
        "nodeSelector": {scale.POOL_LABEL: facts.pool.name},
    }


def _find_newest(snapshot: forecast.Snapshot, facts: scale.Facts) -> forecast.Object:
    mine = [one for one in snapshot.nodes if scale.get_pool_name(one) == facts.pool.name]

    def age(node: forecast.Object) -> tuple[str, str]:
        return node["metadata"]["creationTimestamp"], node["metadata"]["name"]

    return max(mine, key=age)


def compare(
    expected: forecast.Forecast, before: forecast.Snapshot, after: forecast.Snapshot
) -> checks.CheckResult:
    """Whether what was forecast happened: who went, and how many wait for a node."""
    there = {forecast.get_name(pod): pod for pod in before.pods}
    going = [there[one.pod] for one in expected.placements if one.pod in there]
    going = [pod for pod in going if pod["spec"].get("nodeName")]
    left = {pod["metadata"]["uid"] for pod in after.pods}
    stayed = sum(pod["metadata"]["uid"] in left for pod in going)
    waiting = count_waiting(after)
    predicted, gone = "", ""
    if going:
        predicted, gone = f"{len(going)} go, ", f"{len(going) - stayed} of {len(going)} went, "
    return checks.CheckResult(
        name=f"forecast: {expected.what}",
        passed=not stayed and waiting == expected.unplaced,
        criterion=f"{predicted}{expected.unplaced} without a node",
        found=f"{gone}{waiting} without a node",
        advice="kubectl get events --field-selector reason=FailedScheduling -A",
    )


def count_waiting(snapshot: forecast.Snapshot) -> int:
    """How many pods wait for a node."""
    return sum(
        not pod["spec"].get("nodeName") and not forecast.is_ending(pod) for pod in snapshot.pods
    )

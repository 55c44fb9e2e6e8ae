"""What becomes of the sizes while they are changed: replicas, autoscaler, nodes, what waits.

Looks at one region, and draws what was seen. Changes nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azrunbook import availability, connect, forecast, plots
from azrunbook.procedures import scale, scale_forecasts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREEN, _RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"


@dataclass(frozen=True)
class Look:
    """One look, at an instant in seconds since the epoch.

    Attributes:
        wanted: replicas in the Deployment's spec.
        desired: by the autoscaler; None without one.
        cpu_percent: of what the pods request; None while nothing was measured.
        nodes: usable ones of the pool.
        waiting: pods that no node has room for.
    """

    at: float
    wanted: int
    ready: int
    desired: int | None
    cpu_percent: int | None
    nodes: int
    probes: int
    waiting: int


def look(clients: connect.Clients, facts: scale.Facts) -> Look:
    """Look once.

    Raises:
        AzrunbookError: the cluster did not answer.
    """
    region, spec = clients.region(facts.role), facts.release.spec
    found = region.workloads.list_deployments(spec.namespace, release=spec.name)
    scaler = region.workloads.find_autoscaler(spec.namespace, spec.name)
    snapshot = region.nodes.take_snapshot()
    return Look(
        at=time.time(),
        wanted=sum(one.replicas for one in found),
        ready=sum(one.ready for one in found),
        desired=scaler.desired if scaler else None,
        cpu_percent=scaler.cpu_percent if scaler else None,
        nodes=sum(
            scale.get_pool_name(node) == facts.pool.name and forecast.is_usable(node)
            for node in snapshot.nodes
        ),
        probes=sum(
            scale.is_of_release(pod, scale.PROBE) and bool(pod["spec"].get("nodeName"))
            for pod in snapshot.pods
        ),
        waiting=scale_forecasts.count_waiting(snapshot),
    )


def plot(
    seen: Sequence[Look],
    marks: Sequence[availability.Mark],
    *,
    start: float,
    target_percent: int,
) -> plots.Svg:
    """Three rows over one time axis: replicas, CPU, the node pool with what waits for it.

    Args:
        seen: at least one.
        marks: events to draw as vertical lines.
        start: the instant that the axis counts from, seconds since the epoch.
        target_percent: what the autoscaler aims at.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    rows = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1.2, 1.4))
    times = [one.at - start for one in seen]
    _draw_replicas(rows[0], times, seen)
    _draw_cpu(rows[1], times, seen, target_percent)
    _draw_pool(rows[2], times, seen)
    for axes in rows:
        axes.set_ylim(bottom=0)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    plots.draw_marks(rows, marks, start)
    plots.name_marks(rows[0], marks, start, seconds=max(times[-1], 1.0))
    rows[-1].set_xlabel("seconds since the first request")
    figure.suptitle("Sizes", x=0.01, ha="left", fontsize=11)
    return plots.to_svg(figure)


def _draw_replicas(axes: "Axes", times: Sequence[float], seen: Sequence[Look]) -> None:
    axes.fill_between(
        times, [one.ready for one in seen], step="post", color=_BLUE, alpha=0.35, label="ready"
    )
    axes.step(times, [one.wanted for one in seen], where="post", color=_BLUE, label="wanted")
    pairs = [(at, one.desired) for at, one in zip(times, seen, strict=True) if one.desired]
    if pairs:
        axes.plot(*zip(*pairs, strict=True), ".", markersize=4, color=_ORANGE, label="autoscaler")
    axes.set_ylabel("replicas")


def _draw_cpu(axes: "Axes", times: Sequence[float], seen: Sequence[Look], target: int) -> None:
    pairs = [
        (at, one.cpu_percent)
        for at, one in zip(times, seen, strict=True)
        if one.cpu_percent is not None
    ]
    if pairs:
        axes.plot(*zip(*pairs, strict=True), ".", markersize=4, color=_GREEN, label="measured")
    axes.axhline(target, color=_RED, linewidth=0.8, linestyle="--", label="target")
    axes.set_ylabel("CPU, % of\nrequested")


def _draw_pool(axes: "Axes", times: Sequence[float], seen: Sequence[Look]) -> None:
    axes.step(times, [one.nodes for one in seen], where="post", color=_BLUE, label="nodes usable")
    axes.step(
        times, [one.probes for one in seen], where="post", color=_GREEN, linestyle="--",
        label="probes placed",
    )  # fmt: skip
    axes.fill_between(
        times, [one.waiting for one in seen], step="post", color=_RED, alpha=0.6,
        label="pods without room",
    )  # fmt: skip
    axes.set_ylabel("node pool")

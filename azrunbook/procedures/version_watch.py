"""Which version's pods are there, and which are ready, while releases come and go.

Counts and draws; reads a region's pods. The picture shows a rollout as Kubernetes does it, which
the requests alone cannot: pods that never became ready have answered nobody.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azrunbook import availability, connect, estate, plots, workloads

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette in the order of the traffic's picture: a version has one colour in both.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
_WAITING_ALPHA = 0.35


@dataclass(frozen=True)
class Replicas:
    """One region's pods at one instant (seconds since the epoch), counted by version."""

    at: float
    location: str
    ready: Mapping[str, int]
    waiting: Mapping[str, int]


def look(clients: connect.Clients, role: estate.RegionName) -> Replicas:
    """Count the application's pods of one region now.

    Raises:
        AzrunbookError: the cluster did not answer.
    """
    app, location = clients.estate.app, clients.estate.regions[role].location
    pods = clients.region(role).workloads
    return count(time.time(), location, pods.list_pods(app.namespace, release=app.release))


def count(at: float, location: str, pods: Iterable[workloads.Pod]) -> Replicas:
    """Count pods by the tag of their first image; pure."""
    known = [(_read_tag(pod.images[0]), pod.is_ready) for pod in pods]
    return Replicas(
        at,
        location,
        ready=_sort(availability.count(version for version, is_ready in known if is_ready)),
        waiting=_sort(availability.count(version for version, is_ready in known if not is_ready)),
    )


def _read_tag(image: str) -> str:
    """The tag of ``repository:tag@digest``."""
    return image.partition("@")[0].rpartition(":")[2]


def _sort(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def keep_changes(seen: Iterable[Replicas]) -> list[Replicas]:
    """What differs from the look before it in the same region; pure."""
    last: dict[str, Replicas] = {}
    kept = []
    for one in seen:
        before = last.get(one.location)
        if before is None or (before.ready, before.waiting) != (one.ready, one.waiting):
            kept.append(one)
        last[one.location] = one
    return kept


def find_fewest_ready(seen: Iterable[Replicas], location: str) -> int:
    """The fewest ready pods of all versions that a region ever had; 0 if it was never seen."""
    return min((sum(one.ready.values()) for one in seen if one.location == location), default=0)


def plot(
    seen: Sequence[Replicas], marks: Sequence[availability.Mark], *, start: float, title: str
) -> plots.Svg:
    """One row a region: pods by version over time, pale while they are not ready.

    Args:
        seen: at least one.
        marks: events to draw as vertical lines.
        start: the instant that the axis counts from, seconds since the epoch.
        title: above the picture.
    """
    from matplotlib.figure import Figure

    locations = list(dict.fromkeys(one.location for one in seen))
    versions = sorted({name for one in seen for name in (*one.ready, *one.waiting)})
    figure = Figure(figsize=(10, 1.2 + 1.7 * len(locations)), layout="constrained")
    rows = figure.subplots(len(locations), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, location in zip(rows, locations, strict=True):
        _draw(axes, [one for one in seen if one.location == location], versions, start)
        axes.set_ylabel(f"pods in\n{location}")
    plots.draw_marks(rows, marks, start)
    for mark in marks:
        rows[0].annotate(
            mark.name, (mark.at - start, 1.0), xycoords=("data", "axes fraction"), fontsize=8,
            xytext=(2, 2), textcoords="offset points", ha="left", va="bottom", color="#333333",
        )  # fmt: skip
    rows[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    rows[-1].set_xlabel("seconds since the first request; pale: not ready")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return plots.to_svg(figure)


def _draw(axes: "Axes", seen: Sequence[Replicas], versions: Sequence[str], start: float) -> None:
    times = [one.at - start for one in seen]
    below = [0] * len(seen)
    for place, version in enumerate(versions):
        for is_ready in (True, False):
            states = [one.ready if is_ready else one.waiting for one in seen]
            counts = [state.get(version, 0) for state in states]
            above = [low + more for low, more in zip(below, counts, strict=True)]
            axes.fill_between(
                times, below, above, step="post", linewidth=0,
                color=_COLOURS[place % len(_COLOURS)], alpha=1.0 if is_ready else _WAITING_ALPHA,
                label=version if is_ready else None,
            )  # fmt: skip
            below = above

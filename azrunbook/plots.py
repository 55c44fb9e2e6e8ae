"""Pictures of a drill: which region served when, what failed, how long answers took.

A figure is returned as SVG text, because a report has to stand alone and stay sharp. matplotlib
takes a second to import: only who draws pays for it.
"""

import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azrunbook import availability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by people who see colours differently (Okabe and Ito's palette).
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#f0e442", "#000000")
_FAILED = "#d55e00"
_CHARACTERS_ACROSS = 110  # of a mark's name, over the width of the axes
_STEP_POINTS = 10


@dataclass(frozen=True)
class Svg:
    """A picture that shows itself in a notebook."""

    text: str

    def _repr_svg_(self) -> str:
        return self.text


def plot_traffic(
    samples: Sequence[availability.Sample],
    marks: Sequence[availability.Mark],
    *,
    title: str,
    by: str = "region",
) -> Svg:
    """Three rows over one time axis: who served, failures a second, latency.

    Args:
        samples: in the order in which they were due; at least one.
        marks: events to draw as vertical lines.
        title: above the picture.
        by: the field to group answers by: ``region``, ``version`` or ``pod``.
    """
    from matplotlib.figure import Figure

    start = samples[0].at
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    served, failed, latency = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1.2, 1.8))
    names = list(dict.fromkeys(getattr(one, by) for one in samples if one.is_ok))
    colours = {name: _COLOURS[place % len(_COLOURS)] for place, name in enumerate(sorted(names))}
    _draw_served(served, samples, start, by, colours)
    _draw_failed(failed, samples, start)
    _draw_latency(latency, samples, start, by, colours)
    draw_marks((served, failed, latency), marks, start)
    name_marks(served, marks, start, seconds=samples[-1].at - start)
    latency.set_xlabel("seconds since the first request")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return to_svg(figure)


def plot_writes(
    samples: Sequence[availability.Sample],
    marks: Sequence[availability.Mark],
    *,
    lost: Collection[str],
) -> Svg:
    """Writes a second by what became of them, over a time axis as in :func:`plot_traffic`.

    Args:
        samples: in the order in which they were due; at least one.
        marks: events to draw as vertical lines.
        lost: ids of the confirmed ones that are missing now.
    """
    from matplotlib.figure import Figure

    start = samples[0].at
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.subplots()
    kinds = {
        "kept": (_COLOURS[2], [one for one in samples if one.created and one.created not in lost]),
        "lost": (_COLOURS[-1], [one for one in samples if one.created in lost]),
        "not confirmed": (_FAILED, [one for one in samples if not one.created]),
    }
    below = [0] * (int(samples[-1].at - start) + 1)
    for name, (colour, found) in kinds.items():
        counts = [0] * len(below)
        for one in found:
            counts[int(one.at - start)] += 1
        below = _stack(axes, counts, below, colour=colour, label=name)
    axes.set_ylabel("writes / s")
    axes.set_xlabel("seconds since the first write")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    draw_marks((axes,), marks, start)
    name_marks(axes, marks, start, seconds=samples[-1].at - start)
    return to_svg(figure)


def _stack(
    axes: "Axes", counts: Sequence[int], below: Sequence[int], *, colour: str, label: str
) -> list[int]:
    """Draw counts a second on top of those below; the new heights."""
    axes.bar(
        [second + 0.5 for second in range(len(counts))], counts, width=1.0, bottom=below,
        color=colour, label=label,
    )  # fmt: skip
    return [low + more for low, more in zip(below, counts, strict=True)]


def to_svg(figure: "Figure") -> Svg:
    """Draw; the same figure gives the same text whenever it is drawn."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return Svg(text.getvalue())


def draw_marks(rows: Iterable["Axes"], marks: Sequence[availability.Mark], start: float) -> None:
    """Draw each event as a line through all rows, which lose the frame that says nothing."""
    for axes in rows:
        axes.spines[["top", "right"]].set_visible(False)
        for mark in marks:
            axes.axvline(mark.at - start, color="#555555", linewidth=0.8, linestyle=":")


def name_marks(
    axes: "Axes", marks: Sequence[availability.Mark], start: float, *, seconds: float
) -> None:
    """Write each event above its line, a step higher where it would cover the one before.

    ``seconds``: how long the axis is.
    """
    taken: list[float] = []  # per step, the second up to which it is written on
    for mark in sorted(marks, key=lambda one: one.at):
        at = mark.at - start
        step = next((place for place, end in enumerate(taken) if end < at), len(taken))
        taken[step:] = [at + len(mark.name) * seconds / _CHARACTERS_ACROSS, *taken[step + 1 :]]
        axes.annotate(
            mark.name, (at, 1.0), xycoords=("data", "axes fraction"), fontsize=8,
            xytext=(2, 2 + step * _STEP_POINTS), textcoords="offset points",
            ha="left", va="bottom", color="#333333",
        )  # fmt: skip


def _draw_served(
    axes: "Axes",
    samples: Sequence[availability.Sample],
    start: float,
    by: str,
    colours: Mapping[str, str],
) -> None:
    """Requests a second by who answered them, stacked."""
    seconds = int(samples[-1].at - start) + 1
    below = [0] * seconds
    for name, colour in colours.items():
        counts = [0] * seconds
        for one in samples:
            if one.is_ok and getattr(one, by) == name:
                counts[int(one.at - start)] += 1
        below = _stack(axes, counts, below, colour=colour, label=name or "unknown")
    axes.set_ylabel(f"answers / s\nby {by}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)


def _draw_failed(axes: "Axes", samples: Sequence[availability.Sample], start: float) -> None:
    seconds = int(samples[-1].at - start) + 1
    counts = [0] * seconds
    for one in samples:
        if not one.is_ok:
            counts[int(one.at - start)] += 1
    axes.bar([second + 0.5 for second in range(seconds)], counts, width=1.0, color=_FAILED)
    axes.set_ylabel("failed / s")
    if not any(counts):
        axes.set_ylim(0, 1)
        axes.text(0.5, 0.45, "no request failed", transform=axes.transAxes, ha="center")


def _draw_latency(
    axes: "Axes",
    samples: Sequence[availability.Sample],
    start: float,
    by: str,
    colours: Mapping[str, str],
) -> None:
    from matplotlib import ticker

    for name, colour in colours.items():
        mine = [one for one in samples if one.is_ok and getattr(one, by) == name]
        axes.plot(
            [one.at - start for one in mine], [one.latency_seconds * 1000 for one in mine],
            ".", markersize=3, color=colour,
        )  # fmt: skip
    bad = [one for one in samples if not one.is_ok]
    axes.plot(
        [one.at - start for one in bad], [one.latency_seconds * 1000 for one in bad],
        "x", markersize=4, color=_FAILED,
    )  # fmt: skip
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_ylabel("latency, ms")

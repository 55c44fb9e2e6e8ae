"""The picture of a drill: well-formed, with its events and both regions in it."""

from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure

from azrunbook import availability, plots


def samples(*, fails):
    """Ten seconds at 10 requests a second; the first half by eastus, then westus2."""
    return [
        availability.Sample(
            at=1000 + number / 10,
            latency_seconds=0.01,
            status=503 if fails and 40 <= number < 60 else 200,
            region="eastus" if number < 50 else "westus2",
        )
        for number in range(100)
    ]


@pytest.mark.parametrize("fails", [True, False])
def test_a_picture_names_events_and_regions(fails):
    """Labels are drawn as shapes, each with its text in a comment."""
    marks = [availability.Mark(1004, "stop cluster"), availability.Mark(1004.2, "stopped")]
    picture = plots.plot_traffic(samples(fails=fails), marks, title="Failover")
    for text in ("stop cluster", "stopped", "eastus", "westus2", "Failover", "latency, ms"):
        assert f"<!-- {text} -->" in picture._repr_svg_()
    assert ("no request failed" in picture.text) is not fails


def test_a_picture_of_writes_tells_what_became_of_them():
    """Kept, lost and not confirmed, each by its name."""
    written = [
        availability.Sample(1000 + number, 0.01, 201, created=str(number)) for number in range(4)
    ]
    written.append(availability.Sample(1004, 3.0, 503))
    marks = [availability.Mark(1002, "promotion asked for")]
    picture = plots.plot_writes(written, marks, lost={"3"})
    for text in ("kept", "lost", "not confirmed", "promotion asked for", "writes / s"):
        assert f"<!-- {text} -->" in picture.text


def test_a_picture_stands_alone():
    """Well-formed, and the same for the same samples, so that a report can be compared."""
    text = plots.plot_traffic(samples(fails=True), [], title="Failover").text
    assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own text
    assert 'href="http' not in text


def test_names_of_close_events_do_not_cover_each_other():
    """The second one stands a step higher; a later one is low again."""
    names = [(1001, "first of three"), (1001.5, "second"), (1008, "third")]
    marks = [availability.Mark(at, name) for at, name in names]
    axes = Figure().subplots()
    plots.name_marks(axes, marks, 1000, seconds=10)
    low, high, again = (one.xyann[1] for one in axes.texts)
    assert low == again < high

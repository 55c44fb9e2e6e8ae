"""x of the last n samples."""

import pytest

from azrunbook.sandbox.edge import config, health


def windowed(sample_size, required, results):
    """Record results ('g' good, 'b' bad); the health after each."""
    window = health.Window(config.Balancing(sample_size, required, 0))
    states = ""
    for result in results:
        window.record(health.Sample("200" if result == "g" else "503", 0.01, result == "g"))
        states += "+" if window.is_healthy else "-"
    return states


@pytest.mark.parametrize(
    ("sample_size", "required", "results", "states"),
    [
        (4, 3, "ggg", "--+"),
        (4, 3, "ggggb", "--+++"),
        (4, 3, "ggggbb", "--+++-"),
        (4, 3, "ggggbbbbggg", "--+++-----+"),
        (4, 3, "gbgbgbgb", "--------"),
        (1, 1, "gbgb", "+-+-"),
        (2, 2, "ggbgg", "-+--+"),
        (16, 3, "ggg" + "g" * 13 + "b" * 14, "--+" + "+" * 13 + "+" * 13 + "-"),
        (2, 5, "ggb", "-+-"),  # more required than remembered: all of them
        (4, 0, "bb", "++"),  # none required
        (0, 0, "b", "+"),
    ],
)
def test_health_is_x_of_the_last_n(sample_size, required, results, states):
    """Healthy by the xth good sample, unhealthy by the (n - x + 1)th bad one."""
    assert windowed(sample_size, required, results) == states


def test_a_change_is_told_once():
    """`record` says whether the origin's health changed."""
    window = health.Window(config.Balancing(2, 1, 0))
    good, bad = health.Sample("200", 0.1, True), health.Sample("500", 0.1, False)
    assert [window.record(one) for one in (bad, good, good, bad, bad)] == [
        *(False, True, False, False, True)
    ]


def test_latency_is_the_mean_of_the_good_samples():
    """A timeout says nothing about distance."""
    window = health.Window(config.Balancing(4, 1, 0))
    assert window.latency_seconds is None
    for seconds, good in ((0.1, True), (5.0, False), (0.3, True)):
        window.record(health.Sample("", seconds, good))
    assert window.latency_seconds == pytest.approx(0.2)

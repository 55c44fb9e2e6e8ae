"""Samples in, figures out: what users saw, known to one interval."""

import pytest

from azrunbook import availability


def series(pattern, *, interval=0.1):
    """One sample per character: e and w are good answers of two regions, x fails."""
    regions = {"e": "eastus", "w": "westus2"}
    return [
        availability.Sample(
            at=1000 + place * interval,
            latency_seconds=0.01,
            status=200 if mark in regions else 503,
            region=regions.get(mark, ""),
        )
        for place, mark in enumerate(pattern)
    ]


@pytest.mark.parametrize(
    ("pattern", "percent"),
    [("eeee", 100.0), ("exex", 50.0), ("xxxx", 0.0), ("", 0.0)],  # no evidence is no availability
)
def test_availability_is_the_share_of_good_answers(pattern, percent):
    """Counted over requests that were due."""
    assert availability.availability_percent(series(pattern)) == percent


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("eeee", []),
        ("exxw", [(0.1, 0.3, 2)]),
        ("xexw", [(0.0, 0.1, 1), (0.2, 0.3, 1)]),
        ("eexx", [(0.2, 0.3, 2)]),  # never ended: up to the last request
    ],
)
def test_down_periods_run_from_first_failure_to_next_good_answer(pattern, expected):
    """Each period has its start, its end and its failures."""
    found = availability.list_down_periods(series(pattern))
    assert [
        (round(one.started_at - 1000, 1), round(one.ended_at - 1000, 1), one.failures)
        for one in found
    ] == expected


def test_recovery_counts_from_the_first_failure_to_the_last():
    """A single good answer in between is detection, not recovery."""
    found = availability.find_recovery(series("eeexxxwxxwww"))
    assert found is not None
    assert round(found.detect_seconds, 1) == 0.3
    assert round(found.recover_seconds, 1) == 0.6
    assert found.served_by == {"westus2"}


@pytest.mark.parametrize("pattern", ["", "eeee", "eexx", "xxxx"])
def test_no_recovery_without_an_outage_that_ended(pattern):
    """Nothing failed, or nothing came back: there is no figure to give."""
    assert availability.find_recovery(series(pattern)) is None


def test_summary_says_its_resolution_and_who_served():
    """Figures come with what they are worth."""
    found = availability.summarize(series("eexw"), rate_per_second=10)
    assert found["resolution_seconds"] == 0.1
    assert found["failed"] == 1
    assert found["served_by"] == {"eastus": 2, "westus2": 1}
    assert found["errors"] == {"HTTP 503": 1}


@pytest.mark.parametrize(("percent", "expected"), [(50, 3), (95, 5), (0, 1)])
def test_percentile_is_nearest_rank(percent, expected):
    """Of five values, the third is the median."""
    assert availability.percentile([5, 1, 4, 2, 3], percent) == expected


def test_percentile_of_nothing_is_zero():
    """An empty drill has no latency."""
    assert availability.percentile([], 50) == 0

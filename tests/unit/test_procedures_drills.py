"""How a drill judges what users saw: samples in, checks out."""

import pytest

from azrunbook import availability
from azrunbook.procedures import drills, regions

RATE = 4


def samples(text, *, since=100.0):
    """One request per letter: E and W are regions that answer, x is a failure."""
    places = {"E": "eastus", "W": "westus2"}
    return [
        availability.Sample(
            at=since + number / RATE,
            latency_seconds=0.01,
            status=200 if letter in places else 503,
            region=places.get(letter, ""),
            version="1.0.0" if letter in places else "",
        )
        for number, letter in enumerate(text)
    ]


def seen(text):
    return drills.Observation(samples(text), (), rate_per_second=RATE, title="a drill")


@pytest.mark.parametrize(
    ("text", "expected", "passed"),
    [
        ("EEEEWWWW", {"westus2"}, True),
        ("EEEEWWWE", {"westus2"}, False),
        ("EEEEWWWE", {"westus2", "eastus"}, True),
        ("EEWWWWxx", {"westus2"}, True),
        ("xxxx", {"westus2"}, False),
        ("", {"westus2"}, False),
    ],
)
def test_the_last_second_says_who_serves(text, expected, passed):
    """Only good answers count, and no answer is no evidence."""
    assert seen(text).check_served_by(expected).passed is passed


@pytest.mark.parametrize(
    ("text", "limit", "passed"),
    [
        ("EEEExxxxWWWW", 1.0, True),
        ("EEEExxxxWWWW", 0.9, False),
        ("EEExWxWxWWWW", 1.25, True),
        ("EEExWxWxWWWW", 1.0, False),
        ("EEEEWWWW", 9, False),
        ("EEEExxxx", 9, False),
        ("", 9, False),
    ],
)
def test_recovery_counts_from_the_first_failure_to_the_last(text, limit, passed):
    """An outage that nobody saw, or that has no end, is not a recovery."""
    assert seen(text).check_recovery(limit, "the objective").passed is passed


@pytest.mark.parametrize(
    ("text", "objective", "passed"),
    [("EEEE", 100, True), ("EEEx", 75, True), ("EEEx", 76, False), ("", 0, False)],
)
def test_availability_is_the_share_of_all_requests(text, objective, passed):
    """At the objective is enough; no request at all is not."""
    assert seen(text).check_availability(objective).passed is passed


@pytest.mark.parametrize(
    ("text", "passed"), [("ExWW", True), ("Exxx", False), ("EEEE", False), ("", False)]
)
def test_the_steady_state_counts_after_the_recovery(text, passed):
    """The outage itself does not count, and without one there is no afterwards."""
    assert seen(text).check_steady(100).passed is passed


@pytest.mark.parametrize(
    ("version", "text", "passed"),
    [("1.0.0", "xxEEEE", True), ("2.0.0", "EEEE", False), ("1.0.0", "", False)],
)
def test_the_release_that_answers_is_compared(version, text, passed):
    """Every good answer of the last second says the version, or it is not released."""
    assert seen(text).check_release(version).passed is passed


@pytest.mark.parametrize(
    ("text", "is_steady"),
    [("EEEE", True), ("WWWW", True), ("EEEW", False), ("EEEx", False), ("EEE", False)],
)
def test_steady_is_one_region_without_a_failure(text, is_steady):
    """An edge that trusts no origin uses all in turn: that is not steady."""
    assert drills._is_steady(samples(text), 4) is is_steady


@pytest.mark.parametrize(
    ("text", "is_served"),
    [("xxxxWWWW", True), ("WWWE", False), ("WWWx", False), ("", False)],
)
def test_served_by_another_needs_a_whole_second(text, is_served):
    """One lucky answer is not a recovery."""
    assert drills._is_served_by(samples(text), {"westus2"}, RATE) is is_served


def test_a_dry_run_has_no_figures_and_no_picture():
    """Nothing was measured, and it says so instead of failing."""
    nothing = seen("")
    assert nothing.as_dict() == {"requests": 0}
    assert nothing.plot() == "dry run: nothing was measured"
    assert nothing.recovery is None


def test_the_figures_say_how_finely_they_are_known():
    """Detection and recovery stand beside the resolution of one request interval."""
    shown = seen("EEEExxxxWWWW")._repr_html_()
    assert "<th>time to recover, s</th><td>1.0</td>" in shown
    assert "<th>resolution seconds</th><td>0.25</td>" in shown


@pytest.mark.parametrize(
    ("power", "is_enabled", "ready", "wanted", "is_serving"),
    [
        ("Running", True, 2, 2, True),
        ("Stopped", True, 2, 2, False),
        ("Running", False, 2, 2, False),
        ("Running", True, 1, 2, False),
        ("Running", True, 0, 0, False),
    ],
)
def test_a_region_serves_when_all_of_it_is_there(power, is_enabled, ready, wanted, is_serving):
    """And the check says what is missing."""
    facts = regions.RegionFacts(
        role="primary", location="eastus", cluster="aks", resource_group="rg", power=power,
        provisioning="Succeeded", is_origin_enabled=is_enabled, priority=1,
        replicas_ready=ready, replicas=wanted,
    )  # fmt: skip
    check = regions.check_serving(facts)
    assert facts.is_serving is check.passed is is_serving
    assert f"cluster {power}" in check.found

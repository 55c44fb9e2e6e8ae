"""Procedure 00 on a sandbox: what somebody new is shown."""

import pytest

pytestmark = pytest.mark.slow


def test_the_first_notebook_shows_the_estate_and_changes_nothing(estate):
    """The picture, the truth beside a guess, and what a drill has measured where there was one."""
    done = estate.perform("00_start_here", apply=True, guessed_resources=40)
    assert (done.error, done.verdict, done.started) == (None, "passed", [])
    resources_, outage = done.list("metric")
    facts = done.cells["facts"]
    assert (resources_["value"], resources_["predicted"]) == (len(facts.declared), 40)
    assert (outage["value"], outage["predicted"]) == (facts.detection.detect_max_seconds, None)
    assert "<svg" in facts.picture.text
    rows = next(one["rows"] for one in done.list("observation") if one["name"] == "procedures")
    assert {"00_start_here", "01_provision_estate"} <= {row["notebook"] for row in rows}
    assert all(row["predicted duration"] for row in rows)
    assert facts.drill == "no drill yet"

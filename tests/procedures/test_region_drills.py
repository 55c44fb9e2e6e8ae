"""Procedures 06 and 07 on a sandbox: refusals, the drill itself, its figures, its undo."""

import json

import pytest

from azrunbook import errors
from azrunbook.procedures import actions, region_failback, region_failover, undoing

FAIL_OVER = "06_fail_over_region"
FAIL_BACK = "07_fail_back_region"


def perform(action, clients, tell, role):
    return actions.perform(action, clients, tell, {"role": role})


@pytest.fixture
def without_secondary(clients, tell):
    """The other region is down, and comes back at the end."""
    assert perform("stop_cluster", clients, tell, "secondary") == "stopped"
    yield
    assert perform("start_cluster", clients, tell, "secondary") == "started, application ready"


def power(estate):
    return {one["location"]: one["power"] for one in estate.status()["clusters"]}


def test_a_dry_run_stops_nothing(estate):
    """The plan says what would be stopped and for how long requests would fail."""
    done = estate.perform(FAIL_OVER, apply=False)
    assert (done.verdict, done.started) == ("planned", [])
    assert "predicted 2 to 4 s" in done.plan["notes"][0]
    assert power(estate) == {"eastus": "Running", "westus2": "Running"}


def test_a_region_that_is_there_is_not_started_again(estate):
    """Failing back what serves is an empty plan."""
    done = estate.perform(FAIL_BACK, apply=False)
    assert set(done.actions) == {"no_change"}
    assert done.plan["steps"] == []


@pytest.mark.usefixtures("without_secondary")
def test_the_last_region_is_never_taken_away(estate, clients, tell):
    """The preflight refuses, and so does the plan; stopping what is stopped is fine."""
    done = estate.perform(FAIL_OVER)
    assert type(done.error).__name__ == "PreflightError"
    assert "westus2 can serve" in str(done.error)
    facts = region_failover.observe(clients, region="primary")
    with pytest.raises(errors.PlanError, match=r"no other region can serve \(westus2: Stopped\)"):
        region_failover.plan(facts)
    assert perform("stop_cluster", clients, tell, "secondary") == "was stopped"
    assert power(estate) == {"eastus": "Running", "westus2": "Stopped"}


@pytest.mark.usefixtures("without_secondary")
def test_provisioning_leaves_a_stopped_cluster_out_and_says_so(estate):
    """Nothing is asked of it and nothing fails; the plan says what is not known and what to do."""
    done = estate.perform("01_provision_estate")
    assert (done.verdict, done.started) == ("passed", []), done.error
    assert any("westus2: the cluster is stopped" in note for note in done.plan["notes"])
    (nodes,) = [one for one in done.list("check") if one["name"] == "nodes ready in westus2"]
    assert "left out: the cluster is stopped" in nodes["found"]


@pytest.mark.usefixtures("without_secondary")
def test_a_failback_needs_the_other_region(clients):
    """While traffic moves back, the other one has to carry it."""
    found = {one.name: one for one in region_failback.preflight(clients, region="primary")}
    assert not found["westus2 can serve"].passed
    assert "cluster Stopped" in found["westus2 can serve"].found
    assert found["eastus is settled"].passed


def test_starting_a_region_that_runs_waits_for_its_application_only(clients, tell):
    """The undo of a failover may run again."""
    assert perform("start_cluster", clients, tell, "primary") == "started, application ready"


def test_a_stop_that_fails_is_taken_back(estate, clients):
    """ARM ends the stop Failed: the step fails in its words, undo starts, 01 mends the state."""
    estate.inject("arm", path="*eastus*/managedClusters/*", method="stop", code="StopFailed",
                  message="not today")  # fmt: skip
    done = estate.perform(FAIL_OVER)
    done.cells["drill"]._prober.stop()  # a kernel would have ended, and its prober with it
    assert "StopFailed: not today" in str(done.error)
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert power(estate) == {"eastus": "Running", "westus2": "Running"}
    again = estate.perform("01_provision_estate")
    assert again.verdict == "passed", again.error


@pytest.mark.slow
def test_a_region_goes_and_comes_back(estate):
    """06: users notice and are served by the other. 07: nobody notices, also after a failed try."""
    gone = estate.perform(FAIL_OVER)
    assert gone.verdict == "passed", gone.error
    figures = {one["name"]: one for one in gone.list("metric")}
    assert figures["failed requests"]["value"] > 0
    assert 0 < figures["time to detect"]["value"] <= figures["time to recover"]["value"]
    assert figures["time to recover"]["predicted"] == [2.0, 4.0]
    requests = (gone.folder / "requests.jsonl").read_text().splitlines()
    assert json.loads(requests[-1])["region"] == "westus2"
    refused = estate.perform(FAIL_OVER)
    assert "eastus can serve" in str(refused.error)
    assert refused.started == []
    estate.inject("arm", path="*eastus*/managedClusters/*", method="start", code="StartFailed")
    failed = estate.perform(FAIL_BACK)
    failed.cells["drill"]._prober.stop()
    assert "StartFailed" in str(failed.error)
    back = estate.perform(FAIL_BACK)
    assert back.verdict == "passed", back.error
    figures = {one["name"]: one["value"] for one in back.list("metric")}
    assert (figures["failed requests"], figures["availability"]) == (0, 100)
    assert back.plan["steps"][0]["undo"][0]["action"] == "stop_cluster"
    assert power(estate) == {"eastus": "Running", "westus2": "Running"}

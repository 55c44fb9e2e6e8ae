"""Procedures 06 and 07 on a sandbox: refusals, the drill itself, its figures, its undo."""

import json

import pytest

from azrunbook import errors
from azrunbook.procedures import (
    actions,
    data_roles,
    provision,
    region_failback,
    region_failover,
    undoing,
)

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


def end(failed):
    """A kernel would have ended, and its prober and writer with it."""
    failed.cells["drill"]._prober.stop()
    failed.cells["writer"]._prober.stop()


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


def test_a_cluster_that_is_being_stopped_is_started_again(clients, tell):
    """Undoing a stop that was only asked for: Azure says Running until the cluster is stopped."""
    region = clients.estate.regions["secondary"]
    clients.clusters.begin_stop(region.resource_group, clients.estate.cluster.name)
    assert perform("start_cluster", clients, tell, "secondary") == "started, application ready"
    found = clients.clusters.get(region.resource_group, clients.estate.cluster.name)
    assert (found.power, found.provisioning_state) == ("Running", "Succeeded")


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
def test_a_stopped_cluster_is_left_out_of_provisioning_and_stops_a_failback(estate, clients):
    """Nothing is asked of it, the plan says so; to move traffic back, the other has to carry it."""
    done = estate.perform("01_provision_estate")
    assert (done.verdict, done.started) == ("passed", []), done.error
    assert any("westus2: the cluster is stopped" in note for note in done.plan["notes"])
    (nodes,) = [one for one in done.list("check") if one["name"] == "nodes ready in westus2"]
    assert "left out: the cluster is stopped" in nodes["found"]
    found = {one.name: one for one in region_failback.preflight(clients, region="primary")}
    assert not found["westus2 can serve"].passed
    assert "cluster Stopped" in found["westus2 can serve"].found
    assert found["eastus is settled"].passed


def test_starting_a_region_that_runs_waits_for_its_application_only(clients, tell):
    """The undo of a failover may run again."""
    assert perform("start_cluster", clients, tell, "primary") == "started, application ready"


def test_a_stop_that_fails_is_taken_back(estate, clients):
    """ARM ends the stop Failed: undo starts and brings the data back, but for what was lost."""
    estate.inject("arm", path="*eastus*/managedClusters/*", method="stop", code="StopFailed",
                  message="not today")  # fmt: skip
    done = estate.perform(FAIL_OVER, promote="forced")
    end(done)
    assert "StopFailed: not today" in str(done.error)
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert power(estate) == {"eastus": "Running", "westus2": "Running"}
    assert any("stays lost" in message for message in done.said)
    data = data_roles.observe(clients)
    assert (data.writer, data.is_linked) == ("eastus", True)
    again = estate.perform("01_provision_estate")
    assert again.verdict == "passed", again.error


def figures(done):
    return {one["name"]: one["value"] for one in done.list("metric")}


@pytest.fixture
def late_replica(estate, clients):
    """The secondary's database is a second and a half behind."""
    replica = data_roles.server_id(clients, "secondary")
    estate.inject("data_delay", id=replica, seconds=1.5)


@pytest.fixture
def without_replica(estate):
    """The other region's database and cache are down, and come back at the end."""
    estate.inject("data_loss", location="westus2")
    yield
    estate.inject("data_restore", location="westus2")


@pytest.mark.usefixtures("without_replica")
def test_data_is_not_moved_to_a_replica_that_does_not_follow(clients):
    """The preflight says so before anything is changed; who leaves the data alone may go on."""
    found = {one.name: one for one in region_failover.preflight(clients, region="primary")}
    refused = found["database replicates to westus2"]
    assert (refused.passed, refused.found) == (False, "GeoAsyncReplica, Ready, Broken")
    kept = region_failover.preflight(clients, region="primary", promote="none")
    assert all(one.passed for one in kept)


def test_a_promotion_that_is_refused_leaves_traffic_where_it_was(estate, clients):
    """The data goes first: nothing was stopped, and there is nothing to take back."""
    estate.inject("arm", path="*flexibleServers/*westus2", method="PATCH", status=409,
                  code="ReplicaNotInSync")  # fmt: skip
    done = estate.perform(FAIL_OVER)
    end(done)
    assert "ReplicaNotInSync" in str(done.error)
    assert done.started == ["promote psql-aks-multiregion-dv-westus2 (planned)"]
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert power(estate) == {"eastus": "Running", "westus2": "Running"}
    assert data_roles.observe(clients).writer == "eastus"


@pytest.mark.slow
@pytest.mark.usefixtures("late_replica")
def test_a_region_is_lost_with_its_last_writes_and_comes_back(estate, clients):
    """06, forced: users are served by the other, some writes are gone. 07: nobody notices."""
    gone = estate.perform(FAIL_OVER, promote="forced")
    assert gone.verdict == "passed", gone.error
    assert any("one-way" in note for note in gone.plan["notes"])
    found = figures(gone)
    assert found["failed requests"] > 0
    assert 0 < found["time to detect"] <= found["time to recover"]
    predicted = {one["name"]: one["predicted"] for one in gone.list("metric")}
    assert predicted["time to recover"] == [2.0, 4.0]
    assert 0 < found["lost writes"] < found["confirmed writes"]
    assert found["recovery point"] > 0
    assert predicted["recovery point"] == [0.0, pytest.approx(found["replication lag"], abs=0.01)]
    assert 0 < found["writes unavailable"] < predicted["writes unavailable"][1]
    evidence = [json.loads(line) for line in (gone.folder / "writes.jsonl").open()]
    assert sum(one["is_lost"] for one in evidence) == found["lost writes"]
    requests = (gone.folder / "requests.jsonl").read_text().splitlines()
    assert json.loads(requests[-1])["region"] == "westus2"
    data = data_roles.observe(clients)
    assert (data.writer, data.links["westus2"]) == ("westus2", "without eastus")

    planned = provision.plan(provision.observe(clients))
    changed = {one.type for one in planned.changes if one.action != "no_change"}
    assert not {one for one in changed if "PostgreSQL" in one or "Cache" in one or "Secret" in one}
    assert any("takes writes in the secondary region" in note for note in planned.notes)

    refused = estate.perform(FAIL_OVER)
    assert "eastus can serve" in str(refused.error)
    assert refused.started == []

    estate.inject("arm", path="*eastus*/managedClusters/*", method="start", code="StartFailed")
    failed = estate.perform(FAIL_BACK)
    failed.cells["drill"]._prober.stop()
    assert "StartFailed" in str(failed.error)
    data = data_roles.observe(clients)
    assert (data.writer, data.is_linked) == ("eastus", True)
    written = failed.cells["writer"].finish()
    assert (written.promote, written.loss.lost) == ("planned", 0)
    assert all(one.passed for one in written.list_checks(clients.estate.objectives))
    back = estate.perform(FAIL_BACK)
    assert back.verdict == "passed", back.error
    found = figures(back)
    assert (found["failed requests"], found["availability"]) == (0, 100)
    assert back.plan["steps"][0]["undo"][0]["action"] == "stop_cluster"
    assert power(estate) == {"eastus": "Running", "westus2": "Running"}

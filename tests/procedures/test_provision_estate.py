"""Procedure 01 on a sandbox: the plan, idempotence, refusals, faults of ARM, resuming, undo."""

import json
import re
import urllib.parse
from collections import Counter

import pytest

from azrunbook import resources
from azrunbook.procedures import actions, provision, undoing

PROCEDURE = "01_provision_estate"
PROBE_INTERVAL = "properties.healthProbeSettings.probeIntervalInSeconds"


def find_declared(clients, name):
    declared = resources.desired_resources(clients.estate, clients.subscription_id)
    return next(one for one in declared if one.name == name)


def remove_route(clients):
    """Take away one small resource that the estate declares; 01 has to put it again."""
    route = find_declared(clients, clients.estate.front_door.route)
    clients.delete(route.id, route.api_version)
    return route


def probe_slowly(estate):
    estate["front_door"]["health_probe"]["interval_seconds"] = 3


def test_the_plan_of_an_empty_subscription_creates_everything(estate):
    """Every declared resource is created by a step of its own, which knows how to undo it."""
    first = estate.first[PROCEDURE]
    assert first.verdict == "passed"
    assert first.actions == {"create": len(first.plan["changes"])}
    # One step writes the Secret of both clusters.
    assert len(first.plan["steps"]) == len(first.plan["changes"]) - 1
    undone_by = Counter(step["undo"][0]["action"] for step in first.plan["steps"])
    assert undone_by == {
        "delete_resource": len(first.plan["steps"]) - 1,
        "delete_credentials": 1,
    }


def read_credentials(clients):
    app = clients.estate.app
    return [
        clients.region(role).secrets.find(app.namespace, f"{app.release}-data").values
        for role in clients.estate.regions
    ]


def test_both_clusters_hold_the_same_database_password(clients):
    """The database by the name that follows a switchover; each region its own cache."""
    first, second = read_credentials(clients)
    assert first["DATABASE_URL"] == second["DATABASE_URL"]
    url = urllib.parse.urlsplit(first["DATABASE_URL"])
    assert url.hostname == "psql-aks-multiregion-dv.writer.postgres.database.azure.com"
    assert (url.username, url.port, url.path) == ("psqladmin", 5432, "/hello_world")
    hosts = [urllib.parse.urlsplit(one["REDIS_URL"]).hostname for one in (first, second)]
    assert hosts == [
        "redis-aks-multiregion-dv-eastus.eastus.redis.azure.net",
        "redis-aks-multiregion-dv-westus2.westus2.redis.azure.net",
    ]


def test_both_clusters_are_created_at_once(estate):
    """The second region does not wait for the first: both steps start before either is done."""
    kinds = [
        entry.kind
        for entry in estate.first[PROCEDURE].entries
        if "managedClusters" in entry.data.get("step", "")
        and entry.kind in {"step_started", "step_done"}
    ]
    assert kinds == ["step_started", "step_started", "step_done", "step_done"]


def test_the_state_of_a_long_operation_is_told(estate):
    """ARM's own word for an operation in progress reaches the record."""
    assert any("InProgress" in message for message in estate.first[PROCEDURE].said)


def test_a_second_run_changes_nothing(estate):
    """Everything is as declared: no step, and the verdict is passed."""
    done = estate.perform(PROCEDURE)
    assert (done.verdict, done.started) == ("passed", [])
    assert set(done.actions) == {"no_change"}


def test_a_dry_run_shows_the_change_and_makes_none(estate, clients):
    """The changed property is in the plan, and Azure still has the old value."""
    with estate.edited("infra/dv/estate.yaml", probe_slowly):
        done = estate.perform(PROCEDURE, apply=False)
    changed = [change for change in done.plan["changes"] if change["action"] == "update"]
    assert [change["properties"] for change in changed] == [
        [{"path": PROBE_INTERVAL, "before": 2, "after": 3}]
    ]
    assert (done.verdict, done.started) == ("planned", [])
    assert clients.front_door.get_probe_settings()[0].interval_seconds == 2


def test_an_update_is_undone_to_what_was_there_before(estate, clients):
    """Undo puts the old body back; undoing again does nothing more."""
    with estate.edited("infra/dv/estate.yaml", probe_slowly):
        done = estate.perform(PROCEDURE)
    assert done.verdict == "passed"
    assert clients.front_door.get_probe_settings()[0].interval_seconds == 3
    assert undoing.undo(done.folder, clients).verdict == "undone"
    entries = len(done.entries)
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert len(done.entries) == entries
    assert estate.perform(PROCEDURE).started == []


def test_a_created_resource_is_undone_by_deleting_it(estate, clients):
    """Undo of a run that created one resource deletes that one only; the next run puts it again."""
    route = remove_route(clients)
    done = estate.perform(PROCEDURE)
    assert done.actions == {"create": 1, "no_change": len(done.plan["changes"]) - 1}
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert clients.arm.find(route.id, route.api_version) is None
    assert len(estate.perform(PROCEDURE).started) == 1


def test_an_unknown_kubernetes_version_is_refused(estate):
    """The preflight names what is on offer, and no plan is made."""

    def ask_for_too_much(content):
        content["cluster"]["kubernetes_version"] = "1.99"

    with estate.edited("infra/dv/estate.yaml", ask_for_too_much):
        done = estate.perform(PROCEDURE)
    assert type(done.error).__name__ == "PreflightError"
    assert "1.99: not offered" in str(done.error)
    assert "choose one of 1." in str(done.error)
    assert done.list("plan") == []


def test_what_cannot_be_changed_in_place_is_not_touched(estate):
    """Another VM size means replacing the pool: the plan says so, no step does it."""

    def resize(content):
        content["node_pools"][1]["vm_size"] = "Standard_D2s_v3"

    with estate.edited("infra/dv/estate.yaml", resize):
        done = estate.perform(PROCEDURE, apply=False)
    assert done.actions["replace"] == 2
    assert done.plan["steps"] == []
    assert "refuses to replace" in done.plan["notes"][0]


@pytest.mark.parametrize(
    ("status", "code", "retry_after"),
    [
        (429, "TooManyRequests", 0.1),
        (503, "ServiceUnavailable", 0.1),
        (409, "AnotherOperationInProgress", None),
    ],
)
def test_a_refusal_that_passes_by_itself_is_survived(estate, clients, status, code, retry_after):
    """The request is repeated until it is accepted, and the record says what was waited for."""
    route = remove_route(clients)
    estate.inject(
        "arm", path=f"*{route.name}", method="PUT", status=status, code=code, times=5,
        **({"retry_after_seconds": retry_after} if retry_after else {}),
    )  # fmt: skip
    done = estate.perform(PROCEDURE)
    assert done.verdict == "passed", done.error
    assert any(f"waiting, {code}" in message for message in done.said)


@pytest.mark.parametrize("status", [429, 503])
def test_a_read_that_is_refused_for_a_moment_is_repeated(estate, status):
    """Looking at the estate is not stopped by it: a second run still changes nothing."""
    estate.inject("arm", path="*/managedClusters/*", method="GET", status=status, times=3,
                  code="Busy", retry_after_seconds=0.1)  # fmt: skip
    done = estate.perform(PROCEDURE)
    assert (done.verdict, done.started) == ("passed", []), done.error


def test_another_operation_on_the_cluster_is_waited_for(estate, clients):
    """A real operation in progress answers 409; the put goes through when it has ended."""
    group = clients.estate.primary.resource_group
    cluster = find_declared(clients, clients.estate.cluster.name)
    body = clients.arm.get(cluster.id, cluster.api_version)
    body["tags"]["owner"] = "somebody"
    other = clients.clusters.begin_create_or_update(group, cluster.name, body)
    body["tags"].pop("owner")
    told = []
    clients.put(cluster.id, cluster.api_version, body, timeout=60, progress=told.append)
    assert any("waiting, " in message for message in told), told
    assert other.done()
    assert estate.perform(PROCEDURE).started == []
    # What others have tagged is left to them, so the tag is still there.
    last = clients.clusters.begin_create_or_update(group, cluster.name, body)
    clients.clusters.wait(last, what="take the tag away", timeout=60)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, "BadRequest", "BadRequest: no such thing"),
        (401, "InvalidAuthenticationToken", "Azure refuses the credential .*Sign in again"),
        (403, "AuthorizationFailed", "AuthorizationFailed: no such thing.*Expected a role"),
    ],
)
def test_a_refusal_that_stays_fails_the_step_and_the_next_run_goes_on(
    estate, clients, status, code, said
):
    """It is not repeated: the step fails with what to do, and the next run does only it."""
    route = remove_route(clients)
    estate.inject("arm", path=f"*{route.name}", method="PUT", status=status, code=code,
                  message="no such thing")  # fmt: skip
    done = estate.perform(PROCEDURE)
    assert type(done.error).__name__ == "StepError"
    (failed,) = done.list("step_failed")
    assert re.search(said, str(done.error))
    assert re.search(said, failed["error"])
    assert route.name in failed["step"]
    assert done.verdict == "interrupted"  # a runner, which there is none here, writes the end
    assert estate.perform(PROCEDURE).started == [failed["step"]]


def test_putting_back_what_is_there_changes_nothing(clients, tell):
    """The undo of an update may run again: Azure has the same afterwards."""
    route = find_declared(clients, clients.estate.front_door.route)
    before = clients.arm.get(route.id, route.api_version)
    arguments = {"resource_id": route.id, "api_version": route.api_version, "body": before}
    for _ in range(2):
        actions.perform("restore_resource", clients, tell, arguments)
    assert clients.arm.get(route.id, route.api_version) == before


def test_deleting_what_is_gone_is_fine(clients, tell):
    """The undo of a creation may run again, also when the whole group is gone."""
    route = find_declared(clients, clients.estate.front_door.route)
    for gone in (f"{route.id}-gone", route.id.replace("rg-aks-global", "rg-gone")):
        arguments = {"resource_id": gone, "api_version": route.api_version}
        assert actions.perform("delete_resource", clients, tell, arguments) == ""


def test_a_cluster_that_fails_half_way_leaves_the_rest_for_the_next_run(bare):
    """One region's cluster ends Failed: the other is done, and the next run makes only the rest."""
    bare.inject("arm", path="*westus2*/managedClusters/*", method="create",
                code="AllocationFailed", message="no capacity")  # fmt: skip
    failed = bare.perform(PROCEDURE)
    assert "AllocationFailed: no capacity" in str(failed.error)
    done_before = str(failed.error).partition("Done before, in this group: ")[2]
    assert "managedClusters aks-multiregion-cluster [eastus]'" in done_before
    done = bare.perform(PROCEDURE)
    assert done.verdict == "passed", done.error
    assert done.list("start")[0]["resumes"] == failed.folder.name
    assert not set(done.started) & {entry["step"] for entry in failed.list("step_done")}


def test_a_disabled_region_is_removed_and_comes_back(bare):
    """Everything of it goes, the group last, and what stays works; enabled again it is made."""
    assert bare.perform(PROCEDURE).verdict == "passed"

    def disable(content):
        content["secondary_enabled"] = False

    with bare.edited("infra/dv/estate.yaml", disable):
        done = bare.perform(PROCEDURE)
        assert done.verdict == "passed", done.error
        # The credentials of the cluster that stays name the one server that is left.
        assert done.actions["delete"] > 20
        assert (done.actions.get("create", 0), done.actions["update"]) == (0, 1)
        assert done.started[-1].startswith("delete Microsoft.Resources/resourceGroups ")
        assert bare.perform(PROCEDURE).started == []
        clients = bare.clients()
        groups = clients.arm.list(f"/subscriptions/{clients.subscription_id}/resourcegroups",
                                  "2025-04-01")  # fmt: skip
        left = sorted(one["name"] for one in groups)
        assert left == ["rg-aks-global", "rg-aks-primary-eastus"]
        (held,) = read_credentials(clients)
        host = "psql-aks-multiregion-dv-eastus.postgres.database.azure.com"
        assert urllib.parse.urlsplit(held["DATABASE_URL"]).hostname == host
    assert bare.perform(PROCEDURE).verdict == "passed"


def test_a_state_that_is_not_succeeded_is_not_verified(clients):
    """While an operation runs on a cluster, the verification says which one is not there yet."""
    cluster = find_declared(clients, clients.estate.cluster.name)
    body = clients.arm.get(cluster.id, cluster.api_version)
    poller = clients.clusters.begin_create_or_update(
        clients.estate.primary.resource_group, cluster.name, body
    )
    by_name = {one.name: one for one in provision.verify(clients)}
    assert not by_name["resources provisioned"].passed
    assert cluster.name in by_name["resources provisioned"].found
    clients.clusters.wait(poller, what="the update", timeout=60)


def test_no_credential_is_in_any_record(estate):
    """Neither the client secret nor a cluster's key stands in what the runs left."""
    secret = (estate.home / "sandbox" / "client-secret").read_text()
    kubeconfigs = "".join(path.read_text() for path in (estate.home / "kube").glob("*.yaml"))
    keys = [
        line.split()[-1] for line in kubeconfigs.splitlines() if "client-key-data" in line
    ]  # fmt: skip
    record = "".join(
        path.read_text() for path in (estate.project / "reports").rglob("*") if path.is_file()
    )
    assert len(keys) == 2
    assert [one for one in (secret, *keys, json.dumps(secret)) if one in record] == []

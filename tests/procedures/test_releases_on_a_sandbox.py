"""Procedures 02 and 03 on a sandbox: idempotence, refusals, broken and half-way releases, undo."""

import json
import signal
import subprocess
import time

import psutil
import pytest

from azrunbook import binaries, errors
from azrunbook.procedures import (
    actions,
    app_release,
    drills,
    ingress_rollout,
    release_steps,
    undoing,
)
from azrunbook.resources import identity, registry

APP = {"role": "primary", "name": "hello-world", "namespace": "hello-world"}
NEXT = "1.0.1"


def break_app(values):
    values["faults"] = {"unready": True}


def find_by_name(results, start):
    return [one for one in results if one.name.startswith(start)]


@pytest.fixture
def in_short(monkeypatch):
    """A release's deadline of 20 s, of which Helm gets 6: a broken one is known soon."""
    monkeypatch.setattr(release_steps, "_TIMEOUT_SECONDS", 20)
    monkeypatch.setattr(release_steps, "_SHARE_OF_HELM", 0.3)


@pytest.fixture
def half_way(estate, clients):
    """The primary's release, left in pending-upgrade by a helm that was killed while it waited."""
    spec = next(one for one in app_release.list_specs(clients, "1.0.0") if one.role == "primary")
    region = clients.region("primary")
    command = [
        binaries.require("helm").path, "upgrade", spec.name, str(spec.chart), "--reuse-values",
        "--set", "faults.unready=true", "--wait", "--timeout", "2m", "--namespace", spec.namespace,
        "--kubeconfig", str(region.kubeconfig),
    ]  # fmt: skip
    helm = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while estate.list_revisions()[-1]["status"] != "pending-upgrade":
        assert time.monotonic() < deadline, "helm did not begin to upgrade"
        assert helm.poll() is None
    helm.send_signal(signal.SIGKILL)
    helm.wait()
    return spec


@pytest.mark.parametrize("stem", ["02_roll_out_ingress", "03_release_app"])
def test_the_first_run_releases_in_both_regions_at_once(estate, stem):
    """Both are created, and neither waits for the other."""
    first = estate.first[stem]
    releases = [one for one in first.plan["changes"] if one["type"] == "Helm release"]
    assert [one["action"] for one in releases] == ["create", "create"]
    kinds = [
        entry.kind
        for entry in first.entries
        if entry.data.get("step", "").startswith("release")
        and entry.kind in {"step_started", "step_done"}
    ]
    assert kinds == ["step_started", "step_started", "step_done", "step_done"]


def test_the_first_release_runs_the_digest_of_the_registry(estate, clients):
    """What the Deployments name is what the registry has, and the record says tag and digest."""
    digest = clients.registry.find_digest("hello-world:1.0.0")
    wanted = f"azrunbookdv.azurecr.io/hello-world:1.0.0@{digest}"
    looked = [
        one for one in estate.first["03_release_app"].list("check") if one["name"][:5] == "image"
    ]
    assert [(one["passed"], one["found"]) for one in looked] == [(True, wanted)] * 2


@pytest.mark.parametrize("stem", ["02_roll_out_ingress", "03_release_app"])
def test_a_second_run_changes_nothing(estate, stem):
    """No step, no new revision; what is there is verified all the same."""
    before = (estate.list_revisions(), estate.list_revisions("traefik"))
    done = estate.perform(stem)
    assert (done.verdict, done.started) == ("passed", []), done.error
    assert set(done.actions) == {"no_change"}
    assert (estate.list_revisions(), estate.list_revisions("traefik")) == before


def test_a_released_application_records_visits_in_the_database(clients):
    """Through Front Door: a confirmed visit is found again."""
    with clients.visits() as probe:
        visit = probe.record()
        assert visit is not None
        assert probe.list_lost([visit]) == []


def test_another_version_is_planned_as_an_update_of_its_properties(estate):
    """The image is built and both releases change exactly where the version stands.

    What runs is pinned to a digest; that of the next one is not known yet, and the plan says so.
    """
    done = estate.perform("03_release_app", apply=False, version=NEXT)
    assert (done.verdict, done.actions) == ("planned", {"create": 1, "update": 2})
    update = next(one for one in done.plan["changes"] if one["action"] == "update")
    images = [one for one in update["properties"] if one["path"].endswith("image")]
    found = [(*one["before"].split("@sha256:"), one["after"]) for one in images]
    assert [(old[-5:], len(digest), new[-5:]) for old, digest, new in found] == [
        ("1.0.0", 64, NEXT)
    ]
    assert app_release.UNKNOWN_DIGEST in done.plan["notes"]
    steps = [step for step in done.plan["steps"] if step["group"] == "release"]
    assert {json.dumps(step["undo"][0]["arguments"]["revision"]) for step in steps} <= {"1", "2"}


def test_a_release_is_taken_back_to_the_revision_before_it(estate, clients):
    """Another version is released and served; undo brings the old one back, again: nothing."""
    done = estate.perform("03_release_app", version=NEXT)
    assert done.verdict == "passed", done.error
    served = {one.version for one in done.cells["traffic"].samples[-5:]}
    assert served == {NEXT}
    assert undoing.undo(done.folder, clients).verdict == "undone"
    entries = len(done.entries)
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert len(done.entries) == entries
    assert app_release.plan(app_release.observe(clients)).is_empty


def test_a_cluster_whose_role_is_gone_pulls_again_when_it_is_back(estate, clients):
    """ImagePullBackOff with the registry's 401; 01 puts the role back, and the pod comes up."""
    region, declared = clients.estate.primary, clients.estate
    kubelet = identity.kubelet_id(declared, clients.subscription_id, region)
    role = next(
        one
        for one in identity.list_cluster_roles(declared, clients.subscription_id)
        if one.id.startswith(registry.registry_id(declared, clients.subscription_id))
        and kubelet in one.depends_on
    )
    clients.delete(role.id, role.api_version)
    where = ("--context", f"{declared.cluster.name}-{region.location}")
    image = f"{clients.registry.login_server}/hello-world:1.0.0"
    run = ("kubectl", "run", "puller", "--image", image, "--image-pull-policy=Always", *where)
    estate.shell(*run)
    state = "{.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff"
    wait = ("kubectl", "wait", "pod/puller", "--timeout=60s", *where)
    estate.shell(*wait, f"--for=jsonpath={state}")
    said = estate.shell("kubectl", "describe", "pod/puller", *where).stdout
    assert "oauth2/token?scope=repository%3Ahello-world%3Apull" in said
    assert "401 Unauthorized" in said
    healed = estate.perform("01_provision_estate")
    assert (healed.verdict, healed.actions["create"]) == ("passed", 1), healed.error
    # At once, instead of at the end of the kubelet's back-off.
    estate.shell("kubectl", "delete", "pod/puller", "--now", *where)
    estate.shell(*run)
    estate.shell(*wait, "--for=condition=Ready")
    estate.shell("kubectl", "delete", "pod/puller", "--now", *where)


def test_a_release_without_an_ingress_is_refused(estate):
    """The preflight of 03 names the region whose ingress is not there; nothing is planned."""
    estate.shell(
        "helm", "uninstall", "traefik", "--namespace", "traefik", "--wait",
        "--kube-context", "aks-multiregion-cluster-westus2",
    )  # fmt: skip
    done = estate.perform("03_release_app")
    assert type(done.error).__name__ == "PreflightError"
    assert "release traefik in westus2" in str(done.error)
    assert "release traefik in eastus" not in str(done.error)
    assert done.list("plan") == []
    again = estate.perform("02_roll_out_ingress")
    assert again.verdict == "passed", again.error
    assert again.started == ["release traefik in westus2"]


def test_a_chart_that_is_not_in_its_repository_is_refused(estate):
    """The preflight of 02 says which chart and version it looked for."""
    path = "kubernetes-config/dv/traefik.yaml"
    with estate.edited(path, lambda ingress: ingress.update(version="99.0.0")):
        done = estate.perform("02_roll_out_ingress")
    assert type(done.error).__name__ == "PreflightError"
    assert "traefik 99.0.0 in https://traefik.github.io/charts" in str(done.error)


def test_a_release_that_a_killed_helm_left_half_way_is_repaired(estate, half_way):
    """03 rolls back to what was deployed, releases again, and says so."""
    done = estate.perform("03_release_app")
    assert done.verdict == "passed", done.error
    assert done.started == ["release hello-world in eastus"]
    repaired = f"{half_way.name} was left in pending-upgrade"
    assert any(message.startswith(repaired) for message in done.said)
    assert estate.list_revisions()[-1]["status"] == "deployed"


@pytest.mark.usefixtures("half_way")
def test_a_half_way_release_is_repaired_by_the_undo_too(estate, clients, tell):
    """Undoing a killed release ends at the revision it was planned from; again: nothing."""
    deployed = [one["revision"] for one in estate.list_revisions() if one["status"] == "deployed"]
    arguments = {**APP, "revision": deployed[-1]}
    actions.perform("roll_back_release", clients, tell, arguments)
    assert any("left in pending-upgrade" in message for message in tell.told)
    assert estate.list_revisions()[-1]["status"] == "deployed"
    assert app_release.plan(app_release.observe(clients)).is_empty


@pytest.mark.usefixtures("in_short")
def test_a_broken_release_takes_itself_back_and_the_old_one_is_served(estate, clients):
    """Pods that never get ready fail the step; no request fails, and undo finds nothing to do."""
    with (
        clients.prober(drills.PATH, rate_per_second=20) as prober,
        estate.edited("app/values-dv.yaml", break_app),
    ):
        done = estate.perform("03_release_app")
    assert type(done.error).__name__ == "StepError", done.error
    assert "release hello-world in eastus" in str(done.error)
    assert any("pods ready" in message for message in done.said)
    assert [one for one in prober.samples if not one.is_ok] == []
    assert app_release.plan(app_release.observe(clients)).is_empty
    assert undoing.undo(done.folder, clients).verdict == "undone"
    assert app_release.plan(app_release.observe(clients)).is_empty


@pytest.mark.usefixtures("in_short")
def test_an_ingress_that_finds_no_room_takes_itself_back(estate, clients):
    """Pods that no node can hold fail 02; the ingress before it goes on, and 02 runs again."""

    def ask_for_too_much(ingress):
        ingress["resources"]["cpu_request"] = ingress["resources"]["cpu_limit"] = "900000m"

    with estate.edited("kubernetes-config/dv/traefik.yaml", ask_for_too_much):
        done = estate.perform("02_roll_out_ingress")
    assert type(done.error).__name__ == "StepError", done.error
    assert {one.passed for one in ingress_rollout.verify(clients)} == {True}
    again = estate.perform("02_roll_out_ingress")
    assert (again.verdict, again.started) == ("passed", []), again.error


def test_uninstalling_what_is_not_installed_is_fine(clients, tell):
    """The undo of a first release may run again."""
    arguments = {**APP, "name": "never-released"}
    for _ in range(2):
        assert actions.perform("uninstall_release", clients, tell, arguments) == "uninstalled"


def test_repairing_what_is_whole_does_nothing(estate, clients, tell):
    """A deployed release stays at its revision."""
    before = estate.list_revisions()
    assert actions.perform("repair_release", clients, tell, APP) == "nothing to repair"
    assert estate.list_revisions() == before


def test_source_that_changed_after_the_plan_is_not_built(clients, tell):
    """The image of a plan is built of the source that was planned with, or not at all."""
    arguments = {"version": "7.0.0", "source": "of another day", "builder": "registry"}
    with pytest.raises(errors.StepError, match="has changed since the plan was made"):
        actions.perform("build_image", clients, tell, arguments)


def test_an_ingress_that_is_gone_is_not_verified(clients):
    """A release by another name is missing everywhere: every check about it fails."""
    clients.ingress = clients.ingress.model_copy(update={"release": "other"})
    results = ingress_rollout.verify(clients)
    assert {one.passed for one in find_by_name(results, "release other")} == {False}
    assert {one.passed for one in find_by_name(results, "replicas of other")} == {False}
    assert {one.passed for one in find_by_name(results, "address")} == {False}

"""What the commands print and how they exit; nothing is started by wrong input."""

import os
import signal

import pytest

RUN = ("run", "01_provision_estate")
FIELDS = {"action", "type", "name", "region", "properties"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RUN, "-p", "aply=true"), "no parameter aply: expected one of env, target, apply"),
        ((*RUN, "-p", "apply=maybe"), "apply = 'maybe' is not possible: expected true or false"),
        ((*RUN, "-p", "apply"), "'apply' is not a parameter: expected NAME=VALUE"),
        ((*RUN, "-p", "env=moon"), "expected one of dv, staging, prod"),
        (("run", "06_fail_over_region", "-p", "rate_per_second=500"), "expected at most 200"),
        (("run", "06_fail_over_region", "-p", "rate_per_second=1.5"), "expected a whole number"),
        (("run", "06_fail_over_region", "-p", "region=third"), "one of primary, secondary"),
        (("run", "05_nothing"), "no notebook '05_nothing': expected one of 01_provision_estate"),
        ((*RUN, "05_nothing"), "no notebook '05_nothing'"),
        ((*RUN, "--env", "moon"), "moon"),
        ((*RUN, "--target", "nowhere.json"), "no target 'nowhere.json'"),
        ((*RUN, "--target", "azure"), "AZURE_SUBSCRIPTION_ID is not set"),
        ((*RUN, "-p", "target=nowhere.json"), "no target 'nowhere.json'"),
        ((*RUN, "-p", "client_secret=x"), "names a secret"),
        ((*RUN, "--deadline", "0"), "--deadline"),
        (("run",), "NOTEBOOK"),
        (("plan", "--env", "moon"), "moon"),
        (("plan", "--target", "nowhere.json"), "no target 'nowhere.json'"),
        (("undo", "05_nothing"), "no run '05_nothing'"),
        (("verify", "05_nothing"), "no run '05_nothing'"),
        (("estate", "show", "--env", "moon"), "moon"),
        (("sandbox", "up", "--timing", "never"), "never"),
        (("nothing",), "nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_input_starts_nothing(shell, arguments, said):
    """Exit 2, a message that says what was expected, no report and no sandbox."""
    done = shell.run(*arguments)
    assert (done.code, done.output) == (2, "")
    assert said in " ".join(done.said.split())
    assert not shell.reports.exists()
    assert not shell.home.exists()


def test_a_plan_is_data_and_leaves_no_sandbox(shell):
    """``plan --json`` prints hash and changes; the sandbox it needed is gone; no report."""
    done = shell.run("plan", "--env", "dv", "--json")
    assert done.code == 0, done.said
    found = done.json()
    assert len(found["hash"]) == 64
    assert all(change.keys() >= FIELDS for change in found["changes"])
    assert {change["action"] for change in found["changes"]} == {"create"}
    types = {change["type"] for change in found["changes"]}
    assert types >= {"Microsoft.ContainerService/managedClusters", "Microsoft.Cdn/profiles"}
    assert not shell.reports.exists()
    shell.wait_until_alone(sandbox=True)


def test_the_estate_is_data(shell):
    """``estate show --json`` prints the whole validated file."""
    found = shell.run("estate", "show", "--env", "dv", "--json").json()
    assert (found["environment"], found["primary"]["location"]) == ("dv", "eastus")
    assert found["cluster"]["name"] == "aks-multiregion-cluster"
    assert [pool["mode"] for pool in found["node_pools"]].count("System") == 1


def test_a_dry_run_plans_and_changes_nothing(shell):
    """Without apply the verdict is planned, exit 0, and a plan made afterwards is the same."""
    shell.run("sandbox", "up", "--timing", "immediate")
    before = shell.run("plan", "--json").json()
    done = shell.run("run", "01_provision_estate", "--json")
    assert (done.code, done.json()[0]["verdict"]) == (0, "planned"), done.said
    assert shell.run("plan", "--json").json() == before
    result = shell.result("01_provision_estate")
    assert (result["apply"], result["plan_hash"]) == (False, before["hash"])


def test_a_sandbox_goes_up_once_and_down_once(shell):
    """Status is exit 1 while it is down; up twice is one sandbox; down twice is fine."""
    down = shell.run("sandbox", "status", "--json")
    assert (down.code, down.json()) == (1, {"running": False})
    first = shell.run("sandbox", "up", "--json").json()
    again = shell.run("sandbox", "up", "--json").json()
    assert (first["running"], again["pid"]) == (True, first["pid"])
    found = shell.run("sandbox", "status", "--json")
    assert found.code == 0
    assert found.json().keys() >= {"pid", "ready_seconds", "endpoints", "clusters", "memory_bytes"}
    assert [shell.run("sandbox", "down").code for _ in range(2)] == [0, 0]
    assert shell.run("sandbox", "status").code == 1
    shell.wait_until_alone(sandbox=True)


def test_what_needs_a_sandbox_says_how_to_get_one(shell):
    """Kubeconfig and logs of a sandbox that is not there: exit 1, and what to do."""
    kubeconfig, logs = shell.run("sandbox", "kubeconfig"), shell.run("sandbox", "logs")
    assert (kubeconfig.code, kubeconfig.output, logs.code, logs.output) == (1, "", 1, "")
    assert "azrunbook sandbox up" in kubeconfig.said
    assert "no sandbox was started here" in logs.said


def find(findings, name):
    return next(one for one in findings if one["name"] == name)


def test_the_doctor_finds_everything_here(shell):
    """Exit 0; each finding says where and which version."""
    done = shell.run("doctor", "--json")
    found = done.json()
    assert done.code == 0
    for name in ("python", "helm", "kubectl", "traefik"):
        one = find(found, name)
        assert (one["state"], bool(one["version"]), bool(one["where"])) == ("ok", True, True)


def test_the_doctor_says_what_to_do_about_a_decision_that_leads_nowhere(shell):
    """AZRUNBOOK_HELM names a file that is not there: missing, named, exit 1."""
    nowhere = str(shell.root / "no-helm")
    done = shell.run("doctor", "--json", AZRUNBOOK_HELM=nowhere)
    one = find(done.json(), "helm")
    assert (done.code, one["state"]) == (1, "missing")
    assert nowhere in one["where"]
    assert "AZRUNBOOK_HELM" in one["advice"]


def test_the_doctor_says_how_to_get_what_a_bare_machine_lacks(shell):
    """Nothing on PATH and an empty cache: helm is missing and has a way; the wheels' tools stay."""
    empty = str(shell.root / "empty")
    done = shell.run("doctor", "--json", PATH=empty, XDG_CACHE_HOME=empty)
    helm = find(done.json(), "helm")
    assert (done.code, helm["state"], helm["where"]) == (1, "missing", "not found")
    assert "azrunbook doctor --install" in helm["advice"]
    assert find(done.json(), "terraform")["state"] == "optional"
    assert find(done.json(), "traefik")["where"].endswith("(interpreter)")


def test_a_missing_binary_fails_the_run_and_says_so(estate):
    """02 with a helm that is not there: failed, and the record names the variable."""
    done = estate.run("run", "02_roll_out_ingress", AZRUNBOOK_HELM="/nowhere/helm")
    assert (done.code, estate.result("02_roll_out_ingress")["verdict"]) == (1, "failed")
    assert "AZRUNBOOK_HELM" in str(estate.result("02_roll_out_ingress")["reasons"])


def test_a_second_undo_of_the_same_run_is_refused_while_it_is_alive(shell):
    """A run that another process holds is not undone under its feet."""
    shell.run("sandbox", "up", "--timing", "manual")
    process = shell.start("run", "01_provision_estate", "-p", "apply=true")
    shell.wait_for_entry("01_provision_estate", "step_started", run=1)
    done = shell.run("undo", "01_provision_estate")
    assert (done.code, "is alive" in done.said) == (1, True)
    process.kill()


def test_a_state_folder_that_a_killed_sandbox_left_is_used_again(shell):
    """Files of a sandbox that was killed do not keep the next one from starting."""
    first = shell.run("sandbox", "up", "--json").json()
    os.kill(first["pid"], signal.SIGKILL)
    assert shell.run("sandbox", "status").code == 1
    done = shell.run("sandbox", "up", "--json")
    assert (done.code, done.json()["pid"] == first["pid"]) == (0, False)

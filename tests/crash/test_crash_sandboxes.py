"""Runners and sandboxes that end together, or not: each test has a sandbox of its own."""

import os
import signal

import pytest
from crash_shell import assert_as_declared, assert_interrupted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROVISION = "01_provision_estate"
CLUSTER = "put Microsoft.ContainerService/managedClusters aks-multiregion-cluster"


def start_provisioning(shell):
    """Start 01 and wait until a cluster is being put."""
    process = shell.start("run", PROVISION, "-p", "apply=true")
    shell.wait_for_entry(PROVISION, "progress", run=1, step=CLUSTER)
    return process


def assert_gone(shell):
    """No process of this shell is left, and nothing that says there is a sandbox."""
    shell.wait_until_alone(sandbox=True)
    assert list(shell.home.rglob("connection.json")) == []
    assert not shell.status()["running"]


def test_provisioning_goes_on_after_a_kill_while_clusters_are_put(shell):
    """01 is killed while both clusters are being created; the next run finishes them."""
    shell.run("sandbox", "up")
    process = shell.start("run", PROVISION, "-p", "apply=true")
    for region in ("eastus", "westus2"):
        shell.wait_for_entry(PROVISION, "progress", run=1, step=f"{CLUSTER} [{region}]")
    shell.kill(process)
    assert_interrupted(shell, PROVISION)
    done = shell.apply(PROVISION)
    assert done.code == 0, done.said
    assert shell.result(PROVISION)["resumes"] == shell.find_folder(PROVISION, 0).name
    assert_as_declared(shell)


def test_ctrl_c_takes_the_runners_own_sandbox_down(shell):
    """01 is stopped while clusters are put, on a sandbox that the runner had started itself."""
    process = start_provisioning(shell)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    done = shell.finish(process)
    assert (done.code, shell.result(PROVISION)["verdict"]) == (1, "failed"), done.said
    assert "stopped: by Ctrl-C" in shell.result(PROVISION)["reasons"]
    assert shell.run("verify", PROVISION).code == 0
    assert_gone(shell)


def test_ctrl_c_between_two_notebooks_ends_it(shell):
    """Pressed while the first one, which succeeded, writes its report: the next does not start."""
    process = shell.start("run", PROVISION, "09_tear_down_estate")
    shell.wait_for_entry(PROVISION, "executed", run=1)
    os.killpg(process.pid, signal.SIGINT)
    done = shell.finish(process)
    assert (done.code, shell.result(PROVISION)["verdict"]) == (1, "planned"), done.said
    assert "planned" in done.output
    assert shell.count_runs("09_tear_down_estate") == 0
    assert_gone(shell)


def test_a_killed_runner_takes_its_own_sandbox_with_it(shell):
    """``kill -9`` leaves nobody to stop the sandbox; it ends because its owner did."""
    process = start_provisioning(shell)
    process.kill()
    process.communicate()
    shell.wait_for(lambda: not shell.list_processes(), what="nothing left", seconds=20)
    assert_gone(shell)


def test_a_run_that_is_alive_is_not_undone(shell):
    """The runner holds its run: undo from another shell exits 1 and says why."""
    shell.run("sandbox", "up", "--timing", "manual")
    process = shell.start("run", PROVISION, "-p", "apply=true")
    shell.wait_for_entry(PROVISION, "step_started", run=1)
    done = shell.run("undo", PROVISION)
    assert (done.code, "is alive" in done.said) == (1, True)
    shell.kill(process)


def test_a_folder_that_a_killed_sandbox_left_is_used_again(shell):
    """Files of a sandbox that was killed do not keep the next one from starting."""
    first = shell.run("sandbox", "up", "--json").json()
    os.kill(first["pid"], signal.SIGKILL)
    shell.wait_for(lambda: shell.run("sandbox", "status").code == 1, what="no sandbox")
    done = shell.run("sandbox", "up", "--json")
    assert (done.code, done.json()["pid"] == first["pid"]) == (0, False)
    shell.run("sandbox", "down")
    assert_gone(shell)


def test_a_dry_run_plans_and_changes_nothing(shell):
    """Without apply the verdict is planned, exit 0, and a plan made afterwards is the same."""
    shell.run("sandbox", "up", "--timing", "immediate")
    before = shell.run("plan", "--json").json()
    done = shell.run("run", PROVISION, "--json")
    assert (done.code, done.json()[0]["verdict"]) == (0, "planned"), done.said
    assert shell.run("plan", "--json").json() == before
    result = shell.result(PROVISION)
    assert (result["apply"], result["plan_hash"]) == (False, before["parts"][PROVISION])

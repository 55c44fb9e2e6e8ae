"""SIGTERM and Ctrl-C: the runner undoes what it did, says so, and leaves nothing running."""

import signal

import pytest

pytestmark = pytest.mark.slow


def read_kinds(shell, procedure):
    """What the journal tells of the end: kinds of entries, in order, without the details."""
    kept = {"step_started", "failure", "undo_started", "undo_done", "end"}
    return [entry.kind for entry in shell.read(procedure) if entry.kind in kept]


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGTERM, "step_started"), (signal.SIGINT, "step_done")]
)
def test_a_stopped_failover_starts_the_region_again(estate, number, moment):
    """06 is stopped while the region goes, and when it is gone: the runner brings it back."""
    run = estate.count_runs("06_fail_over_region") + 1
    process = estate.start("run", "06_fail_over_region", "-p", "apply=true")
    estate.wait_for_entry("06_fail_over_region", moment, run=run, step="stop ")
    process.send_signal(number)
    done = estate.finish(process)
    assert (done.code, estate.result("06_fail_over_region")["verdict"]) == (1, "undone"), done.said
    assert estate.power() == {"eastus": "Running", "westus2": "Running"}
    told = ["step_started", "failure", "undo_started", "undo_done", "end"]
    assert read_kinds(estate, "06_fail_over_region") == told
    assert estate.run("verify", "06_fail_over_region").code == 0
    estate.wait_until_alone()


def test_ctrl_c_takes_the_runners_own_sandbox_down(shell):
    """01 is stopped while clusters are put, on a sandbox that the runner had started itself."""
    process = shell.start("run", "01_provision_estate", "-p", "apply=true")
    step = "put Microsoft.ContainerService/managedClusters"
    shell.wait_for_entry("01_provision_estate", "progress", run=1, step=step)
    process.send_signal(signal.SIGINT)
    done = shell.finish(process)
    assert (done.code, shell.result("01_provision_estate")["verdict"]) == (1, "failed"), done.said
    assert "stopped: by Ctrl-C" in shell.result("01_provision_estate")["reasons"]
    assert shell.run("verify", "01_provision_estate").code == 0
    assert_gone(shell)


def test_a_killed_runner_takes_its_own_sandbox_with_it(shell):
    """``kill -9`` leaves nobody to stop the sandbox; it ends because its owner did."""
    process = shell.start("run", "01_provision_estate", "-p", "apply=true")
    step = "put Microsoft.ContainerService/managedClusters"
    shell.wait_for_entry("01_provision_estate", "progress", run=1, step=step)
    process.kill()
    process.communicate()
    shell.wait_for(lambda: not shell.list_processes(), what="nothing left", seconds=20)
    assert_gone(shell)


def assert_gone(shell):
    """No process of this shell is left, and no file that says there is a sandbox."""
    shell.wait_until_alone(sandbox=True)
    assert list(shell.home.rglob("connection.json")) == []
    assert list(shell.home.rglob("control.sock")) == []

"""``kill -9`` of the runner in the middle: nothing goes on, the journal verifies, the estate mends.

The moment is taken from the journal, so that it is the same one on every machine.
"""

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
import yaml

from azrunbook import binaries, journal
from azrunbook.procedures import records

pytestmark = pytest.mark.slow

NETWORKS = [f"put Microsoft.Network/virtualNetworks vnet-{name}" for name in ("eastus", "westus2")]
CLUSTERS = "put Microsoft.ContainerService/managedClusters aks-multiregion-cluster"


def kill(shell, process):
    """Kill the runner and see that nothing it started goes on."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    shell.wait_until_alone()


def find_helm(process):
    """Whether a helm that changes a release runs below the runner."""
    return any(
        "upgrade" in child.cmdline() and "--dry-run=server" not in child.cmdline()
        for child in psutil.Process(process.pid).children(recursive=True)
    )


def list_statuses(shell):
    """Helm's word for the application's release in every region."""
    statuses = []
    kubeconfig = shell.run("sandbox", "kubeconfig").output.strip()
    for context in yaml.safe_load(Path(kubeconfig).read_text())["contexts"]:
        command = [binaries.require("helm").path, "list", "--all-namespaces", "--output=json"]
        where = ["--kubeconfig", kubeconfig, "--kube-context", context["name"]]
        found = json.loads(subprocess.check_output([*command, *where, "--filter=hello-world"]))
        statuses += [one["status"] for one in found]
    return statuses


def assert_interrupted(shell, procedure):
    """The record stops, says so, and is unbroken."""
    folder = shell.find_folder(procedure)
    assert records.judge(journal.read(folder)).verdict == "interrupted"
    done = shell.run("verify", procedure, "--json")
    assert (done.code, done.json()["passed"]) == (0, True), done.output


def assert_as_declared(shell):
    """A plan made now changes nothing."""
    changes = shell.run("plan", "--json").json()["changes"]
    assert {change["action"] for change in changes} == {"no_change"}


def test_provisioning_goes_on_after_a_kill_while_clusters_are_put(shell):
    """01 is killed while both clusters are being created; the next run finishes them."""
    shell.run("sandbox", "up", "--timing", "manual")
    process = shell.start("run", "01_provision_estate", "-p", "apply=true")
    for network in NETWORKS:
        shell.wait_for_entry("01_provision_estate", "progress", run=1, step=network)
    shell.advance()
    for region in ("eastus", "westus2"):
        step = f"{CLUSTERS} [{region}]"
        shell.wait_for_entry("01_provision_estate", "progress", run=1, step=step)
    kill(shell, process)
    assert_interrupted(shell, "01_provision_estate")
    with shell.advancing():
        done = shell.apply("01_provision_estate")
    assert done.code == 0, done.said
    assert (
        shell.result("01_provision_estate")["resumes"]
        == shell.find_folder("01_provision_estate", 0).name
    )
    assert_as_declared(shell)


def test_a_release_killed_half_way_is_repaired_by_the_next_run(estate):
    """03 is killed while helm upgrades to another version; the next run brings the declared one."""
    run = estate.count_runs("03_release_app") + 1
    process = estate.start("run", "03_release_app", "-p", "apply=true", "-p", "version=9.9.9")
    estate.wait_for_entry("03_release_app", "step_started", run=run, step="release hello-world")
    estate.wait_for(lambda: find_helm(process), what="helm upgrade")
    kill(estate, process)
    assert_interrupted(estate, "03_release_app")
    assert "pending-upgrade" in list_statuses(estate)
    done = estate.apply("03_release_app")
    assert done.code == 0, done.said
    assert "left in pending-upgrade" in str(estate.result("03_release_app")["steps"])
    assert set(list_statuses(estate)) == {"deployed"}


def test_a_failover_is_undone_from_another_shell_after_a_kill(estate):
    """06 is killed when the region is stopped; undo starts it again and says undone."""
    run = estate.count_runs("06_fail_over_region") + 1
    process = estate.start("run", "06_fail_over_region", "-p", "apply=true")
    estate.wait_for_entry("06_fail_over_region", "step_done", run=run, step="stop ")
    kill(estate, process)
    assert_interrupted(estate, "06_fail_over_region")
    assert estate.power() == {"eastus": "Stopped", "westus2": "Running"}
    done = estate.run("undo", "06_fail_over_region")
    assert done.code == 0, done.said
    assert estate.power() == {"eastus": "Running", "westus2": "Running"}
    assert estate.result("06_fail_over_region")["verdict"] == "undone"
    assert estate.run("verify", "06_fail_over_region").code == 0
    assert_as_declared(estate)

"""The command line with a sandbox: up, plan, a run, kubeconfig, down; nothing is left running."""

import json
from pathlib import Path

import psutil


def list_processes(root):
    """Processes that have this project's state folder on their command line or as their home."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(root / ".azrunbook") in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_a_sandbox_of_ones_own_is_used_and_stays(azrunbook):
    """Up, status, plan as JSON, a dry run, kubeconfig, logs, down."""
    try:
        assert azrunbook("sandbox", "up").returncode == 0
        status = json.loads(azrunbook("sandbox", "status", "--json").stdout)
        assert status["running"]
        assert azrunbook("sandbox", "up").returncode == 0
        other = azrunbook("sandbox", "up", "--images", "simulate")
        assert "does not simulate images" in other.stderr
        plan = json.loads(azrunbook("plan", "--json").stdout)
        assert {change["action"] for change in plan["changes"]} == {"create"}
        done = azrunbook("run", "01_provision_estate", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["verdict"] == "planned"
        again = json.loads(azrunbook("sandbox", "status", "--json").stdout)
        assert again["pid"] == status["pid"]
        assert azrunbook("sandbox", "logs", "-n", "1").returncode == 0
    finally:
        assert azrunbook("sandbox", "down").returncode == 0
    assert list_processes(azrunbook.root) == []


def test_a_run_without_a_sandbox_brings_its_own_and_takes_it_down(azrunbook):
    """The closing table names the report; afterwards nothing runs."""
    done = azrunbook("run", "01_provision_estate", "-p", "apply=true")
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout
    assert done.stdout.strip().endswith("reports/index.html")
    assert "+ put Microsoft.ContainerService/managedClusters" in done.stderr
    assert azrunbook("sandbox", "status").returncode == 1
    assert list_processes(azrunbook.root) == []


def test_undo_takes_back_what_a_run_made(azrunbook):
    """From another process, by the procedure's name: the plan is to create all of it again."""
    try:
        assert azrunbook("sandbox", "up").returncode == 0
        assert azrunbook("run", "01_provision_estate", "-p", "apply=true").returncode == 0
        path = azrunbook("sandbox", "kubeconfig", "--region", "secondary").stdout.strip()
        text = Path(path).read_text(encoding="utf-8")
        assert "current-context: aks-multiregion-cluster-westus2" in text
        assert azrunbook("sandbox", "kubeconfig", "--region", "mars").returncode == 2
        done = azrunbook("undo", "01_provision_estate")
        assert done.returncode == 0, done.stderr
        plan = json.loads(azrunbook("plan", "--json").stdout)
        assert {change["action"] for change in plan["changes"]} == {"create"}
        assert azrunbook("verify", "01_provision_estate").returncode == 0
    finally:
        azrunbook("sandbox", "down")

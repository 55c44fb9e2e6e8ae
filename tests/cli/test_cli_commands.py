"""Commands that need no target: help, exit status, JSON, completion, and errors that help."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from azrunbook import cli, journal, report
from azrunbook.cli import completion
from azrunbook.procedures import folders

COMMANDS = [
    ("doctor",), ("outputs",), ("plan",), ("run",), ("undo",), ("verify",), ("estate", "show"),
    ("sandbox", "up"), ("sandbox", "status"), ("sandbox", "kubeconfig"), ("sandbox", "logs"),
    ("sandbox", "down"), ("demo",),
]  # fmt: skip


def make_run(root, procedure="01_provision_estate"):
    folder, lock = folders.create(
        root / "reports", procedure, environment="dv", target="sandbox",
        parameters={"apply": True, "target": "sandbox"},
    )  # fmt: skip
    folders.end(folder)
    os.close(lock)
    report.write(folder)
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command):
    """What it does and how it is typed."""
    said = CliRunner().invoke(cli.app, [*command, "--help"])
    assert said.exit_code == 0
    assert "Example: " in said.output


def test_help_loads_nothing_heavy():
    """What makes a command line slow is what it imports; the time itself is the machine's."""
    code = (
        "import sys; from azrunbook import cli; from typer.testing import CliRunner; "
        "CliRunner().invoke(cli.app, ['--help']); print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"aiohttp", "azure", "kubernetes", "matplotlib", "nbformat", "pandas", "papermill"}
    assert "typer" in loaded
    assert loaded & heavy == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nope"], "no notebook 'nope': expected one of 00_start_here"),
        (["run", "01_provision_estate", "-p", "aply=true"], "has no parameter aply"),
        (["run", "01_provision_estate", "-p", "apply"], "expected NAME=VALUE"),
        (["run", "01_provision_estate", "-p", "apply=maybe"], "expected true or false"),
        (["run", "01_provision_estate", "--env", "nope"], "no environment 'nope'"),
        (["run", "06_fail_over_region", "-p", "rate_per_second=5"], "at least 20"),
        (["run", "01_provision_estate", "--deadline", "0"], "deadline"),
        (["verify", "nope"], "no run 'nope'"),
        (["undo", "nope"], "no run 'nope'"),
        (["estate", "show", "--env", "nope"], "no environment 'nope'"),
        (["nope"], "No such command"),
        (["sandbox", "up", "--timing", "never"], "timing"),
    ],
)
def test_wrong_input_exits_with_2_and_starts_nothing(azrunbook, arguments, message):
    """The message says what was expected; no run, no sandbox."""
    done = azrunbook(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (azrunbook.root / "reports").exists()
    assert not (azrunbook.root / ".azrunbook").exists()


def test_a_wrong_estate_file_is_wrong_input(azrunbook):
    """File, line, key, found, expected: before anything is started."""
    path = azrunbook.root / "infra" / "dv" / "estate.yaml"
    path.write_text(path.read_text().replace("secondary_enabled: true", "secondary_enabld: true"))
    done = azrunbook("run", "01_provision_estate")
    assert done.returncode == 2
    assert "secondary_enabld" in done.stderr
    assert not (azrunbook.root / "reports").exists()


def test_commands_outside_a_checkout_say_so(azrunbook, tmp_path):
    """The folder it expected to be in."""
    azrunbook.root = tmp_path
    done = azrunbook("estate", "show")
    assert done.returncode == 2
    assert "not inside a checkout" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["plan"], ["undo", "01_provision_estate"], ["run", "01_provision_estate"]]
)
def test_a_target_that_does_not_exist_is_wrong_input(azrunbook, arguments):
    """Exit 2, and what can be a target."""
    make_run(azrunbook.root)
    done = azrunbook(*arguments, "--target", "no-such-file.json")
    assert done.returncode == 2
    assert "azrunbook sandbox up" in done.stderr


def test_undo_without_the_sandbox_it_needs_fails(azrunbook):
    """Exit 1, and how to start one: undoing on a new sandbox would prove nothing."""
    make_run(azrunbook.root)
    done = azrunbook("undo", "01_provision_estate")
    assert done.returncode == 1
    assert "azrunbook sandbox up" in done.stderr


def test_the_estate_is_shown_and_printed_as_json(azrunbook):
    """A table for people, the whole file as data for programs."""
    assert "eastus" in azrunbook("estate", "show").stdout
    found = json.loads(azrunbook("estate", "show", "--json").stdout)
    assert found["primary"]["location"] == "eastus"


def test_doctor_says_what_was_found_where_and_what_to_do(azrunbook):
    """Every tool with state, version and place; a missing one with advice, and exit 1."""
    done = azrunbook("doctor", "--json", AZRUNBOOK_HELM="/nowhere/helm")
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert {"python", "helm", "kubectl", "traefik", "terraform", "sandbox"} <= found.keys()
    assert found["helm"]["state"] == "missing"
    assert "AZRUNBOOK_HELM" in found["helm"]["advice"]
    assert found["kubectl"]["where"]


def test_verify_shows_the_head_and_fails_on_tampering(azrunbook):
    """Exit 0 with every check passed; exit 1 after one byte of the result was changed."""
    folder = make_run(azrunbook.root)
    done = azrunbook("verify", "01_provision_estate", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["head"] == journal.read(folder)[-1].hash
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"failed"', '"passed"', 1))
    done = azrunbook("verify", "01_provision_estate")
    assert done.returncode == 1
    assert "result.json" in done.stdout


def test_status_without_a_sandbox_says_how_to_start_one(azrunbook):
    """Exit 1, and data that says the same."""
    done = azrunbook("sandbox", "status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"running": False})
    assert "azrunbook sandbox up" in azrunbook("sandbox", "status").stderr
    assert azrunbook("sandbox", "down").returncode == 0


def test_completion_knows_notebooks_environments_and_runs(azrunbook, monkeypatch):
    """What the shell offers is what there is."""
    folder = make_run(azrunbook.root)
    monkeypatch.chdir(azrunbook.root)
    assert completion.list_notebooks("01") == ["01_provision_estate"]
    assert completion.list_environments("d") == ["dv"]
    assert completion.list_runs("01") == [
        "01_provision_estate", f"01_provision_estate/{folder.name}"
    ]  # fmt: skip
    monkeypatch.chdir("/")
    assert completion.list_notebooks("") == []

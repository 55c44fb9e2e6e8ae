"""Provisioning with engine=terraform: the procedure's own functions, with stand-in providers."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from azrunbook import connect, connection, errors
from azrunbook.procedures import actions, engines, placing

pytestmark = pytest.mark.needs_terraform
ROOT = Path(__file__).parents[2]


@pytest.fixture
def clients(tmp_path, monkeypatch, stand_ins):
    """Clients of a cloud that nobody asks: only terraform's stand-ins are."""
    for folder in ("infra", "kubernetes-config"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    # Without a cache there are no credentials to write, for which clusters would be asked.
    path = tmp_path / "infra/dv/estate.yaml"
    declared = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**declared, "redis": None}))
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("AZRUNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, value in stand_ins.items():
        monkeypatch.setenv(name, value)
    # Of Azure itself nothing is named to the stand-ins, so they ask nobody.
    target = connection.Connection(
        name="elsewhere", subscription_id=stand_ins["ARM_SUBSCRIPTION_ID"]
    )
    (tmp_path / "elsewhere.json").write_text(target.model_dump_json())
    return connect.Clients(tmp_path, "dv", target)


def perform(clients, step):
    """An action of a plan with its arguments as they stand in a journal; returns what it told."""
    said = []
    progress = actions.Progress(said.append, 120)
    outcome = actions.perform(step.action, clients, progress, json.loads(json.dumps(
        dict(step.arguments))))  # fmt: skip
    return [*said, outcome]


def test_what_is_shown_is_applied_and_an_undo_takes_it_back(clients, tmp_path):
    """Plan, the one step, an empty plan, the step's undo, and everything is to be made again."""
    first = engines.plan(engines.observe(clients, "terraform"))
    (step,) = first.steps
    assert first.groups == ("terraform",)
    assert {change.action for change in first.changes} == {"create"}
    assert "secret" not in json.dumps(step.arguments)
    said = perform(clients, step)
    assert any("Creation complete" in line for line in said)

    again = engines.plan(engines.observe(clients, "terraform"))
    assert (again.is_empty, again.steps) == (True, ())
    state = (tmp_path / "infra/dv/terraform.tfstate").read_text()
    assert "azurerm_postgresql_flexible_server" in state
    assert placing.make_password()[:4] not in state

    (undo,) = step.undo
    perform(clients, undo)
    assert {c.action for c in engines.plan(engines.observe(clients, "terraform")).changes} == {
        "create"
    }


def test_a_change_that_an_undo_would_leave_is_told_before(clients, tmp_path):
    """Terraform has no way back to a value that stands in no file any more."""
    perform(clients, engines.plan(engines.observe(clients, "terraform")).steps[0])
    path = tmp_path / "infra/dv/estate.yaml"
    path.write_text(path.read_text().replace("interval_seconds: 5", "interval_seconds: 30"))
    plan = engines.plan(engines.observe(clients, "terraform"))
    assert plan.summarize().startswith("1 to update")
    assert plan.steps[0].undo == ()
    assert any("og-hello-world" in note and "does not take back" in note for note in plan.notes)


def test_an_engine_that_is_none_is_refused(clients):
    """Before anything is asked."""
    with pytest.raises(errors.ParameterError, match="expected one of arm, terraform"):
        engines.observe(clients, "pulumi")


def test_the_command_line_says_what_to_do_without_a_provider(clients, tmp_path, monkeypatch):
    """Azrunbook plan --engine terraform where no provider can be had: nothing changed, and how."""
    mirror = tmp_path / "empty"
    mirror.mkdir()
    settings = tmp_path / "cli.tfrc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}'
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    command = [sys.executable, "-c", "from azrunbook.cli import main; main()", "plan",
               "--target", "elsewhere.json", "--engine", "terraform"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be installed on this machine" in done.stderr
    assert "--engine arm" in done.stderr
    assert clients.connection.name == "elsewhere"

"""The procedures' own decisions with engine=terraform, and what they say where it cannot run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from azrunbook import connect, connection, errors, plan, terraform
from azrunbook.procedures import engines, terraform_engine, terraform_removal

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


def test_a_change_that_an_undo_would_leave_is_told_before():
    """Terraform has no way back to a value that stands in no file any more."""
    changes = (
        plan.Change("update", "azurerm_cdn_frontdoor_origin_group", "og-hello-world", "global"),
        plan.Change("create", "azurerm_subnet", "snet", "eastus", id="module.one.azurerm_subnet.s"),
    )
    saved = terraform.SavedPlan(plan.Plan("p", changes), terraform.PlanFile("f", "0" * 64))
    shown = terraform_engine.plan(terraform_engine.Facts(saved))
    assert "does not take back the changes of og-hello-world" in shown.notes[-1]
    (step,) = shown.steps
    assert step.undo[0].arguments == {"addresses": ["module.one.azurerm_subnet.s"]}


@pytest.mark.parametrize(
    ("taken_in", "steps"), [((), []), (("module.one.azurerm_subnet.s",), ["terraform apply"])]
)
def test_nothing_is_applied_for_nothing(taken_in, steps):
    """Without a change there is a step only for what the state does not know yet."""
    same = plan.Change("no_change", "azurerm_subnet", "snet", "eastus")
    file = terraform.PlanFile("f", "0" * 64)
    shown = terraform_engine.plan(
        terraform_engine.Facts(terraform.SavedPlan(plan.Plan("p", (same,)), file, taken_in))
    )
    assert shown.is_empty
    assert [(step.name, step.undo) for step in shown.steps] == [(name, ()) for name in steps]


def test_terraform_destroys_nothing_that_was_not_shown():
    """What stands outside the listed groups is listed too; what is in them is not twice."""
    groups = ["/subscriptions/s/resourceGroups/rg-a"]
    inside, outside = (
        plan.Change("delete", "azurerm_subnet", "snet", "eastus", id=f"/subscriptions/s/{one}/x")
        for one in ("resourcegroups/RG-A", "resourceGroups/rg-ab")
    )
    facts = terraform_removal.Facts((inside, outside), {"module.one": "/subscriptions/s/y"})
    assert terraform_removal.list_changes(facts, groups) == [outside]
    take_in, destroy = terraform_removal.list_steps(facts, groups)
    assert (take_in.arguments, destroy.after) == ({"imports": facts.lacking}, (take_in.name,))
    assert destroy.arguments == {"within": [*groups, outside.id]}
    assert terraform_removal.list_steps(terraform_removal.Facts((), {}), groups) == []


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

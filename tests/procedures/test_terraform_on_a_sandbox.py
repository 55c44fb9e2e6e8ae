"""The second engine on a running sandbox: each engine goes on where the other stopped.

terraform is the binary itself; its azurerm is the stand-in that talks to the sandbox's Azure
Resource Manager (tests/terraform/stand_in_arm.py).
"""

import json
import subprocess
import sys

import pytest

from azrunbook import binaries, resources, terraform
from azrunbook.procedures import engines, ingress_rollout, undoing

# A dozen starts of terraform, each with a provider: with others on the machine they take long.
pytestmark = [pytest.mark.needs_terraform, pytest.mark.timeout(600)]
TOOLS = ("helm", "kubectl")
PROVISION, TEAR_DOWN = "01_provision_estate", "09_tear_down_estate"


@pytest.fixture(autouse=True)
def providers(stand_ins, monkeypatch):
    """Where terraform finds its stand-ins; which cloud they ask is the runbook's to say."""
    for name, value in stand_ins.items():
        if name != "ARM_SUBSCRIPTION_ID":
            monkeypatch.setenv(name, value)


def plan_by(rehearsal, engine):
    """What a fresh connection's engine would change."""
    return engines.plan(engines.observe(rehearsal.clients(), engine))


def list_actions(plan):
    return {change.action for change in plan.changes}


def test_terraform_finds_nothing_to_change_after_the_other_engine(estate, clients):
    """What arm has made is taken in as it is: a note says so, and no import file stays behind."""
    plan = plan_by(estate, "terraform")
    assert list_actions(plan) == {"no_change"}, str(plan)
    assert any("are not in the state of terraform" in note for note in plan.notes)
    assert [step.name for step in plan.steps] == ["terraform apply"]
    assert not list(estate.project.rglob("azrunbook_imports.tf"))
    assert clients.terraform.list_addresses() == ()
    done = subprocess.run(
        [sys.executable, "-c", "from azrunbook.cli import main; main()", "estate", "imports"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    stated = sum(change.type.startswith("azurerm_") for change in plan.changes)
    assert done.stdout.count("import {") == stated


def test_terraform_alone_from_nothing_to_nothing(bare):
    """Interrupted, resumed, undone in part, drifted, as the other engine sees it, and all away."""
    route = bare.clients().estate.front_door.route
    bare.inject("arm", path=f"*/routes/{route}", method="PUT", status=400, code="BadRequest")
    broken = bare.perform(PROVISION, engine="terraform")
    assert "BadRequest" in str(broken.error)
    resumed = bare.perform(PROVISION, engine="terraform")
    assert (resumed.verdict, resumed.error) == ("passed", None)
    azure = [one for one in resumed.plan["changes"] if one["type"].startswith("azurerm_")]
    (made,) = [one for one in azure if one["action"] != "no_change"]
    assert made["name"] == route
    assert list_actions(plan_by(bare, "arm")) == {"no_change"}

    clients = bare.clients()
    roll_out_ingress(bare)
    assert undoing.undo(resumed.folder, clients).verdict == "undone"
    door = clients.estate.front_door
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    declared = {one.name: one for one in desired}
    group = declared[door.origin_group]
    assert clients.arm.find(declared[route].id, group.api_version) is None
    body = clients.arm.get(group.id, group.api_version)
    body["properties"]["loadBalancingSettings"]["sampleSize"] = 9
    clients.put(group.id, group.api_version, body)
    found = {c.name: c for c in plan_by(bare, "terraform").changes if c.action != "no_change"}
    assert {name: change.action for name, change in found.items() if "azurerm" in change.type} == {
        route: "create", door.origin_group: "update",
    }  # fmt: skip
    (drift,) = found[door.origin_group].properties
    assert drift.path == "load_balancing"
    assert (drift.before[0]["sample_size"], drift.after[0]["sample_size"]) == (9, 4)
    tear_down(bare, clients)


def roll_out_ingress(rehearsal):
    """kubernetes-config, by helm and kubectl behind stand-ins: 02 has nothing left to change."""
    mirrors = rehearsal.clients().connection.chart_mirrors
    path = rehearsal.project / "kubernetes-config/dv/traefik.yaml"
    for repository, mirror in mirrors.items():
        path.write_text(path.read_text().replace(repository, mirror))
    clients = rehearsal.clients()
    files = {role: str(clients.region(role).kubeconfig) for role in clients.estate.regions}
    tools = {f"STAND_IN_{one.upper()}": str(binaries.require(one).path) for one in TOOLS}
    module = terraform.Terraform(
        path.parent,
        binaries.require("terraform").path,
        data=rehearsal.root / "ingress",
        environment={**terraform.list_variables(clients.connection), **tools},
    )
    module.init()
    variables = {"kubeconfigs": json.dumps(files)}
    module.apply(module.plan("Roll out", variables=variables).file, variables=variables)
    again = module.plan("Roll out", variables=variables).plan
    assert again.is_empty, str(again)
    left = ingress_rollout.plan(ingress_rollout.observe(clients))
    assert list_actions(left) == {"no_change"}, str(left)


def tear_down(rehearsal, clients):
    """Also of what the state has lost, as after a terraform that was killed before it wrote it."""
    forgotten = next(one for one in clients.terraform.list_addresses() if "node_pool" in one)
    clients.terraform._run(("state", "rm", forgotten))
    gone = rehearsal.perform(TEAR_DOWN, confirm="dv", engine="terraform")
    assert (gone.verdict, gone.error) == ("passed", None)
    assert gone.started[:2] == ["take into terraform's state", "terraform destroy"]
    assert f"importing {forgotten}" in gone.said
    assert clients.terraform.list_addresses() == ()

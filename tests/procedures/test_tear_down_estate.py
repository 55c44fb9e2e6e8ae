"""Procedure 09 on a sandbox: asks for the name, spares what it does not know, leaves nothing."""

import psutil
import pytest

from azrunbook import resources
from azrunbook.procedures import tear_down

PROCEDURE = "09_tear_down_estate"


def list_groups(clients):
    """The environment's resource groups that exist."""
    declared = resources.desired_resources(clients.estate, clients.subscription_id)
    groups = [one for one in declared if one.type == "Microsoft.Resources/resourceGroups"]
    return [one for one in groups if clients.arm.find(one.id, one.api_version)]


@pytest.fixture
def foreign(clients):
    """A network of somebody else in the primary's group."""
    declared = resources.desired_resources(clients.estate, clients.subscription_id)
    network = next(one for one in declared if one.type == "Microsoft.Network/virtualNetworks")
    mine = f"{network.id}-of-somebody-else"
    body = {
        "location": network.region,
        "properties": {"addressSpace": {"addressPrefixes": ["10.99.0.0/16"]}},
    }
    clients.put(mine, network.api_version, body)
    yield mine
    clients.delete(mine, network.api_version)


@pytest.mark.parametrize("confirm", ["", "prod", "DV"])
def test_another_name_deletes_nothing(estate, clients, confirm):
    """The environment's name has to be written out, as it is."""
    done = estate.perform(PROCEDURE, confirm=confirm)
    assert type(done.error).__name__ == "PreflightError"
    assert "expected confirm=dv" in str(done.error)
    assert done.started == []
    assert len(list_groups(clients)) == 3


def test_a_dry_run_lists_what_would_be_deleted(estate, clients):
    """Without confirming anything, and in the order in which it would happen."""
    done = estate.perform(PROCEDURE, apply=False)
    assert (done.verdict, set(done.actions)) == ("planned", {"delete"})
    assert [step["group"] for step in done.plan["steps"]] == ["front door"] + [
        "resource groups"
    ] * 3
    assert len(list_groups(clients)) == 3


def test_a_group_with_somebody_elses_resource_is_spared(estate, clients, foreign):
    """The refusal names the resource; nothing is deleted."""
    done = estate.perform(PROCEDURE, confirm="dv")
    assert type(done.error).__name__ == "PreflightError"
    assert foreign in str(done.error)
    assert tear_down.observe(clients).undeclared == [foreign]
    assert len(list_groups(clients)) == 3


def test_a_locked_resource_keeps_everything(estate, clients):
    """The refusal names the lock; nothing is deleted, also not what is not locked."""
    lock = f"{list_groups(clients)[0].id}/providers/Microsoft.Authorization/locks/keep"
    clients.put(lock, "2020-05-01", {"properties": {"level": "CanNotDelete"}})
    try:
        done = estate.perform(PROCEDURE, confirm="dv")
    finally:
        clients.delete(lock, "2020-05-01")
    assert type(done.error).__name__ == "PreflightError"
    assert lock in str(done.error)
    assert done.started == []


def list_ingress_pods(rehearsal):
    """Processes of pods that run Traefik, whoever is their parent."""
    sandbox = psutil.Process(rehearsal.status()["pid"])
    lines = [" ".join(child.cmdline()) for child in sandbox.children(recursive=True)]
    return [line for line in lines if "traefik" in line]


def test_it_leaves_nothing_also_after_a_failure_in_the_middle(bare):
    """A group that is not deleted fails the run; the next one deletes the rest, the third none."""
    for stem in ("01_provision_estate", "02_roll_out_ingress"):
        assert bare.perform(stem).verdict == "passed"
    assert len(list_ingress_pods(bare)) == 2
    bare.inject("arm", path="*/resourcegroups/rg-aks-global", method="delete", code="Conflict",
                message="a lock holds it")  # fmt: skip
    failed = bare.perform(PROCEDURE, confirm="dv")
    assert "Conflict: a lock holds it" in str(failed.error)
    done = bare.perform(PROCEDURE, confirm="dv")
    assert (done.verdict, len(done.plan["steps"])) == ("passed", 1), done.error
    assert list_groups(bare.clients()) == []
    assert (bare.status()["clusters"], list_ingress_pods(bare)) == ([], [])
    assert "contexts: []" in (bare.home / "sandbox" / "kubeconfig").read_text()
    again = bare.perform(PROCEDURE, confirm="dv")
    assert (again.verdict, again.plan["changes"]) == ("passed", [])

"""The real terraform binary on modules of its built-in resource: plan, apply, outputs, failures."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from azrunbook import connection, errors, secrets, terraform, wait

pytestmark = pytest.mark.needs_terraform

TWO = """
resource "terraform_data" "network" {
  input = { name = "vnet", location = "eastus" }
}
resource "terraform_data" "pool" {
  for_each = toset(["one", "two"])
  input    = each.key
}
output "names" { value = [for one in terraform_data.pool : one.input] }
"""
SECRET = """
variable "password" {
  type      = string
  sensitive = true
}
resource "terraform_data" "server" { input = { login = "me", password = var.password } }
output "login" { value = "me" }
output "connection" {
  value     = { url = "psql", password = var.password, port = 5432 }
  sensitive = true
}
"""
PLANTED = "planted-terraform-password"


def actions(saved):
    return {change.id: change.action for change in saved.plan.changes}


def test_a_plan_is_applied_once_and_then_there_is_nothing_to_do(make_module, tmp_path):
    """Plan, apply of the saved file with progress, plan again; the file is gone afterwards."""
    module, said = make_module(TWO), []
    first = module.plan("Provision")
    assert first.plan.summarize() == "3 to create"
    module.apply(first.file, progress=said.append)
    assert any("Creation complete" in line for line in said)
    assert not list(tmp_path.rglob("*.tfplan"))
    assert module.plan("Provision").plan.is_empty
    assert module.outputs()["names"].value == ["one", "two"]


def test_changed_properties_are_shown_with_both_values(make_module):
    """An update lists what differs, and nothing else; what went is to be deleted."""
    module = make_module(TWO)
    module.apply(module.plan("Provision").file)
    changed = TWO.replace('"eastus"', '"westus2"').replace('["one", "two"]', '["one"]')
    saved = make_module(changed).plan("Provision")
    found = {change.name: change for change in saved.plan.changes}
    update = found["terraform_data.network"]
    shown = {one.path: (one.before, one.after) for one in update.properties}
    assert update.action == "update"
    assert shown["input.location"] == ("eastus", "westus2")
    assert "input.name" not in shown
    assert found['terraform_data.pool["two"]'].action == "delete"
    assert "outputs that change: names" in saved.plan.notes


def test_a_replacement_is_called_one(make_module):
    """What Terraform deletes and creates is neither of the two alone."""
    text = 'resource "terraform_data" "one" { triggers_replace = "%s" }'
    module = make_module(text % "first")
    module.apply(module.plan("Provision").file)
    assert list(actions(make_module(text % "second").plan("Provision")).values()) == ["replace"]


def test_destroy_removes_all_of_it(make_module):
    """Destruction is a plan too, shown before it is applied."""
    module = make_module(TWO)
    module.apply(module.plan("Provision").file)
    saved = module.plan("Tear down", destroy=True)
    assert set(actions(saved).values()) == {"delete"}
    module.apply(saved.file)
    assert module.plan("Tear down", destroy=True).plan.changes == ()


def test_only_what_is_named_is_destroyed(make_module):
    """An undo takes back what one apply created, and nothing else."""
    module = make_module(TWO)
    module.apply(module.plan("Provision").file)
    saved = module.plan("Undo", destroy=True, targets=['terraform_data.pool["one"]'])
    assert saved.plan.summarize() == "1 to delete"


def test_what_exists_is_taken_in_once(make_module, tmp_path):
    """Alone, or by a plan, which leaves no block behind, nor heeds one that a kill has left."""
    module = make_module(TWO)
    assert module.list_addresses() == ()
    one, two = ('terraform_data.pool["one"]', 'terraform_data.pool["two"]')
    module.take_in(one, "first")
    assert module.list_addresses() == (one,)
    with pytest.raises(errors.StepError, match=r"cannot take .*already managed.*Expected first"):
        module.take_in(one, "first")
    left = tmp_path / "module" / "azrunbook_imports.tf"
    left.write_text('import {\n  to = terraform_data.gone\n  id = "gone"\n}\n')
    saved = module.plan("Provision", imports={two: "second"})
    assert (saved.taken_in, left.exists()) == ((two,), False)
    module.apply(saved.file)
    assert set(module.list_addresses()) == {one, two, "terraform_data.network"}


def test_earlier_plans_are_forgotten(make_module, tmp_path):
    """Of a run that showed a plan and stopped; what it held is not kept."""
    make_module(TWO).plan("shown")
    make_module(TWO)
    assert not list(tmp_path.rglob("*.tfplan"))


def test_a_stale_plan_is_refused(make_module):
    """Two plans of one state: when one is applied the other means something else."""
    module = make_module(TWO)
    first, second = module.plan("first"), module.plan("second")
    module.apply(first.file)
    with pytest.raises(errors.PlanError, match=r"stale.*Nothing was changed"):
        module.apply(second.file)


def test_another_file_than_the_one_shown_is_refused(make_module):
    """Approval binds to a digest."""
    module = make_module(TWO)
    shown = module.plan("shown")
    other = module.plan("other", destroy=True)
    other = dataclasses.replace(shown.file, name=other.file.name)
    with pytest.raises(errors.PlanError, match="not the plan that was shown"):
        module.apply(other)
    assert set(actions(module.plan("again")).values()) == {"create"}


def test_secrets_show_nowhere_and_are_registered(make_module):
    """Neither in the plan nor in an output that is printed; what knows them scrubs them."""
    module = make_module(SECRET)
    saved = module.plan("Provision", variables={"password": PLANTED})
    assert PLANTED not in json.dumps(saved.plan.as_dict(), default=str)
    assert "(sensitive)" in json.dumps(saved.plan.as_dict(), default=str)
    module.apply(saved.file, variables={"password": PLANTED})
    found = module.outputs()
    assert found["login"].value == "me"
    assert found["connection"].value["password"] == PLANTED
    assert PLANTED not in f"{found} {found['connection']}"
    assert secrets.scrub(f"psql with {PLANTED}") == "psql with ***"


def test_a_saved_plan_is_for_its_owner_alone(make_module, tmp_path):
    """It holds every value in the clear."""
    saved = make_module(SECRET).plan("Provision", variables={"password": PLANTED})
    (path,) = tmp_path.rglob(saved.file.name)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_an_ephemeral_value_reaches_the_provider_and_no_file(make_module, tmp_path):
    """Given again at apply; it is neither in the plan nor in the state."""
    module = make_module("""
    variable "password" {
      type      = string
      ephemeral = true
    }
    resource "terraform_data" "one" {
      provisioner "local-exec" {
        command     = "printf %s \\"$GIVEN\\" > given"
        environment = { GIVEN = var.password }
      }
    }
    """)
    given = {"password": PLANTED}
    module.apply(module.plan("Provision", variables=given).file, variables=given)
    holding = {path.name for path in tmp_path.rglob("*")
               if path.is_file() and PLANTED.encode() in path.read_bytes()}  # fmt: skip
    assert holding == {"given"}


def test_a_failure_tells_what_terraform_said_and_keeps_what_was_done(make_module):
    """The part before the failure is in the state, and the next plan holds only the rest."""
    module = make_module("""
    resource "terraform_data" "first" {}
    resource "terraform_data" "second" {
      depends_on = [terraform_data.first]
      provisioner "local-exec" { command = "exit 3" }
    }
    """)
    with pytest.raises(errors.StepError, match=r"local-exec provisioner error.*exit status 3"):
        module.apply(module.plan("Provision").file)
    again = {change.name: change.action for change in module.plan("again").plan.changes}
    assert again == {"terraform_data.first": "no_change", "terraform_data.second": "replace"}


def test_a_module_that_is_wrong_is_refused_with_its_place(make_module):
    """By validate, before anything is planned; and by plan for one who did not validate."""
    module = make_module('output "x" { value = terraform_data.missing.id }')
    with pytest.raises(errors.EstateError, match=r"undeclared resource \(main.tf:1\)"):
        module.validate()
    with pytest.raises(errors.PlanError, match=r"undeclared resource.*Nothing was changed"):
        module.plan("Provision")
    make_module(TWO, name="right").validate()


def test_a_provider_that_cannot_be_had_is_told_with_what_to_do(make_module, tmp_path, monkeypatch):
    """An empty mirror stands for a machine that reaches no registry."""
    settings = tmp_path / "cli.tfrc"
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}'
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(settings))
    text = 'terraform {\n  required_providers {\n    x = { source = "azrunbook/none" }\n  }\n}'
    module = make_module(text, initialize=False)
    with pytest.raises(errors.PreflightError, match=r"cannot be installed.*--engine arm"):
        module.init()


def test_each_workspace_has_its_own_state(make_module):
    """What one target has, another one has not."""
    first = make_module(TWO, workspace="one")
    first.apply(first.plan("Provision").file)
    assert make_module(TWO, workspace="two").plan("Provision").plan.summarize() == "3 to create"


SLOW = """
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "touch begun && exec sleep 30" }
}
resource "terraform_data" "later" { depends_on = [terraform_data.slow] }
"""


class StoppedError(Exception):
    """What a stopped run throws into the one who tells."""


def test_a_stopped_run_lets_terraform_end_and_keep_its_state(make_module, tmp_path):
    """One SIGINT: what is under way ends, what is later does not begin, nothing stays locked."""
    module = make_module(SLOW)

    def tell(message):
        if "Creating" in message:
            raise StoppedError

    with pytest.raises(StoppedError):
        module.apply(module.plan("Provision").file, progress=tell)
    assert not list((tmp_path / "module").rglob(".terraform.tfstate.lock.info"))
    again = module.plan("again")
    assert "create" in actions(again).values()


def test_a_locked_state_is_told_with_who_holds_it_and_what_to_do(make_module):
    """While another one applies; nothing is forced."""
    module, told = make_module(SLOW), []

    def tell(message):
        if "Creating" in message:
            try:
                module.plan("meanwhile", patience=0)
            except errors.PlanError as refused:
                told.append(str(refused))
            raise StoppedError

    with pytest.raises(StoppedError):
        module.apply(module.plan("Provision").file, progress=tell)
    assert re.search(r"state is locked by \S+@\S+ since \d{4}-.*OperationTypeApply.*", told[0])
    assert re.search(r"wait until .* force-unlock [0-9a-f-]{36}\. Nothing was changed", told[0])


def test_a_deadline_ends_terraform(make_module):
    """And says what was last seen."""
    module = make_module(SLOW)
    with pytest.raises(errors.WaitTimeoutError) as caught:
        module.apply(module.plan("Provision").file, timeout=0.2)
    assert "asked to end" in str(caught.value)
    assert module.plan("again").plan.changes


APPLY = """
import pathlib, sys
from azrunbook import terraform
folder, binary, data = map(pathlib.Path, sys.argv[1:])
module = terraform.Terraform(folder, binary, data=data)
saved = module.plan("Provision")
try:
    module.apply(saved.file, progress=lambda line: print(line, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def run_until_creating(tmp_path, binary, end):
    """Apply the module in a process and session of its own; ``end`` it in the middle."""
    script = tmp_path / "apply.py"
    script.write_text(APPLY)
    paths = (tmp_path / "module", binary, tmp_path / "module-data")
    person = subprocess.Popen(
        [sys.executable, str(script), *map(str, paths)],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    guard = threading.Timer(60, os.killpg, (person.pid, signal.SIGKILL))
    guard.start()
    lines = []
    for line in person.stdout:
        lines.append(line.strip())
        if "slow: Creating" in line:
            wait.wait_until(
                lambda: wait.Seen(None, (tmp_path / "module" / "begun").exists(), "not begun"),
                what="the provisioner begins",
                timeout=30,
            )
            os.killpg(person.pid, end)
    guard.cancel()
    return person.wait(), lines


def test_a_persons_ctrl_c_reaches_terraform_once(make_module, tmp_path, terraform_binary):
    """SIGINT of the whole foreground group, as a terminal sends it: the state is kept."""
    module = make_module(SLOW)
    status, lines = run_until_creating(tmp_path, terraform_binary, signal.SIGINT)
    assert (status, lines[-1]) == (0, "interrupted")
    assert not list((tmp_path / "module").rglob(".terraform.tfstate.lock.info"))
    assert "replace" in actions(module.plan("again")).values()


def test_terraform_outlives_a_kill_just_long_enough(make_module, tmp_path, terraform_binary):
    """Kill -9 of all that a kernel's group holds: what was under way is in the state, not lost."""
    module = make_module(SLOW)
    status, _ = run_until_creating(tmp_path, terraform_binary, signal.SIGKILL)
    assert status == -signal.SIGKILL
    again = {change.name: change.action for change in module.plan("again").plan.changes}
    assert again == {"terraform_data.slow": "replace", "terraform_data.later": "create"}


def test_a_sandbox_is_named_to_azurerm_without_its_secret():
    """The credential goes as a path; the metadata host carries no scheme."""
    target = connection.Connection(
        name="sandbox",
        subscription_id="11111111-2222-3333-4444-555555555555",
        tenant_id="tenant",
        resource_manager="https://127.0.0.1:8443/",
        credential=connection.Credential(
            client_id="client", client_secret_file=Path("/somewhere/secret")
        ),
        ca_bundle=Path("/somewhere/ca.pem"),
    )
    assert terraform.list_variables(target) == {
        "ARM_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
        "ARM_TENANT_ID": "tenant",
        "ARM_METADATA_HOSTNAME": "127.0.0.1:8443",
        "ARM_CLIENT_ID": "client",
        "ARM_CLIENT_SECRET_FILE_PATH": "/somewhere/secret",
        "ARM_USE_CLI": "false",
        "SSL_CERT_FILE": "/somewhere/ca.pem",
    }


def test_azure_itself_needs_only_the_subscription():
    """Whoever is logged in to Azure is who Terraform is."""
    target = connection.Connection(name="azure", subscription_id="some")
    assert terraform.list_variables(target) == {"ARM_SUBSCRIPTION_ID": "some"}

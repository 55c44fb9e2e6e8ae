"""Every declared type through terraform: created, found unchanged, mended, deleted; as tabled."""

import shutil
from pathlib import Path

import pytest
import stand_in_mirror
import yaml
from test_arm_estate import make_link_services, read_all
from test_arm_resource_table import BY_HAND, FIXED, change_tag, require_columns

from azrunbook import connection, resources, terraform
from azrunbook.resources import model, terraform_addresses

# As many starts of terraform, each with a provider: with others on the machine they take long.
pytestmark = [pytest.mark.needs_terraform, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
PASSWORD = {"postgres_password": "Planted-secret-1"}
LEFT = {model.VIRTUAL_ENDPOINT}  # the modules say why
# Azure's resources that azurerm makes inside another one's.
INSIDE = {model.ZONE_GROUP, model.REPLICATION, model.MANAGED_CACHE_DATABASE, model.MAINTENANCE}


@pytest.fixture
def make_root(tmp_path, terraform_binary):
    """The root module of an estate on a lab, told where that is as the runbook tells it."""

    def make(lab, declared):
        folder = tmp_path / lab.settings.subscription_id
        shutil.copytree(ROOT / "infra", folder / "infra")
        root = folder / "infra" / declared.environment
        (root / "estate.yaml").write_text(yaml.safe_dump(declared.model_dump(mode="json")))
        secret = folder / "secret"
        secret.write_text(lab.settings.client_secret)
        target = connection.Connection(
            name="lab",
            subscription_id=lab.settings.subscription_id,
            tenant_id=lab.settings.tenant_id,
            resource_manager=lab.server.url,
            credential=connection.Credential(
                client_id=lab.settings.client_id, client_secret_file=secret
            ),
            ca_bundle=Path(lab.ca_file),
        )
        variables = terraform.list_variables(target)
        environment = {**variables, **stand_in_mirror.make(folder / "mirror")}
        return lambda workspace: terraform.Terraform(
            root, terraform_binary,
            data=folder / workspace, workspace=workspace, environment=environment,
        )  # fmt: skip

    return make


def apply(module, **options):
    """Plan and apply it; returns what was planned, by id."""
    saved = module.plan("as declared", variables=PASSWORD, **options)
    module.apply(saved.file, variables=PASSWORD)
    return {change.id.lower(): change.action for change in saved.plan.changes}


def plan_anew(module, declared, desired):
    """Plan by a state that knows nothing of what Azure has, as after the other engine's apply."""
    module.init()
    ids = {one.address: one.id for one in terraform_addresses.list_imports(declared, desired)}
    found = module.plan("as declared", variables=PASSWORD, imports=ids)
    assert len(found.taken_in) == len(ids)
    return found.plan


def change_by_hand(client, desired):
    """One resource of each type that can be changed; returns them."""
    chosen = {one.type: one for one in desired if one.type not in FIXED}
    for type_, one in chosen.items():
        body = client.get(one.id, api=one.api_version)
        BY_HAND.get(type_, change_tag)(body)
        client.put(one.id, body, api=one.api_version)
    return chosen


def owner_of(one):
    """The id of the resource of azurerm's that makes this one of Azure's."""
    return (one.id.rsplit("/", 2)[0] if one.type in INSIDE else one.id).lower()


def exercise(make_module, client, declared):
    """Do all four to everything; returns which worked, by type."""
    module = make_module("default")
    module.init()
    desired = resources.desired_resources(declared, client.lab.settings.subscription_id)
    types = {one.type for one in desired}

    def list_differing():
        found = resources.plan_changes(desired, read_all(client, desired))
        return [change for change in found if change.action != "no_change"]

    make_link_services(client, desired)
    assert set(apply(module).values()) == {"create"}
    assert list_differing() == []
    rows = {type_: {"create": "yes"} for type_ in types}
    again = [module.plan("as declared", variables=PASSWORD).plan]
    again.append(plan_anew(make_module("anew"), declared, desired))
    assert [one.is_empty for one in again] == [True, True], "\n".join(map(str, again))
    chosen = change_by_hand(client, desired)
    planned = apply(module)
    assert {id_ for id_, action in planned.items() if action != "no_change"} == {
        owner_of(one) for type_, one in chosen.items() if type_ not in LEFT
    }
    assert {change.type for change in list_differing()} == chosen.keys() & LEFT
    for type_, row in rows.items():
        row["no change"] = "yes"
        row["update"] = "fixed" if type_ in FIXED else "left" if type_ in LEFT else "yes"
        assert type_ in FIXED | LEFT or planned[owner_of(chosen[type_])] == "update"
    assert set(apply(module, destroy=True).values()) == {"delete"}
    assert client.get("/resourceGroups")["value"] == []
    return {type_: {**row, "delete": "yes"} for type_, row in rows.items()}


def test_terraforms_columns_are_true(make_lab, make_arm, make_root, whole, passive, tmp_path):
    """Applied, planned again, changed by hand, applied, destroyed: by terraform, through ARM."""
    rows = {}
    # Of the other estate only the caches are of another type.
    few = passive.model_copy(update={"postgres": None, "storage": None})
    for declared in (whole, few):
        lab = make_lab()
        rows |= exercise(make_root(lab, declared), make_arm(lab), declared)
    require_columns(rows, 4, tmp_path)

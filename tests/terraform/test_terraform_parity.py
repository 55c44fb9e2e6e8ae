"""Both engines make the same estate: the same ids, with the same properties, for every file."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import engine_parity
import pytest
import yaml

from azrunbook import estate, resources, terraform
from azrunbook.resources import terraform_addresses

pytestmark = pytest.mark.needs_terraform
ROOT = Path(__file__).parents[2]
FILES = {
    **{name: ROOT / "infra" / name / "estate.yaml" for name in estate.ENVIRONMENTS},
    "seed": ROOT / "tests" / "estates" / "seed.yaml",
}
PASSWORD = "planted-postgres-password"


def plan_estate(folder, declared, binary, stand_ins):
    """What Terraform would make of an estate file: type and values by id, parts by themselves."""
    shutil.copytree(ROOT / "infra", folder / "infra")
    root = folder / "infra" / declared["environment"]
    (root / "estate.yaml").write_text(yaml.safe_dump(declared))
    module = terraform.Terraform(root, binary, data=folder / "data", environment=stand_ins)
    module.init()
    module.validate()
    saved = module.plan("Provision", variables={"postgres_password": PASSWORD})
    shown = subprocess.run(
        [binary, f"-chdir={root}", "show", "-json", folder / "data" / "plans" / saved.file.name],
        env={**os.environ, **stand_ins, "TF_DATA_DIR": str(folder / "data" / "data")},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert PASSWORD not in shown
    with zipfile.ZipFile(folder / "data" / "plans" / saved.file.name) as kept:
        assert "tfplan" in kept.namelist()
        assert not any(PASSWORD.encode() in kept.read(name) for name in kept.namelist())
    return [
        (one["type"], {**one["change"]["after"], "address": one["address"]})
        for one in json.loads(shown)["resource_changes"]
        if one["mode"] == "managed"
    ]


@pytest.fixture(scope="module", params=[*FILES, "one region"])
def both(request, tmp_path_factory, terraform_binary, stand_ins):
    """What each engine would make of one estate file."""
    declared = yaml.safe_load(FILES.get(request.param, FILES["prod"]).read_text())
    declared["secondary_enabled"] = request.param != "one region"
    folder = tmp_path_factory.mktemp("estate")
    planned = plan_estate(folder, declared, terraform_binary, stand_ins)
    subscription = stand_ins["ARM_SUBSCRIPTION_ID"]
    whole = estate.Estate.model_validate(declared)
    desired = resources.desired_resources(whole, subscription)
    return planned, {one.id: one for one in desired}, whole


def test_both_engines_make_the_same_resources(both):
    """Ids agree to the letter; what azurerm makes inside another resource counts too."""
    planned, desired, _ = both
    whole = [(kind, one) for kind, one in planned if kind not in engine_parity.PARTS]
    ids = [one["id"] for _, one in whole]
    ids += [part for kind, one in whole for part in engine_parity.list_parts(kind, one)]
    assert sorted(ids) == sorted(desired)


def test_the_library_knows_every_address_and_the_id_it_is_imported_by(both):
    """None too few and none too many, with ids as the providers know them but for letter case."""
    planned, desired, whole = both
    known = terraform_addresses.list_imports(whole, tuple(desired.values()))
    mine = {one.address: one.id.lower() for one in known}
    assert mine == {one["address"]: import_id(kind, one).lower() for kind, one in planned}


def import_id(kind, one):
    """Of azurerm's documentation of each type: nearly always Azure's id."""
    if kind.startswith("azurerm_subnet_"):
        return one["subnet_id"]
    if kind == "azurerm_nat_gateway_public_ip_association":
        return f"{one['nat_gateway_id']}|{one['public_ip_address_id']}"
    if kind == "azurerm_managed_redis_geo_replication":
        return one["managed_redis_id"]
    if kind == "azurerm_postgresql_flexible_server_virtual_endpoint":
        return f"{one['id']}|{one['replica_server_id']}/virtualEndpoints/{one['name']}"
    return one["id"]


def test_both_engines_agree_on_every_property(both):
    """All that both can say of one resource, in azurerm's words and in Azure's."""
    planned, desired, _ = both
    found = [
        f"{one['id'].rpartition('/providers/')[2]}: {difference}"
        for kind, one in planned
        if kind not in engine_parity.PARTS
        for difference in engine_parity.list_differences(kind, one, desired[one["id"]].body)
    ]
    assert found == []


def list_pools(planned):
    for kind, one in planned:
        if kind == "azurerm_kubernetes_cluster":
            first = one["default_node_pool"][0]
            yield one["id"], {**first, "mode": "System", "node_taints": None}
        elif kind == "azurerm_kubernetes_cluster_node_pool":
            yield one["kubernetes_cluster_id"], one


def test_both_engines_make_the_same_node_pools(both):
    """In azurerm the first pool is in the cluster, each other one beside it."""
    planned, desired, _ = both
    mine = {
        (cluster, pool["name"]): (
            pool["vm_size"], pool["mode"], pool["min_count"], pool["max_count"], pool["max_pods"],
            sorted(pool["zones"] or []), pool["vnet_subnet_id"],
            pool["upgrade_settings"][0]["max_surge"],
            pool["node_count"] if pool["min_count"] is None else None,
        )
        for cluster, pool in list_pools(planned)
    }  # fmt: skip
    theirs = {
        (one.id, pool["name"]): (
            pool["vmSize"], pool["mode"], pool.get("minCount"), pool.get("maxCount"),
            pool["maxPods"], sorted(pool.get("availabilityZones", [])), pool["vnetSubnetID"],
            pool["upgradeSettings"]["maxSurge"],
            None if "minCount" in pool else pool["count"],
        )
        for one in desired.values()
        if one.type.endswith("/managedClusters")
        for pool in one.body["properties"]["agentPoolProfiles"]
    }  # fmt: skip
    assert mine == theirs


def test_both_engines_make_the_same_subnets(both):
    """In azurerm each is a resource; Azure's network all of them in its body."""
    planned, desired, _ = both
    mine = {
        one["id"]: (one["address_prefixes"], one["default_outbound_access_enabled"])
        for kind, one in planned
        if kind == "azurerm_subnet"
    }
    theirs = {
        f"{one.id}/subnets/{subnet['name']}": (
            [subnet["properties"]["addressPrefix"]],
            subnet["properties"]["defaultOutboundAccess"],
        )
        for one in desired.values()
        if one.type.endswith("/virtualNetworks")
        for subnet in one.body["properties"]["subnets"]
    }
    assert mine == theirs


def test_both_engines_let_the_same_sources_in(both):
    """The rules of the security groups."""
    planned, desired, _ = both
    mine = {
        one["id"]: sorted(
            (rule["name"], rule["priority"], rule["source_address_prefix"])
            for rule in one["security_rule"]
        )
        for kind, one in planned
        if kind == "azurerm_network_security_group"
    }
    theirs = {
        one.id: sorted(
            (
                rule["name"],
                rule["properties"]["priority"],
                rule["properties"]["sourceAddressPrefix"],
            )
            for rule in one.body["properties"]["securityRules"]
        )
        for one in desired.values()
        if one.type.endswith("/networkSecurityGroups")
    }
    assert mine == theirs

"""The estate file: what is right loads, what is wrong says where and what was expected."""

from pathlib import Path

import pytest
import yaml

from azrunbook import documents, errors, estate
from azrunbook.estate import fields

ROOT = Path(__file__).parents[2]
DV = (ROOT / "infra/dv/estate.yaml").read_text()

# One mistake each: what to replace, by what, and what the message must say.
MISTAKES = {
    "unknown key": ("project:", "projct:", "projct: found an unknown key; expected one of"),
    "missing key": ("project: aks-multiregion\n\n", "\n", "project: found nothing; expected"),
    "subnet with host bits": ("10.1.1.0/24", "10.1.1.7/24", 'node_subnet.cidr: found "10.1'),
    "subnet outside its network": ("10.1.2.0/24", "10.9.2.0/24", "snet-endpoints is not"),
    "overlapping subnets": ("10.1.2.0/24", "10.1.1.0/25", "disjoint subnets"),
    "overlapping regions": ("10.2.", "10.1.", "disjoint address ranges"),
    "pool name Azure refuses": ("memopt", "MemOpt-1", "node_pools.1.name"),
    "count is not a number": ("count: 3", "count: three", 'node_pools.0.count: found "three"'),
    "unknown mode": ("mode: User", "mode: Worker", "'System' or 'User'"),
    "system pool without nodes": ("count: 3", "count: 0", "at least 1 in a System pool"),
    "no system pool": ("mode: System", "mode: User", "at least one node pool with mode System"),
    "same pool name twice": ("cpuopt", "memopt", "different names"),
    "same location twice": ("westus2", "eastus", "two different locations"),
    "probe interval out of range": ("interval_seconds: 5", "interval_seconds: 256", "found 256"),
    "more successes than samples": ("samples: 3", "samples: 5", "at most sample_size"),
    "version that is not one": ("version: 1.0.0", "version: latest", 'app.version: found "latest"'),
    "long-term support on Standard": ("KubernetesOfficial", "AKSLongTermSupport", "tier Premium"),
    "nobody can sign in": ("local_accounts: true", "local_accounts: false", "entra with"),
    "autoscaler range upside down": (
        "System, autoscale: null",
        "System, autoscale: {min_count: 5, max_count: 3}",
        "min_count of at most",
    ),
    "count outside the autoscaler's range": (
        "System, autoscale: null",
        "System, autoscale: {min_count: 4, max_count: 5}",
        "count from 4 to 5",
    ),
    "replicas of a Basic registry": ("sku: Premium", "sku: Basic", "sku Premium with replicated"),
    "a cache too small to replicate": (
        "Balanced_B5",
        "Balanced_B1",
        'redis.sku: found "Balanced_B1"',
    ),
    "a sku of the other kind of cache": ("kind: managed", "kind: premium", "sku P1 to P5"),
    "burstable server with a replica": ("GP_Standard_D2s_v3", "B_Standard_B1ms", "postgres.sku"),
    "a login that Azure reserves": ("psqladmin", "azure_superuser", "which Azure reserves"),
    "storage name too long with its region": ("stazrdv", "stazrdvstazrdvstaz", "storage.name"),
    "private link without Premium": (
        "origin_access: public",
        "origin_access: private_link",
        "sku Premium_AzureFrontDoor",
    ),
    "data without private names": (
        "private_dns:\n  resource_group: rg-aks-global",
        "private_dns: null",
        "private_dns with postgres",
    ),
    "one group for both regions": (
        "rg-aks-secondary-westus2",
        "RG-aks-primary-eastus",
        "a resource group per region",
    ),
}


def write(tmp_path, text):
    path = tmp_path / "estate.yaml"
    path.write_text(text)
    return path


def test_dv_estate_loads():
    """The committed estate is valid and has two regions, the primary first."""
    loaded = estate.load("dv", ROOT)
    assert list(loaded.regions) == ["primary", "secondary"]
    assert loaded.regions["primary"].resource_group == "rg-aks-primary-eastus"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named_with_place_and_expectation(tmp_path, mistake):
    """Each mistake is found, and the message helps to mend it."""
    before, after, said = MISTAKES[mistake]
    assert before in DV
    count = -1 if before in {"10.2.", "westus2", "cpuopt"} else 1
    path = write(tmp_path, DV.replace(before, after, count))
    with pytest.raises(errors.EstateError) as caught:
        documents.read(estate.Estate, path)
    assert said in str(caught.value)
    assert f"{path} is wrong in" in str(caught.value)
    assert "estate.yaml:" in str(caught.value)


def test_line_number_is_the_line_of_the_key(tmp_path):
    """An editor can jump to the mistake."""
    path = write(tmp_path, DV.replace("tier: Standard", "tier: Gold"))
    line = path.read_text().splitlines().index("  tier: Gold") + 1
    with pytest.raises(errors.EstateError, match=rf"estate\.yaml:{line}: cluster\.tier"):
        documents.read(estate.Estate, path)


def test_every_mistake_is_listed_at_once(tmp_path):
    """Nobody mends one mistake to meet the next."""
    path = write(tmp_path, DV.replace("count: 3", "count: x").replace("mode: User", "mode: U"))
    with pytest.raises(errors.EstateError, match="wrong in 3 place"):
        documents.read(estate.Estate, path)


@pytest.mark.parametrize("text", ["a: [", "\x00", "- 1"])
def test_what_is_not_an_estate_at_all_is_said(tmp_path, text):
    """Broken YAML and a list where a mapping is expected are errors of the file."""
    with pytest.raises(errors.EstateError, match=r"estate\.yaml"):
        documents.read(estate.Estate, write(tmp_path, text))


@pytest.mark.parametrize("environment", estate.ENVIRONMENTS)
def test_an_estate_file_states_every_key(environment):
    """Terraform reads the same file and knows no defaults of ours."""
    path = ROOT / "infra" / environment / "estate.yaml"
    written = yaml.safe_load(path.read_text())
    assert estate.load(environment, ROOT).model_dump(mode="json") == written


def test_environments_differ_as_designed():
    """The ingress, from open and small to closed and large; the closed ones by private link."""
    found = {}
    for name in estate.ENVIRONMENTS:
        declared, ingress = estate.load(name, ROOT), estate.load_ingress(name, ROOT)
        found[name] = (ingress.replicas, ingress.log_level, ingress.service_type,
                       declared.front_door.origin_access)  # fmt: skip
    assert found == {
        "dv": (3, "INFO", "LoadBalancer", "public"),
        "staging": (5, "WARN", "LoadBalancer", "private_link"),
        "prod": (10, "ERROR", "LoadBalancer", "private_link"),
    }


def test_environments_can_be_joined():
    """No two networks of any two environments share an address, and no global name is the same."""
    loaded = [estate.load(name, ROOT) for name in estate.ENVIRONMENTS]
    spaces = [s for one in loaded for r in one.regions.values() for s in r.network.address_space]
    assert not fields.overlaps(*spaces)
    for names in (
        [one.registry.name for one in loaded],
        [one.storage.name for one in loaded],
        [one.postgres.name for one in loaded],
        [one.redis.name for one in loaded],
    ):
        assert len(set(names)) == len(loaded)


def test_the_estate_of_the_design_is_accepted():
    """AKS 1.32 with long-term support, Redis Premium and its Traefik are still an estate."""
    folder = ROOT / "tests/estates"
    seed = documents.read(estate.Estate, folder / "seed.yaml")
    ingress = documents.read(estate.Ingress, folder / "seed-traefik.yaml")
    assert (seed.cluster.kubernetes_version, seed.cluster.tier) == ("1.32", "Premium")
    assert (seed.redis.sku, seed.redis.port, seed.postgres.sku) == (
        "P1",
        6380,
        "GP_Standard_D2s_v3",
    )
    assert (ingress.version, ingress.image_tag) == ("24.0.0", "v2.11.0")


def test_missing_environment_names_the_known_ones():
    """A mistyped environment is told which there are."""
    with pytest.raises(errors.EstateError, match="dv, staging, prod"):
        estate.load("dev", ROOT)


def test_one_region_when_the_second_is_disabled(tmp_path):
    """``secondary_enabled: false`` leaves one region."""
    path = write(tmp_path, DV.replace("secondary_enabled: true", "secondary_enabled: false"))
    assert list(documents.read(estate.Estate, path).regions) == ["primary"]


@pytest.mark.parametrize("name", ["primary", "eastus"])
def test_region_is_found_by_role_or_location(name):
    """People say either."""
    assert estate.load("dv", ROOT).get_region(name)[1].location == "eastus"


def test_unknown_region_lists_the_known_ones():
    """The error answers the next question."""
    with pytest.raises(errors.NotFoundError, match=r"primary \(eastus\)"):
        estate.load("dv", ROOT).get_region("northpole")


def test_schema_for_editors_is_in_step():
    """Regenerate with: python -c "from azrunbook import estate; print(estate.json_schema())"."""
    assert (ROOT / "infra/estate.schema.json").read_text() == estate.json_schema()

"""The estate file: what is right loads, what is wrong says where and what was expected."""

from pathlib import Path

import pytest

from azrunbook import documents, errors, estate

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
}  # fmt: skip


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

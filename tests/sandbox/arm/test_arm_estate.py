"""What an estate declares is accepted whole, and nothing differs afterwards."""

from pathlib import Path

import pytest

from azrunbook import documents, estate, resources
from azrunbook.resources import references
from azrunbook.sandbox.arm import paths
from azrunbook.sandbox.arm.providers import private_links

ROOT = Path(__file__).parents[3]


FILES = {name: ROOT / "infra" / name / "estate.yaml" for name in ("dv", "staging", "prod")}
FILES["the design's own"] = ROOT / "tests/estates/seed.yaml"


@pytest.fixture(scope="module")
def declared():
    return estate.load("dv")


def make_link_services(client, desired):
    """What an ingress brings along: the private link services that origins lead to."""
    for one in desired:
        link = one.body.get("properties", {}).get("sharedPrivateLinkResource")
        if link and "/privateLinkServices/" in link["privateLink"]["id"]:
            private_links.ensure_service(
                client.lab.server.store, paths.parse(link["privateLink"]["id"]),
                location=one.region, tags={}, frontend="a1", subnet="",
            )  # fmt: skip


def put_all(client, desired):
    """Write every resource in the order its dependencies ask for."""
    make_link_services(client, desired)
    for wave in resources.list_waves(desired):
        for one in wave:
            body = references.fill_secrets(resources.create_body(one), lambda: "Planted-secret-1")
            client.put(one.id, resolve(client, body, desired), api=one.api_version)


def resolve(client, body, desired):
    """Replace what only Azure knows by asking it."""
    versions = {one.id: one.api_version for one in desired}
    return references.resolve(body, lambda id_: client.get(id_, api=versions[id_]))


def read_all(client, desired):
    return {one.id: client.get(one.id, api=one.api_version) for one in desired}


def changed(desired, actual):
    plan = resources.plan_changes(desired, actual)
    return [(c.name, c.properties) for c in plan if c.action != "no_change"]


@pytest.mark.parametrize("path", FILES.values(), ids=FILES.keys())
def test_an_estate_is_accepted_and_converges(lab, make_arm, path):
    """Every declared property is found again as declared."""
    declared = documents.read(estate.Estate, path)
    client = make_arm(lab)
    desired = resources.desired_resources(declared, lab.settings.subscription_id)
    put_all(client, desired)
    assert changed(desired, read_all(client, desired)) == []


def test_what_was_read_can_be_written_back(lab, make_arm, declared):
    """A PUT of a GET laid over with what is declared changes nothing, read-only fields included."""
    client = make_arm(lab)
    desired = resources.desired_resources(declared, lab.settings.subscription_id)
    put_all(client, desired)
    before = read_all(client, desired)
    for one in desired:
        body = resources.merge_body(resolve(client, one.body, desired), before[one.id])
        client.put(one.id, body, api=one.api_version)
    after = read_all(client, desired)
    assert {id_: _plain(body) for id_, body in after.items()} == {
        id_: _plain(body) for id_, body in before.items()
    }


def test_deleting_the_groups_leaves_nothing(lab, make_arm, declared):
    """Three groups hold the whole estate."""
    client = make_arm(lab)
    desired = resources.desired_resources(declared, lab.settings.subscription_id)
    put_all(client, desired)
    for group in client.get("/resourceGroups")["value"]:
        client.delete(group["id"])
    assert client.get("/resources")["value"] == []
    assert [verb for verb, _ in lab.clusters.calls].count("delete") == 2


def _plain(value):
    """A document without its version tags."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k.lower() != "etag"}
    return [_plain(item) for item in value] if isinstance(value, list) else value

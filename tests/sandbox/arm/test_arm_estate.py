"""What an estate declares is accepted whole, and nothing differs afterwards."""

import pytest

from azrunbook import estate, resources


@pytest.fixture(scope="module")
def declared():
    return estate.load("dv")


def put_all(client, desired):
    """Write every resource in the order its dependencies ask for."""
    for wave in resources.list_waves(desired):
        for one in wave:
            client.put(one.id, dict(one.body), api=one.api_version)


def read_all(client, desired):
    return {one.id: client.get(one.id, api=one.api_version) for one in desired}


def changed(desired, actual):
    plan = resources.plan_changes(desired, actual)
    return [(c.name, c.properties) for c in plan if c.action != "no_change"]


def test_an_estate_is_accepted_and_converges(lab, make_arm, declared):
    """Every declared property is found again as declared."""
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
        body = resources.merge_body(dict(one.body), before[one.id])
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

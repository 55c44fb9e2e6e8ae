"""Outputs of a provisioned estate, read from an emulated Azure by the real clients."""

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from azrunbook import errors, estate, outputs, resources, secrets
from azrunbook.resources import references

PREMIUM = {"kind": "premium", "sku": "P1"}


@pytest.fixture(scope="module")
def declared():
    """The dv estate with its data services."""
    return estate.load("dv", Path(__file__).parents[2])


def put_all(azure, declared):
    """The whole estate, along its waves, and what is then read of it."""
    desired = resources.desired_resources(declared, azure.subscription)
    versions = {one.id: one.api_version for one in desired}
    for one in desired:
        body = resources.create_body(one)
        body = references.resolve(body, lambda id_: azure.arm.get(id_, versions[id_]))
        body = references.fill_secrets(body, lambda: "Planted-password-1")
        poller = azure.arm.begin_put(one.id, one.api_version, body)
        azure.arm.wait(poller, what=f"put {one.name}", timeout=20)
    return outputs.read(azure.arm, declared, azure.subscription)


def with_redis(declared, **redis):
    return declared.model_copy(update={"redis": declared.redis.model_copy(update=redis)})


def test_every_region_has_its_own_names_and_the_writers_name_in_common(azure, declared):
    """As Azure spells them, not as they could be guessed."""
    found = put_all(azure, declared)
    first, second = found.regions.values()
    writer = "psql-aks-multiregion-dv.writer.postgres.database.azure.com"
    assert (first.database.host, second.database.host) == (writer, writer)
    assert second.database.server == "psql-aks-multiregion-dv-westus2.postgres.database.azure.com"
    assert second.cache.host == "redis-aks-multiregion-dv-westus2.westus2.redis.azure.net"
    assert (first.cache.port, first.blob_url) == (
        10000,
        "https://stazrdveastus.blob.core.windows.net/",
    )
    assert first.cluster_host != second.cluster_host
    assert found.public_host.endswith(".azurefd.net")


def test_of_linked_caches_both_regions_use_the_one_that_takes_writes(azure, declared):
    """A linked Premium cache of the secondary is read-only."""
    found = put_all(azure, with_redis(declared, **PREMIUM))
    assert [one.cache.host for one in found.regions.values()] == [
        "redis-aks-multiregion-dv-eastus.redis.cache.windows.net"
    ] * 2
    assert {one.cache.port for one in found.regions.values()} == {6380}


def test_no_secret_is_shown_by_accident(azure, declared):
    """Not by repr, str, format, JSON or a table; asked for, it is the key that Azure has."""
    found = put_all(azure, declared)
    cache = found.regions["primary"].cache
    key = cache.key.reveal()
    shown = f"{found!r} {found} {found.as_dict()} {json.dumps(cache, default=str)} {cache.url}"
    assert key not in shown
    assert secrets.scrub(f"the key is {key}") == f"the key is {secrets.MASK}"
    assert unquote(urlsplit(found.get("primary.redis_url").reveal()).password) == key
    assert found.as_dict()["primary.redis_url"] == secrets.MASK


def test_a_url_verifies_the_server_and_survives_any_password():
    """Quoted, because a generated password may hold what separates the parts of a URL."""
    database = outputs.Database("writer.example", "", "shop", "admin")
    url = urlsplit(database.make_url("p@ss:w/rd?").reveal())
    assert (unquote(url.password), url.hostname, url.path) == (
        "p@ss:w/rd?",
        "writer.example",
        "/shop",
    )
    assert "sslmode=verify-full" in url.query


def test_what_is_not_there_says_what_to_run(azure, declared):
    """An estate that is not provisioned has no outputs."""
    with pytest.raises(errors.NotFoundError):
        outputs.read(azure.arm, declared, azure.subscription)
    database = outputs.Database("w", "", "shop", "admin")
    region = outputs.Region("eastus", "", database, None, "")
    known = outputs.Outputs("edge", "registry", {"primary": region})
    with pytest.raises(errors.NotFoundError, match=r"no output 'x': expected one of public_host"):
        known.get("x")

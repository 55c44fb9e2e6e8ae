"""The application on real data services, by the names and the trust that a pod has."""

import asyncio
import json
import os
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from azrunbook import errors as azrunbook_errors, visits, writes
from azrunbook.sandbox.data import valkey, valkey_model
from azrunbook.sandbox.node import python

SOURCE = Path(__file__).parents[3] / "app" / "src"
WRITER = "app.writer.postgres.database.azure.com"
CACHE = "amr.eastus.redis.azure.net"


@dataclass
class Site:
    """The application's address, and what it stands on."""

    url: str
    primary: str
    estate: object
    caches: valkey.Caches
    names: Path

    def publish(self):
        """Write the table of names as the host does after each change."""
        table = {**self.estate.servers.list_names(), **self.caches.list_names()}
        partial = self.names.with_suffix(".partial")
        partial.write_text(json.dumps(table))
        partial.replace(self.names)

    async def visit(self):
        async with httpx.AsyncClient(timeout=30) as client:
            return await client.post(f"{self.url}/api/visits")

    async def visit_until(self, status):
        """Visit until answered so; a deadline of 45 s fails the test."""
        async with asyncio.timeout(45):
            while (answer := await self.visit()).status_code != status:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return answer.json()

    async def get(self, path):
        async with httpx.AsyncClient(timeout=30) as client:
            return await client.get(self.url + path)


def environ(estate, password, names):
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(python.INSIDE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOST": "127.0.0.1",
        "PORT": "0",
        "REGION": "eastus",
        "SSL_CERT_FILE": estate.ca,
        "AZRUNBOOK_POD_NAMES": str(names),
        "DATABASE_URL": f"postgresql://pgadmin:{quote(password)}@{WRITER}/postgres"
        "?sslmode=verify-full&sslrootcert=system",
        "REDIS_URL": f"rediss://:key-one@{CACHE}:10000/0",
    }


@pytest.fixture
async def site(estate, ground, password):
    """Two flexible servers, a cache, and gunicorn with the application."""
    east = await estate.create()
    await estate.replicate(east)
    estate.servers.point(WRITER, east)
    options = {**ground.options, "folder": ground.folder / "caches"}
    options["network"] = list(ground.network.subnets(new_prefix=25))[1]
    caches = valkey.Caches(**options)
    await caches.ensure(
        valkey_model.CacheRequest("/c", CACHE, 10000, "eastus", 64, ("key-one", "key-two"))
    )
    names = ground.folder / "names.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "main:app",
        cwd=SOURCE, env=environ(estate, password, names), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    url = ""
    while not url:
        line = (await process.stderr.readline()).decode()
        _, _, url = line.partition("Listening at: ")
        assert process.returncode is None
    draining = asyncio.ensure_future(process.stderr.read())
    site = Site(url.split()[0], east, estate, caches, names)
    site.publish()
    yield site
    process.kill()
    await process.wait()
    said = await draining
    assert password.encode() not in said
    assert b"key-one" not in said
    await caches.close()


async def test_visits_survive_failovers_of_both_stores(site):
    """Counted and recorded; after a promotion found again, and the cache may be missing."""
    first = (await site.visit()).json()
    assert first["count"] == 1
    assert (await site.get("/api/visits")).json() == {"recorded": 1, "count": 1}

    (replica,) = await site.estate.servers.list_replicas(site.primary)
    await site.estate.servers.promote(replica.id)
    site.publish()
    assert (await site.visit_until(201))["count"] == 2
    found = (await site.get(f"/api/visits/{first['visit']}")).json()
    assert found["region"] == "eastus"
    assert (await site.get(f"/api/visits/{uuid.uuid4()}")).status_code == 404

    await site.caches.lose_region("eastus")
    assert (await site.visit()).json()["count"] is None


async def test_readiness_and_pages_go_on_without_the_database(site):
    """Without any server a visit is 503 with a time to come back; the rest answers as ever."""
    assert (await site.get("/api/visits")).json() == {"recorded": 0, "count": 0}
    await site.estate.servers.lose_region("eastus")
    await site.estate.servers.lose_region("westus2")

    refused = await site.visit()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json() == {"error": "Service unavailable"}
    assert (await site.get("/health")).status_code == 204
    assert (await site.get("/api/info")).status_code == 200
    await site.estate.servers.restore_region("eastus")
    assert (await site.visit_until(201))["count"] == 1


async def test_probe_finds_the_visits_that_a_forced_failover_lost(site):
    """Confirmed visits that had not reached the replica are named as lost, the others are not."""
    (replica,) = await site.estate.servers.list_replicas(site.primary)
    with visits.Visits(site.url) as probe:
        kept = [await asyncio.to_thread(probe.record) for _ in range(3)]
        async with asyncio.timeout(30):
            while (await site.estate.servers.list_replicas(site.primary))[0].lag_bytes:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        site.estate.servers.delay_replication(replica.id, 3600)
        late = await asyncio.to_thread(probe.record)
        await site.estate.servers.lose_region("eastus")
        assert await asyncio.to_thread(probe.record) is None
        with pytest.raises(azrunbook_errors.StepError, match="answers 503"):
            await asyncio.to_thread(probe.list_lost, kept)

        await site.estate.servers.promote(replica.id, is_forced=True)
        site.publish()
        await site.visit_until(201)

        lost = await asyncio.to_thread(probe.list_lost, [*kept, late])
    assert lost == [late.id]
    loss = writes.measure_loss([*kept, late], lost)
    assert (loss.confirmed, loss.lost) == (4, 1)
    assert loss.seconds == late.confirmed_at - kept[-1].confirmed_at

"""Replicas through real clients: they stream, are read-only, and take over."""

import asyncio

import psycopg
import pytest

from azrunbook.sandbox.data import errors

EAST = "pg-east.postgres.database.azure.com"
WEST = "pg-west.postgres.database.azure.com"
WRITER = "app.writer.postgres.database.azure.com"
READER = "app.reader.postgres.database.azure.com"


@pytest.fixture
async def pair(estate):
    """A primary in the east with a table, and its replica in the west behind one name."""
    estate.east = await estate.create()
    await estate.run("create table visits (id int)")
    estate.west = await estate.replicate(estate.east)
    estate.servers.point(WRITER, estate.east)
    estate.servers.point(READER, estate.west)
    return estate


async def wait_for(look, what):
    """Look until something is so; a deadline of 30 s fails the test."""
    async with asyncio.timeout(30):
        while not (seen := await look()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    assert seen, what


def count(pair, host):
    async def look():
        return await pair.run("select count(*) from visits", host)

    return look


def has_rows(pair, host, number):
    async def look():
        return await count(pair, host)() == [(number,)]

    return look


async def test_replica_streams_and_takes_no_writes(pair):
    """What the primary commits arrives; a write is refused, and the lag is told."""
    await pair.run("insert into visits values (1)")
    await wait_for(has_rows(pair, WEST, 1), "the row in the west")

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await pair.run("insert into visits values (2)", READER)
    (replica,) = await pair.servers.list_replicas(pair.east)
    assert (replica.id, replica.state) == (pair.west, "Active")
    assert pair.servers.describe(pair.west).role == "GeoAsyncReplica"
    with pytest.raises(errors.DataError, match="primary that is Ready"):
        await pair.replicate(pair.west, "pg-third")


async def test_planned_promotion_under_load_loses_no_commit(pair):
    """Every insert that was confirmed is there afterwards, and the roles have swapped."""
    confirmed = 0

    async def write():
        nonlocal confirmed
        async with pair.connect(WRITER) as connection:
            while True:
                await connection.execute("insert into visits values (%s)", [confirmed])
                confirmed += 1

    writer = asyncio.ensure_future(write())
    await wait_for(lambda: _later(lambda: confirmed > 20), "some inserts")
    report = await pair.servers.promote(pair.west)
    with pytest.raises(psycopg.OperationalError):
        await writer

    ((stored,),) = await pair.run("select count(*) from visits", WRITER)
    assert report.lost_bytes == 0
    assert stored in {confirmed, confirmed + 1}  # the last may be committed and not confirmed
    assert pair.servers.describe(pair.west).role == "Primary"
    await pair.run("insert into visits values (-1)", WRITER)
    await wait_for(has_rows(pair, READER, stored + 1), "the old primary follows")
    assert pair.options(WRITER)["hostaddr"] == pair.options(WEST)["hostaddr"]

    await pair.servers.promote(pair.east)
    await pair.run("insert into visits values (-2)", EAST)
    await wait_for(has_rows(pair, WEST, stored + 2), "back where it was")


async def _later(condition):
    await asyncio.sleep(0)
    return condition()


async def test_forced_promotion_loses_what_was_on_the_way_and_says_how_much(pair):
    """A late replica loses the last commits; the old primary forgets them and follows."""
    await pair.run("insert into visits values (1)")
    await wait_for(has_rows(pair, WEST, 1), "the row in the west")
    pair.servers.delay_replication(pair.west, 3600)
    await pair.run("insert into visits values (2)")
    (late,) = await pair.servers.list_replicas(pair.east)
    assert late.lag_bytes > 0

    report = await pair.servers.promote(pair.west, is_forced=True)

    assert report.lost_bytes >= late.lag_bytes
    assert await count(pair, WRITER)() == [(1,)]
    await pair.run("insert into visits values (3)", WRITER)
    await wait_for(has_rows(pair, EAST, 2), "the old primary follows")
    assert await pair.run("select id from visits order by id", EAST) == [(1,), (3,)]


async def test_lost_region_is_left_behind_and_rejoins_when_restored(pair):
    """Planned is refused without the primary; forced serves; the lost one comes back a replica."""
    await pair.run("insert into visits values (1)")
    await wait_for(has_rows(pair, WEST, 1), "the row in the west")
    await pair.servers.lose_region("eastus")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        await pair.run("select 1", WRITER)
    (broken,) = await pair.servers.list_replicas(pair.east)
    assert (broken.state, broken.lag_bytes) == ("Broken", None)
    with pytest.raises(errors.DataError, match="does not stream"):
        await pair.servers.promote(pair.west)

    report = await pair.servers.promote(pair.west, is_forced=True)
    await pair.run("insert into visits values (2)", WRITER)

    assert report.lost_bytes is None
    assert report.committed_at is not None
    assert pair.servers.describe(pair.east).state == "Unavailable"
    await pair.servers.restore_region("eastus")
    assert pair.servers.describe(pair.east).role == "GeoAsyncReplica"
    await wait_for(has_rows(pair, READER, 2), "the restored server follows")


async def test_standalone_promotion_leaves_the_set(pair):
    """Both are primaries afterwards, and neither has the other's rows."""
    await pair.servers.promote(pair.west, is_standalone=True)
    await pair.run("insert into visits values (1)", WEST)

    assert pair.servers.describe(pair.west).role == "Primary"
    assert await pair.servers.list_replicas(pair.east) == []
    assert await count(pair, EAST)() == [(0,)]
    assert await pair.run("select * from pg_replication_slots") == []


async def test_stopped_replica_catches_up_when_started(pair):
    """The primary keeps the log for it; afterwards it has what it missed."""
    await pair.servers.stop(pair.west)
    await pair.run("insert into visits values (1)")

    await pair.servers.start(pair.west)

    await wait_for(has_rows(pair, WEST, 1), "the row that it missed")
    await pair.servers.delete(pair.west)
    assert await pair.run("select * from pg_replication_slots") == []

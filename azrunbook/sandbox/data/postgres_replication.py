"""Streaming replication between two servers: copy, follow, measure, promote, come back.

A standby reaches its primary only through a :class:`relay.Link`, which listens on a Unix socket
beside the standby's data folder. A replication slot on the primary keeps what a late standby still
needs, up to a bound; beyond it the standby is copied anew.
"""

import asyncio
import contextlib
import os
from dataclasses import dataclass

from azrunbook.sandbox import sockets
from azrunbook.sandbox.data import errors, postgres_front, postgres_server, relay

_SOCKET = f".s.PGSQL.{postgres_front.PORT}"
_LINK_HOST = f"{postgres_server.HERE}/../link"
_CATCH_UP_SECONDS = 60.0
_ATTACH_SECONDS = 20.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Lag:
    """How far a standby is behind, as the primary's pg_stat_replication says.

    ``state`` is ``streaming``, ``catchup``, … or empty when the standby is not connected; bytes and
    seconds are None then. Seconds are those of the last transaction that was replayed.
    """

    state: str
    bytes: int | None
    seconds: float | None


class Standby:
    """A server that follows another one, and the link between them."""

    def __init__(self, server: postgres_server.PostgresServer, slot: str, link: relay.Link) -> None:
        self.server = server
        self.slot = slot
        self.link = link
        self._listener: asyncio.Server | None = None

    async def listen(self) -> None:
        """Open the standby's end of the link."""
        folder = self.server.folder / "link"
        self.server.postgres.own(folder)
        path = folder / _SOCKET
        path.unlink(missing_ok=True)
        with sockets.reach(path) as name:
            self._listener = await asyncio.start_unix_server(self.link.accept, name)
        owner = folder.stat()
        os.chown(path, owner.st_uid, owner.st_gid)

    async def close(self) -> None:
        """Close the link; the server is left as it is."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        await self.link.drop()

    async def copy(self) -> None:
        """Copy the primary (``pg_basebackup``) into an empty data folder, with a slot for it.

        Raises:
            DataError: the primary does not answer, or the slot cannot be made.
        """
        server = self.server
        server.postgres.own(server.folder)
        server.postgres.own(server.data)
        await server.postgres.run(
            "pg_basebackup", "--pgdata", str(server.data), "--host", _LINK_HOST,
            "--username", postgres_front.SUPERUSER, "--checkpoint", "fast", "--no-sync",
            "--wal-method", "stream", "--create-slot", "--slot", self.slot, cwd=server.data,
        )  # fmt: skip

    def follow(self) -> None:
        """Configure the server as a standby of whatever the link leads to."""
        conninfo = f"host={_LINK_HOST} user={postgres_front.SUPERUSER} application_name={self.slot}"
        settings = {"primary_conninfo": conninfo, "primary_slot_name": self.slot}
        self.server.configure(settings)
        signal_file = self.server.data / "standby.signal"
        signal_file.touch()
        owner = self.server.data.stat()
        os.chown(signal_file, owner.st_uid, owner.st_gid)

    async def rewind(self) -> None:
        """Undo what only this server has (``pg_rewind``); it must be stopped.

        Raises:
            DataError: it cannot: the log that is needed is gone.
        """
        await self.server.postgres.run(
            "pg_rewind", "--target-pgdata", str(self.server.data), "--no-sync", "--source-server",
            f"host={_LINK_HOST} user={postgres_front.SUPERUSER} dbname=postgres",
            cwd=self.server.data,
        )  # fmt: skip


async def read_lag(primary: postgres_server.PostgresServer, slot: str) -> Lag:
    """Ask the primary how far a standby is behind."""
    if not primary.is_running:
        return Lag("", None, None)
    rows = await primary.query(
        "select state, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), -1),"
        " coalesce(extract(epoch from replay_lag), 0) from pg_stat_replication"
        " where application_name = :'slot'",
        slot=slot,
    )
    if not rows:
        return Lag("", None, None)
    state, lag_bytes, seconds = rows[0]
    return Lag(state, max(0, int(lag_bytes)) if lag_bytes != "-1" else None, float(seconds))


async def wait_until_attached(primary: postgres_server.PostgresServer, slot: str) -> None:
    """Wait until a standby streams.

    Raises:
        TimeoutError: it does not within 20 s.
    """
    async with asyncio.timeout(_ATTACH_SECONDS):
        while (await read_lag(primary, slot)).state != "streaming":  # noqa: ASYNC110 - another process
            await asyncio.sleep(_LOOK_SECONDS)


async def make_slot(primary: postgres_server.PostgresServer, slot: str) -> None:
    """Keep what a standby needs from now on; one that is there already stays."""
    await primary.query(
        "select pg_create_physical_replication_slot(:'slot', true) where not exists"
        " (select from pg_replication_slots where slot_name = :'slot')",
        slot=slot,
    )


async def drop_slot(primary: postgres_server.PostgresServer, slot: str) -> None:
    """Let go of what was kept for a standby."""
    await primary.query(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots"
        " where slot_name = :'slot' and not active",
        slot=slot,
    )


async def hand_over(primary: postgres_server.PostgresServer, standby: Standby) -> None:
    """Stop the primary so that the standby has everything, then promote the standby.

    Raises:
        DataError: the standby does not stream, or did not catch up in time. The primary serves as
            before then.
    """
    lag = await read_lag(primary, standby.slot)
    if lag.state != "streaming":
        raise errors.DataError(
            "ReplicaNotInSync",
            f"the replica {standby.slot} does not stream from its primary (state "
            f"{lag.state or 'disconnected'}); a planned promotion needs that. Wait, or force it",
        )
    # A fast shutdown ends the sessions, then waits for the standbys to confirm the last record.
    is_stopped = await primary.stop("fast", seconds=_CATCH_UP_SECONDS)
    if not is_stopped or not await _has_everything(primary, standby.server):
        await primary.stop("immediate")
        await primary.start()
        raise errors.DataError(
            "ReplicaNotInSync",
            f"the replica {standby.slot} did not confirm everything within "
            f"{_CATCH_UP_SECONDS:g} s; the primary serves again and nothing has changed",
        )
    await promote(standby.server)


async def _has_everything(
    primary: postgres_server.PostgresServer, standby: postgres_server.PostgresServer
) -> bool:
    control = await primary.postgres.run("pg_controldata", str(primary.data), cwd=primary.data)
    facts = dict(line.split(":", 1) for line in control.splitlines() if ":" in line)
    last = facts["Latest checkpoint location"].strip()
    rows = await standby.query("select pg_last_wal_receive_lsn() > :'last'::pg_lsn", last=last)
    return rows == [["t"]]


async def promote(server: postgres_server.PostgresServer) -> None:
    """Make a standby a primary with what it has received.

    Raises:
        DataError: it did not become one within a minute.
    """
    if await server.query("select pg_promote(true, 60)") != [["t"]]:
        raise errors.DataError("InternalServerError", f"{server.folder} was not promoted in 60 s")
    # pg_rewind of the old primary reads the new timeline off the last checkpoint.
    await server.query("checkpoint")


async def read_received(standby: postgres_server.PostgresServer) -> tuple[str, float | None]:
    """Return the position up to which the log was received, and the last commit's time in it."""
    rows = await standby.query(
        "select coalesce(pg_last_wal_receive_lsn(), '0/0'),"
        " coalesce(extract(epoch from pg_last_xact_replay_timestamp())::text, '')"
    )
    position, committed_at = rows[0]
    return position, float(committed_at) if committed_at else None


async def read_written(primary: postgres_server.PostgresServer) -> str | None:
    """Return the position up to which a primary has written; None when it does not answer."""
    with contextlib.suppress(errors.DataError, TimeoutError):
        async with asyncio.timeout(2):
            return (await primary.query("select pg_current_wal_flush_lsn()"))[0][0]
    return None


def subtract(later: str, earlier: str) -> int:
    """Return the bytes between two positions (``16/B374D848``); never less than none. Pure."""
    return max(0, _to_bytes(later) - _to_bytes(earlier))


def _to_bytes(position: str) -> int:
    high, _, low = position.partition("/")
    return (int(high, 16) << 32) + int(low, 16)

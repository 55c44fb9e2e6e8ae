"""One PostgreSQL server: its folder, its process, its configuration, SQL as its superuser.

The process listens on a Unix socket in its own data folder and nowhere else; the folder is its
user's alone, which is why the superuser needs no password there. Durability against a crash of
the machine is given up (``fsync=off``): a sandbox does not survive one, and a crash of the server
alone loses nothing that was committed. ``initdb`` without it takes a third of a second, so no
template of a data folder is kept.
"""

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from azrunbook.sandbox import processes, sockets
from azrunbook.sandbox.data import errors, postgres_front, programs, relay

_START_SECONDS = 30.0
_LOOK_SECONDS = 0.01
_STATUS_LINE = 7  # of postmaster.pid
_SOCKET = f".s.PGSQL.{postgres_front.PORT}"
# A client of libpq started in a data folder reaches its socket by this name, however deep it is.
HERE = "/proc/self/cwd"
ENTRA_GROUP = "azrunbook_entra"

_HBA = f"""\
# Only the sandbox's user reaches this socket. The front has checked the token of an Entra
# principal, and lets nobody in as {postgres_front.SUPERUSER}.
local all {postgres_front.SUPERUSER} trust
local replication {postgres_front.SUPERUSER} trust
local all +{ENTRA_GROUP} trust
local all all scram-sha-256
"""

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    # As small as PostgreSQL works well with: a sandbox's databases are small, and there are two.
    "shared_buffers": "16MB",
    "max_connections": "50",
    "max_wal_size": "256MB",
    "fsync": "off",
    "wal_level": "replica",
    "hot_standby": "on",
    "hot_standby_feedback": "on",
    "wal_log_hints": "on",
    "wal_keep_size": "64MB",
    # A standby that is away for long must be made anew; it must not fill the disk.
    "max_slot_wal_keep_size": "512MB",
    "wal_receiver_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "log_min_error_statement": "panic",  # statements of users may hold secrets
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer:
    """The server in one folder; ``data`` is its data folder, ``server.log`` beside it."""

    def __init__(
        self, folder: Path, postgres: programs.Postgres, supervisor: processes.Supervisor
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.postgres = postgres
        self._supervisor = supervisor
        self._child: processes.Child | None = None

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_running

    async def initialize(self) -> None:
        """Make an empty database cluster, as ``initdb`` does.

        Raises:
            DataError: initdb failed.
        """
        self.postgres.own(self.folder)
        self.postgres.own(self.data)
        await self.postgres.run(
            "initdb", "--pgdata", str(self.data), "--username", postgres_front.SUPERUSER,
            "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--data-checksums",
            "--no-sync", "--no-instructions", cwd=self.data,
        )  # fmt: skip
        (self.data / "pg_hba.conf").write_text(_HBA)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'azrunbook.conf'\n")
        self.configure({})

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write the configuration: what every server has, and these on top."""
        merged = {**_SETTINGS, **settings}
        lines = [f"{name} = '{value}'\n" for name, value in merged.items()]
        (self.data / "azrunbook.conf").write_text("".join(lines))

    async def start(self) -> None:
        """Start the process and wait until it accepts connections.

        Raises:
            DataError: it ended, or is not ready in time; says what stands in its log.
        """
        for left in ("postmaster.pid", f"{_SOCKET}.lock"):  # by a crash, or copied from another
            (self.data / left).unlink(missing_ok=True)
        with (self.folder / "server.log").open("ab") as log:
            self._child = await self._supervisor.spawn(
                self.postgres.argv("postgres", "-D", str(self.data)),
                env=programs.ENVIRONMENT,
                cwd=self.data,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                while self._status() != "ready":
                    if not self._child.is_running:
                        raise self._failed("ended at once")
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            self._child.kill()
            raise self._failed(f"was not ready within {_START_SECONDS:g} s") from None

    def _failed(self, what: str) -> errors.DataError:
        log = (self.folder / "server.log").read_text(errors="replace").splitlines()
        return errors.DataError(
            "InternalServerError", f"PostgreSQL in {self.folder} {what}: {' / '.join(log[-3:])}"
        )

    def _status(self) -> str:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return ""
        return lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""

    async def stop(self, mode: Literal["fast", "immediate"], *, seconds: float = 30.0) -> bool:
        """End the process; ``fast`` sends standbys everything first, ``immediate`` is a crash.

        Returns:
            Whether it ended in time; it goes on ending when not.
        """
        if self._child is None:
            return True
        # To the leader alone: it tells the others, in the order that loses nothing.
        self._child.send_signal(signal.SIGINT if mode == "fast" else signal.SIGQUIT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._child.wait(), seconds)
        return not self.is_running

    async def reload(self) -> None:
        """Let the process read its configuration again."""
        if self._child is not None:
            self._child.send_signal(signal.SIGHUP)

    async def connect(self) -> relay.Streams:
        """Open a stream to the server's socket.

        Raises:
            OSError: it does not listen.
        """
        with sockets.reach(self.data / _SOCKET) as name:
            return await asyncio.open_unix_connection(name)

    async def query(
        self, sql: str, *, database: str = "postgres", **values: str
    ) -> list[list[str]]:
        """Run SQL as the superuser; rows of texts, NULL is the empty one.

        Args:
            sql: with ``:'name'`` for a value of ``values`` as text and ``:"name"`` for one as a
                name; psql quotes them.
            database: where.
            values: in no argument list, because one may be a password's verifier.

        Raises:
            DataError: the server refuses it, or does not answer.
        """
        settings = [f"\\set {name} {quote(value)}\n" for name, value in values.items()]
        out = await self.postgres.run(
            "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t",
            "--set=ON_ERROR_STOP=1", "--host", HERE, "--username", postgres_front.SUPERUSER,
            "--dbname", database, cwd=self.data, stdin="".join(settings) + sql,
        )  # fmt: skip
        return [line.split("\t") for line in out.splitlines() if line]


def quote(text: str) -> str:
    """Quote an argument of a psql command. Pure."""
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"

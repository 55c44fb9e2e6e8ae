"""One Valkey server: its folder, its process, its access list, commands as its superuser.

It listens on a Unix socket in its folder and nowhere else. Access keys are in its configuration
as hashes only. As Azure does, clients may not configure, replicate, save or shut down. Nothing is
kept on disk: a cache that ends has lost its keys, as one without persistence has in Azure.
"""

import asyncio
import hashlib
import signal
from collections.abc import Iterable
from pathlib import Path

from azrunbook.sandbox import processes, sockets
from azrunbook.sandbox.data import errors, programs, relay, resp

_START_SECONDS = 20.0
_LOOK_SECONDS = 0.01
_SOCKET = "valkey.sock"
_SUPERUSER = "sandbox"
_FORBIDDEN = (
    "acl", "bgrewriteaof", "bgsave", "cluster", "config", "debug", "failover", "migrate", "module",
    "psync", "replconf", "replicaof", "save", "shutdown", "slaveof", "sync",
)  # fmt: skip


class ValkeyServer:
    """The server in one folder."""

    def __init__(
        self, folder: Path, supervisor: processes.Supervisor, *, secret: str, memory_mib: int
    ) -> None:
        self.folder = folder
        self._supervisor = supervisor
        self._secret = secret
        self._memory_mib = memory_mib
        self._child: processes.Child | None = None

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.is_running

    async def start(self, keys: Iterable[str]) -> None:
        """Start the process, empty, and wait until it answers.

        Raises:
            DataError: it ended, or does not answer in time; MissingProgramError: no program.
        """
        program = programs.find_valkey()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        (self.folder / "valkey.conf").write_text(self._configuration(keys))
        with (self.folder / "server.log").open("ab") as log:
            self._child = await self._supervisor.spawn(
                [str(program), "valkey.conf"],
                env=programs.ENVIRONMENT,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._answers():
                    if not self._child.is_running:
                        raise self._failed("ended at once")
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            self._child.kill()
            raise self._failed(f"did not answer within {_START_SECONDS:g} s") from None

    def _configuration(self, keys: Iterable[str]) -> str:
        lines = [
            "port 0",
            f"unixsocket {_SOCKET}",
            "unixsocketperm 700",
            'save ""',
            "appendonly no",
            f"maxmemory {self._memory_mib}mb",
            # Replication without a file, and at once: the replicas of a sandbox come one by one.
            "repl-diskless-sync yes",
            "repl-diskless-sync-delay 0",
            "repl-diskless-load swapdb",
            "repl-timeout 5",
            "repl-ping-replica-period 1",
            f"primaryuser {_SUPERUSER}",
            f"primaryauth {self._secret}",
            f"user {_SUPERUSER} on {_hash(self._secret)} ~* &* +@all",
            f"user default {' '.join(_grant(keys))}",
        ]
        return "\n".join(lines) + "\n"

    async def _answers(self) -> bool:
        try:
            return await self.ask("PING") == "PONG"
        except (OSError, EOFError):
            return False

    def _failed(self, what: str) -> errors.DataError:
        log = (self.folder / "server.log").read_text(errors="replace").splitlines()
        return errors.DataError(
            "InternalServerError", f"Valkey in {self.folder} {what}: {' / '.join(log[-3:])}"
        )

    async def stop(self) -> None:
        """End the process at once; there is nothing to save."""
        if self._child is not None:
            self._child.terminate(signal.SIGKILL)
            await self._child.wait()

    async def connect(self) -> relay.Streams:
        """Open a stream to the server's socket.

        Raises:
            OSError: it does not listen.
        """
        with sockets.reach(self.folder / _SOCKET) as name:
            return await asyncio.open_unix_connection(name)

    async def ask(self, *words: str) -> resp.Reply:
        """Ask one command as the superuser.

        Raises:
            OSError: the server does not listen.
            EOFError: it went away.
            DataError: it refuses.
        """
        streams = await self.connect()
        try:
            await resp.ask(streams, "AUTH", _SUPERUSER, self._secret)
            return await resp.ask(streams, *words)
        finally:
            streams[1].close()

    async def allow(self, keys: Iterable[str]) -> None:
        """Let clients in with these keys and no others; sessions that there are stay."""
        await self.ask("ACL", "SETUSER", "default", *_grant(keys))

    async def read_replication(self) -> dict[str, str]:
        """Return the server's own account of its replication."""
        text = str(await self.ask("INFO", "replication"))
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _grant(keys: Iterable[str]) -> list[str]:
    hashes = [_hash(key) for key in keys]
    return ["reset", "on", *hashes, "~*", "&*", "+@all", *(f"-{name}" for name in _FORBIDDEN)]


def _hash(secret: str) -> str:
    return "#" + hashlib.sha256(secret.encode()).hexdigest()

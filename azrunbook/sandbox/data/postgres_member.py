"""One flexible server as the others of its set see it: who it follows, and how it starts.

Composes the process, its face and its link. Knows nothing of the set: :mod:`postgres` does.
"""

import shutil
from typing import Self

from azrunbook.sandbox.data import (
    errors,
    postgres_front,
    postgres_model as model,
    postgres_replication as replication,
    postgres_server,
    relay,
)


class Member:
    """A flexible server; ``source`` is the primary that it follows, if it is a replica."""

    def __init__(
        self,
        id_: str,
        location: str,
        server: postgres_server.PostgresServer,
        front: postgres_front.PostgresFront,
        logins: postgres_front.Logins,
    ) -> None:
        self.id = id_
        self.name = id_.rpartition("/")[2].lower()
        self.location = location
        self.server = server
        self.front = front
        self.logins = logins
        self.is_highly_available = False
        self.source: Self | None = None
        self.standby: replication.Standby | None = None
        self.is_lost = False
        # It has written what the primary does not have: it must be rewound before it follows.
        self.is_diverged = False

    @property
    def slot(self) -> str:
        """Its name in the primary's replication statistics."""
        return "".join(c if c.isalnum() else "_" for c in self.name)

    @property
    def role(self) -> model.Role:
        if self.source is None:
            return "Primary"
        return "AsyncReplica" if self.source.location == self.location else "GeoAsyncReplica"

    @property
    def state(self) -> model.State:
        if self.is_lost:
            return "Unavailable"
        return "Ready" if self.server.is_running else "Stopped"

    async def copy(self, source: Self) -> None:
        """Become a replica with nothing of its own: copy everything, then follow."""
        standby = await self._link(source)
        await standby.copy()
        await self._follow(standby, source)

    async def follow(self, source: Self) -> None:
        """Become, or be again, a replica with what it has; copied anew when that does not do.

        The server must be stopped.
        """
        standby = await self._link(source)
        await replication.make_slot(source.server, self.slot)
        try:
            if self.is_diverged:
                await standby.rewind()
            await self._follow(standby, source)
        except (errors.DataError, TimeoutError):
            await self.server.stop("immediate")
            await replication.drop_slot(source.server, self.slot)
            shutil.rmtree(self.server.data)
            await standby.copy()
            await self._follow(standby, source)

    async def _link(self, source: Self) -> replication.Standby:
        await self.unlink()
        link = relay.Link(source.server.connect)
        self.source = source
        self.standby = replication.Standby(self.server, self.slot, link)
        await self.standby.listen()
        return self.standby

    async def _follow(self, standby: replication.Standby, source: Self) -> None:
        standby.follow()
        await self.server.start()
        await replication.wait_until_attached(source.server, self.slot)
        self.is_diverged = False

    async def unlink(self) -> None:
        """Stop following."""
        if self.standby is not None:
            await self.standby.close()
        self.source = self.standby = None

    async def start(self) -> None:
        """Start a stopped server in the role that it has."""
        source = self.source
        if source is None or not source.server.is_running:
            await self.server.start()
        else:
            await self.follow(source)
        await self.front.start()

    async def stop(self) -> None:
        """Stop it in good order; standbys get everything first."""
        await self.front.stop()
        if not await self.server.stop("fast"):
            await self.server.stop("immediate")

    async def crash(self) -> None:
        """End it at once, as a lost region does."""
        await self.front.stop()
        await self.server.stop("immediate")

"""One cache: its process, its TLS face, its link to the cache that it replicates."""

import asyncio
from collections.abc import Iterable
from typing import Self

from azrunbook.sandbox import tls
from azrunbook.sandbox.data import relay, tls_front, valkey_model as model, valkey_server


class Cache:
    """A cache; ``leader`` is the one that it replicates, None when it leads."""

    def __init__(
        self,
        request: model.CacheRequest,
        address: str,
        server: valkey_server.ValkeyServer,
        authority: tls.Authority,
    ) -> None:
        self.request = request
        self.address = address
        self.server = server
        self.leader: Self | None = None
        self.is_lost = False
        self.link = relay.Link(self._connect_to_leader)
        self._listener: asyncio.Server | None = None
        # As Azure's: a wildcard of the domain, so that a private link name needs no new one.
        _, _, domain = request.host.partition(".")
        context = authority.server_context(request.host, f"*.{domain}", f"*.geo.{domain}", address)
        self.front = tls_front.TlsFront(address, request.port, context, self._connect_client)

    async def _connect_client(self) -> relay.Streams:
        """Where a client is led: to the leader, or with a passive link to this cache alone."""
        is_led = self.leader is not None and self.request.is_writable
        return await (self.leader.server if is_led and self.leader else self.server).connect()

    async def _connect_to_leader(self) -> relay.Streams:
        if self.leader is None:
            raise ConnectionRefusedError
        return await self.leader.server.connect()

    async def start(self) -> None:
        """Start it, empty, and let clients in.

        Raises:
            DataError: the port is in use, or the process ended.
        """
        await self.server.start(self.request.keys)
        # Replication only knows TCP; this end of the link asks for the superuser's password.
        self._listener = await asyncio.start_server(self.link.accept, self.address, 0)
        await self.front.start()

    async def stop(self) -> None:
        """End it at once, its keys with it."""
        await self.front.stop()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        await self.link.drop()
        await self.server.stop()

    async def follow(self, leader: Self) -> None:
        """Replicate another cache; what this one has is discarded."""
        self.leader = leader
        if self._listener is None:
            return  # it does when its region is restored
        await self.link.drop()
        port = self._listener.sockets[0].getsockname()[1]
        await self.server.ask("REPLICAOF", self.address, str(port))
        await self.front.drop()

    async def lead(self) -> None:
        """Take writes, with what has arrived."""
        self.leader = None
        if self._listener is None:
            return
        await self.server.ask("REPLICAOF", "NO", "ONE")
        await self.link.drop()
        await self.front.drop()

    async def allow(self, keys: Iterable[str]) -> None:
        """Let clients in with these keys only; not while it is away."""
        if self.server.is_running:
            await self.server.allow(keys)

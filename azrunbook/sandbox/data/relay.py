"""Bytes from one stream to another: at once, late, or not at all. Knows no protocol.

A :class:`Link` stands for the network between two regions. Every byte of replication goes through
one, so lag and a partition are real: a late link makes a late standby, and what has not crossed it
when the primary dies is lost.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]

_CHUNK_BYTES = 65536
_MOST_CHUNKS_ON_THE_WAY = 512  # 32 MiB: a link holds back its sender, as TCP does


async def join(near: Streams, far: Streams) -> None:
    """Copy both ways until either side ends; the far one is closed then."""
    try:
        await _run_both(_copy(near[0], far[1]), _copy(far[0], near[1]))
    finally:
        far[1].close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


async def _run_both(*directions: Awaitable[None]) -> None:
    tasks = [asyncio.ensure_future(one) for one in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Connections:
    """Serves connections of one listener and ends them with it."""

    def __init__(self, serve: Callable[[Streams], Awaitable[None]]) -> None:
        self._serve = serve
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; what asyncio's servers call."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this in a task of its own
        self._tasks.add(task)
        try:
            await self._serve((reader, writer))
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # the peer went away, or the listener did: nobody is left to tell
        finally:
            self._tasks.discard(task)
            writer.close()

    async def drop(self) -> None:
        """Cut every connection."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Link:
    """One way into another region; ``delay_seconds`` holds for every byte in both directions."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.delay_seconds = 0.0
        self.is_cut = False
        self._connections = Connections(self._serve)

    @property
    def accept(self) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        """For a listening server's connections."""
        return self._connections.accept

    async def cut(self) -> None:
        """Partition: what is on the way is lost, and nothing gets through until mended."""
        self.is_cut = True
        await self._connections.drop()

    def mend(self) -> None:
        self.is_cut = False

    async def drop(self) -> None:
        """Cut the connections that there are; new ones are let through."""
        await self._connections.drop()

    async def _serve(self, near: Streams) -> None:
        if self.is_cut:
            return
        far = await self.connect()
        try:
            await _run_both(self._carry(near[0], far[1]), self._carry(far[0], near[1]))
        finally:
            far[1].close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        road: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_CHUNKS_ON_THE_WAY)

        async def depart() -> None:
            while chunk := await reader.read(_CHUNK_BYTES):
                await road.put((clock(), chunk))
            await road.put((clock(), b""))

        async def arrive() -> None:
            async for chunk in self._wait_for_each(road, clock):
                writer.write(chunk)
                await writer.drain()

        departing = asyncio.ensure_future(depart())
        try:
            await arrive()
        finally:
            departing.cancel()
            await asyncio.gather(departing, return_exceptions=True)

    async def _wait_for_each(
        self, road: "asyncio.Queue[tuple[float, bytes]]", clock: Callable[[], float]
    ) -> AsyncIterator[bytes]:
        while True:
            departed_at, chunk = await road.get()
            # In small steps, so that a link that becomes fast again is fast at once.
            while (rest := departed_at + self.delay_seconds - clock()) > 0:  # noqa: ASYNC110
                await asyncio.sleep(min(rest, 0.05))
            if not chunk:
                return
            yield chunk

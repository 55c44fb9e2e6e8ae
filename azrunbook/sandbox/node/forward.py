"""Carries bytes between a client and a backend: plain TCP, both ways, with back-pressure."""

import asyncio
import contextlib
import socket
import struct

from azrunbook.sandbox.node import endpoints

_CHUNK_BYTES = 64 * 1024
_CONNECT_SECONDS = 10.0


class Forwarder:
    """One listener's round robin. ``backends`` may be replaced at any time."""

    def __init__(self, backends: tuple[endpoints.Address, ...]) -> None:
        self.backends = backends
        self._turn = 0
        self._connections: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a client's connection."""
        task = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    @property
    def is_idle(self) -> bool:
        return not self._connections

    async def close(self) -> None:
        """Cut every connection."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.backends:
            _reset(writer)
            return
        backend = self.backends[self._turn % len(self.backends)]
        self._turn += 1
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                inner_reader, inner_writer = await asyncio.open_connection(*backend)
        except (OSError, TimeoutError):
            # A pod that has just died: a real service has no second try for it either.
            _reset(writer)
            return
        except asyncio.CancelledError:
            writer.close()
            raise
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        except OSError:
            _reset(writer)
        finally:
            inner_writer.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the client sees a reset, as from a machine that refuses."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()

"""Port-forward at the kubelet's endpoint: connections to a pod's ports through one WebSocket.

Two framings: ``kubectl`` tunnels SPDY, with a pair of streams (data, errors) for every connection
that somebody makes to the local port; the Python client has a pair of channels for each port, and
so one connection to each. A connection is to the pod's address, where a container that listens
on "any address" or on the loopback really listens.
"""

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from azrunbook.sandbox.node import channels, pipes, spdy

SPDY = "SPDY/3.1+portforward.k8s.io"
_CONNECT_SECONDS = 10.0

Send = Callable[[bytes], Awaitable[None]]


class _Connection:
    """One connection to a port of the pod; ``end`` gets the problem, or nothing."""

    def __init__(self, send: Send, end: Callable[[str], Awaitable[None]]) -> None:
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._send = send
        self._end = end

    def take(self, data: bytes) -> None:
        """Pass on what the client sends; nothing means no more."""
        self._incoming.put_nowait(data)

    async def run(self, address: str, port: int) -> None:
        problem = ""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError) as error:
            problem = f"failed to connect to {address}:{port} inside the pod: {error}"
        else:
            sending = asyncio.create_task(self._carry_in(writer))
            try:
                async for data in pipes.read_pieces(reader):
                    await self._send(data)
            except OSError as error:
                problem = f"lost connection to {address}:{port} inside the pod: {error}"
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                writer.close()
        with contextlib.suppress(ConnectionError):
            await self._end(problem)

    async def _carry_in(self, writer: asyncio.StreamWriter) -> None:
        while data := await self._incoming.get():
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


class _SpdyTunnel:
    """All connections of one ``kubectl port-forward``."""

    def __init__(self, socket: web.WebSocketResponse, address: str, where: str) -> None:
        self._socket = socket
        self._address = address
        self._where = where
        self._spdy = spdy.Connection()
        self._headers: dict[int, dict[str, str]] = {}
        self._connections: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Carry until the client is gone."""
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    for event in self._spdy.feed(message.data):
                        await self._handle(event)
        except (spdy.ProtocolError, ConnectionError):
            await self._socket.close(code=aiohttp.WSCloseCode.PROTOCOL_ERROR)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _handle(self, event: spdy.Event) -> None:
        match event:
            case spdy.Pinged(answer):
                await self._socket.send_bytes(answer)
            case spdy.Opened(stream, headers):
                self._headers[stream] = headers
                await self._socket.send_bytes(self._spdy.accept(stream))
                if headers.get("streamtype") == "data":
                    self._connect(stream, headers)
            case spdy.Received(stream, data, is_last):
                if connection := self._connections.get(stream):
                    if data:
                        connection.take(data)
                    if is_last:
                        connection.take(b"")
            case spdy.Reset(stream):
                if connection := self._connections.pop(stream, None):
                    connection.take(b"")

    def _connect(self, stream: int, headers: dict[str, str]) -> None:
        request, port = headers.get("requestid"), int(headers.get("port") or 0)
        errors = next(
            (
                number
                for number, known in self._headers.items()
                if known.get("streamtype") == "error" and known.get("requestid") == request
            ),
            None,
        )

        async def send(data: bytes) -> None:
            await self._socket.send_bytes(self._spdy.send(stream, data))

        async def end(problem: str) -> None:
            text = f"error forwarding port {port} to pod {self._where}: {problem}"
            if errors is not None:
                said = text.encode() if problem else b""
                await self._socket.send_bytes(self._spdy.send(errors, said, is_last=True))
            await self._socket.send_bytes(self._spdy.send(stream, b"", is_last=True))
            self._connections.pop(stream, None)
            for number in (stream, errors):
                self._headers.pop(number or 0, None)

        connection = _Connection(send, end)
        self._connections[stream] = connection
        task = asyncio.create_task(connection.run(self._address, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def answer(
    request: web.Request, address: str | None, where: str, refusal: str
) -> web.WebSocketResponse:
    """Serve one client. Without an address the refusal is what every connection gets."""
    socket = web.WebSocketResponse(
        protocols=(SPDY, channels.V4), compress=False, max_msg_size=0, timeout=1.0
    )
    await socket.prepare(request)
    if address is None:
        await socket.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION, message=refusal.encode())
    elif socket.ws_protocol == SPDY:
        await _SpdyTunnel(socket, address, where).run()
    else:
        ports = [int(port) for port in request.query.getall("ports", [])]
        await _forward_channels(socket, address, ports)
    return socket


async def _forward_channels(socket: web.WebSocketResponse, address: str, ports: list[int]) -> None:
    client = channels.Channels(socket)
    connections = [_make_channel(client, 2 * number) for number in range(len(ports))]
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            await client.send(channel, struct.pack("<H", port))

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            for connection, port in zip(connections, ports, strict=True):
                group.create_task(connection.run(address, port))

    async def take() -> None:
        async for channel, data in client.read():
            if channel % 2 == 0 and channel // 2 < len(connections):
                connections[channel // 2].take(data)

    taking, ending = asyncio.create_task(take()), asyncio.create_task(run())
    try:
        await asyncio.wait({taking, ending}, return_when=asyncio.FIRST_COMPLETED)
        await socket.close()
    finally:
        for task in (taking, ending):
            task.cancel()
        await asyncio.gather(taking, ending, return_exceptions=True)


def _make_channel(client: channels.Channels, channel: int) -> _Connection:
    async def send(data: bytes) -> None:
        await client.send(channel, data)

    async def end(problem: str) -> None:
        if problem:
            await client.send(channel + 1, problem.encode())

    return _Connection(send, end)

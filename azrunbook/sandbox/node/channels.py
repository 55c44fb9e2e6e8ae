"""The framing of remote commands in a WebSocket: the first byte of a message says which stream.

Source: k8s.io/apimachinery ``remotecommand`` constants and KEP 4006. Version 5 adds that a side
may close one stream (255, then its number), so that a command sees the end of its input. The
``base64`` form, for browsers, is not spoken. Clients that send text (the Python client does)
mean the same bytes.
"""

import json
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from azrunbook.sandbox.node import config

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
PROTOCOLS = (V5, V4)
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
SUCCESS: config.Object = {"metadata": {}, "status": "Success"}


class Channels:
    """One client's streams over one WebSocket."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def send(self, channel: int, data: bytes) -> None:
        """Send a piece of a stream; ConnectionError when the client is gone."""
        await self._socket.send_bytes(bytes([channel]) + data)

    async def end(self, status: config.Object) -> None:
        """Say how it ended, on the error stream, and close."""
        await self.send(ERROR, json.dumps(status).encode())
        await self._socket.close()

    async def read(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield pieces with their channel until the client is gone; CLOSE has the channel in it."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                data = message.data.encode()
            elif message.type is aiohttp.WSMsgType.BINARY:
                data = message.data
            else:
                continue
            if data:
                yield data[0], data[1:]


def describe_exit(code: int) -> config.Object:
    """Return the Status of a command that ended with this exit code. Pure."""
    if code == 0:
        return SUCCESS
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def describe_failure(message: str) -> config.Object:
    """Return the Status of a command that could not be run. Pure."""
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }

"""The public face of a flexible server: TLS on port 5432, and Entra's login.

The PostgreSQL of the wheel is built without TLS and listens on a Unix socket that only the
sandbox's user can reach. This listener does what is in front of it: it refuses a client without
TLS, and it checks a token given as password for an Entra principal. Everything else, also the
SCRAM exchange for a password, passes through unread. What differs from Azure: no channel binding
(``channel_binding=require`` fails).
"""

import asyncio
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from azrunbook.sandbox.data import listener, relay

PORT = 5432
SUPERUSER = "azuresu"

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
_LONGEST_STARTUP_BYTES = 10_000
_LONGEST_PASSWORD_BYTES = 65_535
_ASK_PASSWORD = b"R" + struct.pack("!ii", 8, 3)


@dataclass
class Logins:
    """Who may log in how; ``principals`` are Entra's, by role name."""

    check_token: Callable[[str], bool]
    principals: set[str] = field(default_factory=set)
    is_password_allowed: bool = True


class PostgresFront(listener.Listener):
    """Passes sessions on to a server's socket; TLS begins when the client asks for it."""

    def __init__(
        self, address: str, context: ssl.SSLContext, connect: relay.Connect, logins: Logins
    ) -> None:
        super().__init__(address, PORT, self._serve)
        self._tls = context
        self._connect = connect
        self._logins = logins

    async def _serve(self, client: relay.Streams) -> None:
        reader, writer = client
        packet = await _read_startup(reader)
        if _code(packet) == _GSS:
            writer.write(b"N")
            packet = await _read_startup(reader)
        if _code(packet) != _TLS:
            refused = "no pg_hba.conf entry for this host, no encryption"
            await _refuse(writer, "28000", refused)
            return
        writer.write(b"S")
        await writer.start_tls(self._tls)
        packet = await _read_startup(reader)
        if not await self._is_admitted(packet, client):
            return
        try:
            server = await self._connect()
        except OSError:
            await _refuse(writer, "57P03", "the database system is starting up")
            return
        server[1].write(packet)
        await relay.join(client, server)

    async def _is_admitted(self, packet: bytes, client: relay.Streams) -> bool:
        if _code(packet) == _CANCEL:
            return True
        reader, writer = client
        user = read_parameters(packet).get("user", "")
        refused = f'authentication failed for user "{user}"'
        if user == SUPERUSER:
            await _refuse(writer, "28000", refused)
            return False
        if user not in self._logins.principals:
            if not self._logins.is_password_allowed:
                await _refuse(writer, "28P01", f"password {refused}")
            return self._logins.is_password_allowed
        writer.write(_ASK_PASSWORD)
        if self._logins.check_token(await _read_password(reader)):
            return True
        await _refuse(writer, "28P01", f"Microsoft Entra token {refused}")
        return False


def read_parameters(packet: bytes) -> dict[str, str]:
    """Return the parameters of a startup packet: user, database and more. Pure."""
    words = packet[8:].split(b"\0")
    texts = [word.decode(errors="replace") for word in words]
    return dict(zip(texts[0::2], texts[1::2], strict=False))


def _code(packet: bytes) -> int:
    return int.from_bytes(packet[4:8], "big")


async def _read_startup(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    length = int.from_bytes(head, "big")
    if not 8 <= length <= _LONGEST_STARTUP_BYTES:  # noqa: PLR2004 - length and code
        raise EOFError("not a startup packet")
    return head + await reader.readexactly(length - 4)


async def _read_password(reader: asyncio.StreamReader) -> str:
    kind = await reader.readexactly(1)
    length = int.from_bytes(await reader.readexactly(4), "big")
    if kind != b"p" or not 5 <= length <= _LONGEST_PASSWORD_BYTES:  # noqa: PLR2004
        raise EOFError("not a password message")
    return (await reader.readexactly(length - 4)).rstrip(b"\0").decode(errors="replace")


async def _refuse(writer: asyncio.StreamWriter, code: str, message: str) -> None:
    fields = {"S": "FATAL", "V": "FATAL", "C": code, "M": message}
    body = b"".join(key.encode() + text.encode() + b"\0" for key, text in fields.items()) + b"\0"
    writer.write(b"E" + struct.pack("!i", len(body) + 4) + body)
    await writer.drain()

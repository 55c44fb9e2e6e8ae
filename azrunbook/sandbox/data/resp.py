"""As much of Redis' protocol as asking one command takes. No sockets of its own."""

import asyncio

from azrunbook.sandbox.data import errors, relay

Reply = str | int | None | list["Reply"]


async def ask(streams: relay.Streams, *words: str) -> Reply:
    """Send a command and return its reply.

    Raises:
        DataError: the server refuses it.
        EOFError: the server went away.
    """
    reader, writer = streams
    parts = [word.encode() for word in words]
    frame = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    writer.write(b"*%d\r\n%s" % (len(parts), frame))
    await writer.drain()
    return await _read(reader)


async def _read(reader: asyncio.StreamReader) -> Reply:
    line = (await reader.readuntil(b"\r\n"))[:-2].decode()
    kind, rest = line[:1], line[1:]
    match kind:
        case "+":
            return rest
        case "-":
            raise errors.DataError("InternalServerError", f"valkey refuses: {rest}")
        case ":":
            return int(rest)
        case "$":
            if rest == "-1":
                return None
            return (await reader.readexactly(int(rest) + 2))[:-2].decode(errors="replace")
        case "*":
            return [await _read(reader) for _ in range(int(rest))]
        case _:
            raise errors.DataError("InternalServerError", f"not a reply of Redis: {line!r}")

"""Descriptors as asyncio streams, and terminals for processes that want one.

The law: whoever gets a descriptor from here for a child closes it once the child has it.
"""

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

_CHUNK_BYTES = 32 * 1024
# A session's leader gets the terminal that it opens first as its controlling one, so that Ctrl-C
# becomes a signal; a descriptor that it inherits does not do that.
_ON_TERMINAL = 'exec 0<>"$0" 1>&0 2>&1; exec "$@"'


async def open_reading(descriptor: int) -> asyncio.StreamReader:
    """Read from a descriptor, which is closed at its end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


async def open_writing(descriptor: int) -> asyncio.StreamWriter:
    """Write to a descriptor; closing the writer closes it."""
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(
        lambda: protocol, os.fdopen(descriptor, "wb", buffering=0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


async def read_pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield what comes, to the end; the end of a terminal is an error of its own (EIO)."""
    while True:
        try:
            data = await reader.read(_CHUNK_BYTES)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return
        if not data:
            return
        yield data


@dataclass(frozen=True)
class Terminal:
    """A pseudo terminal: ``control`` is our side, ``device`` the file that is the process's."""

    control: int
    device: str

    def resize(self, width: int, height: int) -> None:
        """Tell the process how large its window is, in characters."""
        fcntl.ioctl(self.control, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def close(self) -> None:
        """Hang up."""
        os.close(self.control)

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """Return the command line that runs another one on this terminal."""
        return ["/bin/sh", "-c", _ON_TERMINAL, self.device, *argv]


def open_terminal() -> tuple[Terminal, int]:
    """Make a terminal; also its other side, to be kept open until the process has it."""
    control, other = os.openpty()
    return Terminal(control, os.ttyname(other)), other

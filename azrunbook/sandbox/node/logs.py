"""Container logs: one file for each start of a container, in the CRI format.

``<instant> stdout F <line>``; F is a full line, P a part of one that was too long or had no end.
Output and error output share a pipe, so their order is exact and both are tagged ``stdout``.
A file is cut at ten megabytes: the older half goes to ``.old`` and is lost at the next cut.
"""

import asyncio
import contextlib
import datetime as dt
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from azrunbook.sandbox.node import clock

_LOG = logging.getLogger(__name__)
_LONGEST_LINE_BYTES = 16 * 1024
_LARGEST_FILE_BYTES = 10 * 1024**2


class LogFile:
    """The output of one run of a container: written once, read by many."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_open = True
        self.cuts = 0
        self.listeners: list[Callable[[bytes], None]] = []
        self._rest = b""
        self._is_failing = False
        self._changed = asyncio.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)

    def append(self, data: bytes) -> None:
        """Take output as it comes; unfinished lines wait for their end.

        Listeners get it as it came. A disk that is full must not end the container: what cannot
        be written is lost, as with a real runtime, and the sandbox's own log says so once.
        """
        for listener in list(self.listeners):
            listener(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        stamp = clock.to_micro_text(clock.now()).encode()
        out = [part for line in lines for part in _format_line(stamp, line)]
        while len(self._rest) > _LONGEST_LINE_BYTES:
            head, self._rest = self._rest[:_LONGEST_LINE_BYTES], self._rest[_LONGEST_LINE_BYTES:]
            out.append(b"%s stdout P %s\n" % (stamp, head))
        if out:
            self._write(b"".join(out))
            self._wake()

    def close(self) -> None:
        """The container has ended: followers get the rest and their end."""
        if self.is_open:
            self.is_open = False
            if self._rest:
                stamp = clock.to_micro_text(clock.now()).encode()
                self._write(b"%s stdout P %s\n" % (stamp, self._rest))
                self._rest = b""
            self._file.close()
            self._wake()

    async def wait_for_end(self) -> None:
        """Wait until the container has ended and all of its output is here."""
        while self.is_open:
            await self._changed.wait()

    async def wait_for_change(self) -> None:
        """Wait until something was appended, or the file was closed."""
        if self.is_open:
            await self._changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _write(self, data: bytes) -> None:
        try:
            self._write_whole(data)
            self._cut()
        except OSError as error:
            if not self._is_failing:
                _LOG.warning("output of a container is lost, %s: %s", self.path, error)
            self._is_failing = True
        else:
            self._is_failing = False

    def _write_whole(self, data: bytes) -> None:
        """Write all or nothing: a disk that fills up takes a part, and half lines mislead."""
        began_at = self._file.tell()
        if self._file.write(data) < len(data):
            self._file.truncate(began_at)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _cut(self) -> None:
        if self._file.tell() > _LARGEST_FILE_BYTES:
            self._file.close()
            self.path.replace(self.path.with_suffix(".old"))
            self._file = self.path.open("ab", buffering=0)
            self.cuts += 1


class PipeToLog(asyncio.Protocol):
    """Copies what comes out of a pipe into a log."""

    def __init__(self, log: LogFile) -> None:
        self._log = log

    def data_received(self, data: bytes) -> None:
        self._log.append(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._log.close()


async def copy(descriptor: int, log: LogFile) -> None:
    """Copy what comes out of a descriptor into a log, and close both at its end."""
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: PipeToLog(log), os.fdopen(descriptor, "rb", buffering=0)
    )


@dataclass(frozen=True)
class LogQuery:
    """What ``kubectl logs`` can ask for (PodLogOptions)."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: dt.datetime | None = None
    limit_bytes: int | None = None


def select_lines(lines: Iterable[bytes], query: LogQuery) -> Iterator[bytes]:
    """Choose and format whole CRI lines; every result ends as the container's line ended."""
    chosen = [line for line in lines if query.since is None or _instant(line) >= query.since]
    if query.tail_lines is not None:
        chosen = chosen[len(chosen) - query.tail_lines :] if query.tail_lines else []
    for line in chosen:
        yield format_line(line, timestamps=query.timestamps)


def format_line(line: bytes, *, timestamps: bool) -> bytes:
    """Strip the CRI columns; a partial line has no newline of its own."""
    stamp, _stream, tag, text = line.split(b" ", 3)
    return (stamp + b" " if timestamps else b"") + text + (b"\n" if tag == b"F" else b"")


async def read_log(path: Path, live: LogFile | None, query: LogQuery) -> AsyncIterator[bytes]:
    """Yield the log in pieces, and go on as it grows when asked to follow.

    Raises:
        FileNotFoundError: there is no such log.
    """
    left = query.limit_bytes
    async for piece in _read_pieces(path, live, query):
        yield piece if left is None else piece[:left]
        left = None if left is None else left - len(piece)
        if left is not None and left <= 0:
            return


async def _read_pieces(path: Path, live: LogFile | None, query: LogQuery) -> AsyncIterator[bytes]:
    cuts = live.cuts if live is not None else 0
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("rb"))
        old = path.with_suffix(".old")
        earlier = old.read_bytes().split(b"\n")[:-1] if old.exists() else []
        selected = b"".join(select_lines([*earlier, *_whole_lines(file)], query))
        if selected:
            yield selected
        while query.follow and live is not None:
            was_open, was_cut = live.is_open, live.cuts != cuts
            if lines := _whole_lines(file):
                yield b"".join(format_line(line, timestamps=query.timestamps) for line in lines)
            elif was_cut:  # what was open is the old part now, read to its end
                cuts = live.cuts
                file = stack.enter_context(path.open("rb"))
            elif was_open:
                await live.wait_for_change()
            else:
                return


def read_tail(path: Path, *, lines: int, limit_bytes: int) -> str:
    """Return the last lines as text: the termination message of a container that failed."""
    try:
        content = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return ""
    text = b"".join(select_lines(content, LogQuery(tail_lines=lines)))
    return text[-limit_bytes:].decode(errors="replace")


def _whole_lines(file: BinaryIO) -> list[bytes]:
    # Every write ends a line, so what is there is whole.
    return file.read().split(b"\n")[:-1]


def _format_line(stamp: bytes, line: bytes) -> Iterator[bytes]:
    while len(line) > _LONGEST_LINE_BYTES:
        yield b"%s stdout P %s\n" % (stamp, line[:_LONGEST_LINE_BYTES])
        line = line[_LONGEST_LINE_BYTES:]
    yield b"%s stdout F %s\n" % (stamp, line)


def _instant(line: bytes) -> dt.datetime:
    return clock.from_text(line.split(b" ", 1)[0].decode())

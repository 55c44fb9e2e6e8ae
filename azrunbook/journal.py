"""The journal of a run: what happened, in order, each line chained to the one before.

Append-only JSON lines; each is scrubbed, written whole, fsynced before the call returns, and
carries the SHA-256 of its predecessor, so that a later change shows. The runner and the kernel
append to the same file; an advisory lock keeps their lines apart. A process killed while writing
leaves a torn last line: the next writer moves it to ``journal.torn`` and says so in the journal.

Touches the journal's folder only. What the kinds of entries mean is known to ``procedures.runs``.
"""

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from azrunbook import errors, secrets

FILE_NAME = "journal.jsonl"
TORN_NAME = "journal.torn"
GENESIS = "0" * 64
_TAIL_BYTES = 65536


@dataclass(frozen=True)
class Entry:
    """One line.

    Attributes:
        seq: 1 for the first.
        at: UTC, ISO 8601 with microseconds.
        kind: what happened; see ``procedures.runs``.
        data: JSON, without secrets.
        prev: hash of the entry before; 64 zeros for the first.
        hash: SHA-256 over the other five, hexadecimal.
    """

    seq: int
    at: str
    kind: str
    data: dict[str, Any]
    prev: str
    hash: str


class Journal:
    """Appends to one journal; any number of processes may."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME

    def append(self, kind: str, **data: Any) -> Entry:
        """Write one entry and return it once it is on disk.

        Raises:
            JournalError: the last whole line is not an entry; nothing was written.
        """
        clean = secrets.scrub_json(json.loads(json.dumps(data, default=str)))
        with _locked(self.path) as descriptor:
            last = _take_last(descriptor, self.path)
            torn = _move_torn(descriptor, self.path)
            if torn:
                last = _write(descriptor, last, "repaired", {"torn_bytes": torn})
            return _write(descriptor, last, kind, clean)

    def read(self) -> tuple[Entry, ...]:
        return read(self.path.parent)


def read(folder: Path) -> tuple[Entry, ...]:
    """Read the whole entries of a run's journal, in order; a torn last line is left out.

    Raises:
        JournalError: there is no journal, or a line before the last is not an entry.
    """
    path = folder / FILE_NAME
    try:
        lines = path.read_bytes().split(b"\n")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise errors.JournalError(
            f"{path} does not exist: expected the folder of a run, such as "
            "reports/01_provision_estate/<time>_<target>"
        ) from error
    # What follows the last line break is empty, or torn.
    return tuple(_parse(line, number, path) for number, line in enumerate(lines[:-1], 1))


def verify(folder: Path) -> list[str]:
    """Check a journal's chain; returns what is wrong with it, one sentence each.

    A torn last line is no problem: it was never finished, and nothing was started on its word.
    """
    try:
        entries = read(folder)
    except errors.JournalError as error:
        return [str(error)]
    if not entries:
        return [f"{folder / FILE_NAME} is empty: expected at least a start"]
    return list(_list_breaks(entries))


def hash_entry(entry: Entry) -> str:
    """Compute the hash that an entry must carry."""
    content = {key: value for key, value in asdict(entry).items() if key != "hash"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _list_breaks(entries: Sequence[Entry]) -> Iterator[str]:
    previous = GENESIS
    for number, entry in enumerate(entries, 1):
        if entry.seq != number:
            yield f"line {number} is entry {entry.seq}: lines were removed, added or moved"
        if entry.prev != previous:
            yield f"line {number} ({entry.kind}) does not follow the line before it"
        if entry.hash != hash_entry(entry):
            yield f"line {number} ({entry.kind}) was changed after it was written"
        previous = entry.hash


def _parse(line: bytes, number: int, path: Path) -> Entry:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise errors.JournalError(
            f"{path.name} line {number} is not a journal entry ({error}): the record was damaged "
            "or changed. Keep the folder as it is and look at the file by hand."
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
        os.fsync(descriptor)
        if is_new:
            _sync_folder(path.parent)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable, too: a new file is not on disk before its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _take_last(descriptor: int, path: Path) -> Entry | None:
    """Read the last whole entry, whichever process wrote it."""
    size = os.fstat(descriptor).st_size
    start, tail = size, b""
    while start > 0:
        start = max(0, start - _TAIL_BYTES)
        tail = os.pread(descriptor, size - start, start)
        lines = tail[: tail.rfind(b"\n") + 1].split(b"\n")
        # Two breaks: one ends the last line, one (or the file's start) is before it.
        if len(lines) > 2 or (start == 0 and len(lines) > 1):  # noqa: PLR2004 - see above
            return _parse(lines[-2], 0, path)
    return None


def _move_torn(descriptor: int, path: Path) -> int:
    """Move an unfinished last line out of the journal; returns its length in bytes."""
    size = os.fstat(descriptor).st_size
    if not size or os.pread(descriptor, 1, size - 1) == b"\n":
        return 0
    content = os.pread(descriptor, size, 0)
    keep = content.rfind(b"\n") + 1
    with path.with_name(TORN_NAME).open("ab") as torn:
        torn.write(content[keep:] + b"\n")
    os.ftruncate(descriptor, keep)
    return size - keep


def _write(descriptor: int, last: Entry | None, kind: str, data: dict[str, Any]) -> Entry:
    entry = Entry(
        seq=last.seq + 1 if last else 1,
        at=dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"),
        kind=kind,
        data=data,
        prev=last.hash if last else GENESIS,
        hash="",
    )
    entry = Entry(**{**asdict(entry), "hash": hash_entry(entry)})
    line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
    while line:
        line = line[os.write(descriptor, line) :]
    return entry

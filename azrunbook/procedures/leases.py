"""Who changes a target: one run at a time per environment and target, and the second is told who.

The lease is a file in ``reports/.leases/`` that names a run's folder. It holds for as long as a
process holds that folder's lock, so a killed run leaves nothing that would have to be broken: the
next one takes over and records whose lease it was. Dry runs take none.

Known limit: runs that share no reports folder (another machine, another checkout) do not see each
other. A lease in the target itself was considered: a tag on a resource group is not compared and
set in one step, and a blob's lease needs an account that the first run has yet to make and that
no public network reaches. Serialise such runs in CI, by a concurrency group for instance.
"""

import contextlib
import datetime as dt
import fcntl
import hashlib
import json
import os
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from azrunbook import errors, journal

_DIGITS = 8


@dataclass(frozen=True)
class Lease:
    """Whose lease it is; ``since`` is ISO 8601 in UTC, ``run`` is below the reports folder."""

    run: str
    process: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"{self.run} (process {self.process} on {self.host}, since {self.since})"


class Taking:
    """The right to write one lease, while nobody else looks at it.

    Attributes:
        left_by: the lease that a run left when it was killed or forgot to end; None: none.
    """

    def __init__(self, file: Path, reports: Path, left_by: Lease | None) -> None:
        self._file = file
        self._reports = reports
        self.left_by = left_by

    def give(self, folder: Path) -> None:
        """Give the lease to a run whose folder's lock is held."""
        lease = Lease(
            folder.relative_to(self._reports).as_posix(),
            os.getpid(),
            platform.node(),
            dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        )
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(lease)), encoding="utf-8")
        partial.replace(self._file)


@contextlib.contextmanager
def taking(
    reports: Path,
    environment: str,
    target: str,
    *,
    home: str,
    is_alive: Callable[[Path], bool],
    own: Path | None = None,
) -> Iterator[Taking]:
    """Take the lease of an environment on a target; the block gives it to a run.

    Args:
        reports: folder of all reports.
        environment: ``dv`` and so on.
        target: by its name.
        home: the state folder in which the target is found: another one has another sandbox.
        is_alive: whether a process holds the lock of a run's folder.
        own: the run that asks, if it is there already (to be undone).

    Raises:
        PreflightError: a living run holds it; says which, where and since when.
    """
    folder = reports / ".leases"
    folder.mkdir(parents=True, exist_ok=True)
    place = hashlib.sha256(home.encode()).hexdigest()[:_DIGITS]
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{environment}-{target}")
    file = folder / f"{stem}-{place}.json"
    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for as long as it takes to make a folder
        lease = _read(file)
        holder = reports / lease.run if lease else None
        is_foreign = holder is not None and holder != own
        if is_foreign and holder and holder.is_dir() and is_alive(holder):
            raise errors.PreflightError(
                f"{environment} on {target} is being changed by {lease}: expected no other run. "
                "Nothing was changed. Wait for its end, or stop it (Ctrl-C in its terminal, or "
                "shut its kernel down)."
            )
        was_left = is_foreign and holder and not _has_ended(holder)
        yield Taking(file, reports, lease if was_left else None)
    finally:
        os.close(descriptor)


def _read(file: Path) -> Lease | None:
    """A damaged lease must not keep people from working: it counts as none."""
    try:
        return Lease(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _has_ended(folder: Path) -> bool:
    try:
        return any(entry.kind == "end" for entry in journal.read(folder))
    except (OSError, errors.JournalError):
        return False

"""The folders of runs: made, found, held while alive, ended, and chained to one another.

``reports/<procedure>/<time>_<target>/`` holds one run. The start of each run carries the hash of
the newest one before it, so the runs of a reports folder are one chain. A run is alive while a
process holds the lock on its folder, which ends with that process, however it ends.
"""

import contextlib
import datetime as dt
import fcntl
import getpass
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import azrunbook
from azrunbook import connection, errors, journal
from azrunbook.procedures import leases, records

_PACKAGES = (
    "azure-identity", "azure-mgmt-containerservice", "azure-mgmt-core", "kubernetes", "pyhelm3",
    "papermill", "nbclient", "nbconvert", "ipykernel",
)  # fmt: skip


def create(
    reports: Path,
    procedure: str,
    *,
    environment: str,
    target: str,
    parameters: Mapping[str, Any],
    notebook_sha256: str = "",
) -> tuple[Path, int]:
    """Make a run's folder and write its start; returns the folder and the lock that is held on it.

    The start carries the hash of the newest run before it, so that all runs of a reports folder
    are one chain. The lock is a descriptor; it says that the run is alive, for as long as it is
    open.

    Raises:
        PreflightError: another run changes this environment on this target; see :mod:`.leases`.
    """
    earlier = list_runs(reports)
    applies = parameters.get("apply") is True
    left_by = None
    with contextlib.ExitStack() as stack:
        lease = stack.enter_context(lease_of(reports, environment, target)) if applies else None
        folder = _make_folder(reports / procedure, target)
        lock = hold(folder)
        if lease:
            lease.give(folder)
            left_by = lease.left_by
    log = journal.Journal(folder)
    log.append(
        "start",
        format=1,
        procedure=procedure,
        environment=environment,
        target=target,
        apply=applies,
        notebook_sha256=notebook_sha256,
        previous=_describe_previous(earlier, reports),
        resumes=_find_interrupted(earlier, procedure, target),
        took_over=str(left_by) if left_by else None,
        git=_describe_git(),
        versions=_list_versions(),
        user=getpass.getuser(),
    )
    log.append("parameters", **parameters)
    return folder, lock


def lease_of(
    reports: Path, environment: str, target: str, *, own: Path | None = None
) -> contextlib.AbstractContextManager[leases.Taking]:
    """The lease of an environment on a target; ``own``: the run that asks, to be undone."""
    home = os.environ.get(connection.HOME_VARIABLE, "")
    return leases.taking(reports, environment, target, home=home, is_alive=is_alive, own=own)


def end(folder: Path) -> records.Judgement:
    """Write the end of a run with the verdict its journal amounts to."""
    log = journal.Journal(folder)
    judgement = records.judge_ended(log.read())
    log.append("end", verdict=judgement.verdict, reasons=judgement.reasons)
    return judgement


def list_runs(reports: Path) -> list[Path]:
    """The folders of all runs, the oldest first (by the time in their names)."""
    found = (path.parent for path in reports.glob(f"*/*/{journal.FILE_NAME}"))
    return sorted(found, key=lambda folder: (folder.name, folder.parent.name))


def find_run(reports: Path, name: str) -> Path:
    """Find a run by its path, by ``procedure/time_target``, or by a procedure: its newest.

    Raises:
        NotFoundError: there is none; names the newest ones.
    """
    for candidate in (Path(name), reports / name):
        if (candidate / journal.FILE_NAME).is_file():
            return candidate
    known = list_runs(reports)
    matching = [run for run in known if name in {run.parent.name, run.name}]
    if matching:
        return matching[-1]
    newest = ", ".join(f"{run.parent.name}/{run.name}" for run in known[-3:]) or "none yet"
    raise errors.NotFoundError(
        f"no run '{name}' under {say(reports)}: expected a run's folder, or a procedure's "
        f"name for its newest run. The newest: {newest}"
    )


def hold(folder: Path) -> int:
    """Take the lock of a run, which ends with this process; returns the descriptor to close.

    Raises:
        JournalError: another process holds it: the run is alive.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise errors.JournalError(
            f"{say(folder)} is alive: another process runs or undoes it. Wait for its end, "
            "or stop it first (Ctrl-C in its terminal, or shut its kernel down)."
        ) from error
    return descriptor


def is_alive(folder: Path) -> bool:
    """Whether a process still runs or undoes this run."""
    try:
        os.close(hold(folder))
    except errors.JournalError:
        return True
    return False


def _make_folder(parent: Path, target: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^A-Za-z0-9.-]+", "-", target).strip("-") or "target"
    stem = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}_{slug}"
    for number in range(1, 100):
        folder = parent / (stem if number == 1 else f"{stem}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise errors.JournalError(f"{parent / stem}: a hundred runs in one second. Wait a second.")


def _describe_previous(earlier: list[Path], reports: Path) -> dict[str, str] | None:
    for folder in reversed(earlier):
        if entries := _read_whole(folder):
            return {"run": folder.relative_to(reports).as_posix(), "head": entries[-1].hash}
    return None


def _find_interrupted(earlier: list[Path], procedure: str, target: str) -> str | None:
    """The last run of the same procedure and target, if it never came to its end."""
    for folder in reversed(earlier):
        entries = _read_whole(folder) if folder.parent.name == procedure else ()
        if entries and records.get_start(entries).get("target") == target:
            interrupted = records.judge(entries).verdict == "interrupted"
            return folder.name if interrupted and not is_alive(folder) else None
    return None


def _read_whole(folder: Path) -> tuple[journal.Entry, ...]:
    """A damaged record must not keep people from working: it counts as none here."""
    try:
        return journal.read(folder)
    except errors.JournalError:
        return ()


def _describe_git() -> dict[str, Any] | None:
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        answer = subprocess.run(  # noqa: S603 - a constant command
            command, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None  # not a checkout, or no git: the package's version still says what ran
    lines = answer.stdout.splitlines()
    commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid")), "")
    return {"commit": commit, "has_changes": any(not line.startswith("#") for line in lines)}


def _list_versions() -> dict[str, str]:
    versions = {"azrunbook": azrunbook.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def say(folder: Path) -> str:
    try:
        return folder.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return f"{folder.parent.parent.name}/{folder.parent.name}/{folder.name}"

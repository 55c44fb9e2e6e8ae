"""Run one master notebook headless, and leave a record that is true however it ended.

This process supervises: it follows the journal, keeps the deadline and takes the signals, while a
thread executes the cells in a kernel of its own. What goes wrong (a failed cell, a dead kernel,
the deadline, Ctrl-C, SIGTERM) ends the kernel and everything it started first; then the run is
undone here, if it asked for that; then the end is written. A runner that is itself killed leaves
its kernel killed and its journal on disk, which is all that ``azrunbook undo`` needs.
"""

import contextlib
import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

from azrunbook import connection, errors, journal, report, secrets
from azrunbook.notebooks import engine, parameters
from azrunbook.procedures import folders, records, runs, undoing

DEADLINE_SECONDS = 7200.0
_LOOK_SECONDS = 0.1
_END_SECONDS = 15.0  # for the execution to notice that its kernel is gone

Tell = Callable[[journal.Entry], None]


@dataclass(frozen=True)
class Outcome:
    """Where the run's record is, its verdict, how long it took with its report, who ended it.

    Attributes:
        was_stopped: Ctrl-C or a signal asked for its end, maybe too late to change its verdict.
    """

    folder: Path
    judgement: records.Judgement
    duration_seconds: float
    was_stopped: bool

    @property
    def succeeded(self) -> bool:
        """Whether the run did what was asked: passed, or planned in a dry run."""
        return self.judgement.verdict in {"passed", "planned"}


@dataclass
class _Stop:
    """Takes SIGINT, SIGTERM and SIGHUP while a run is going; the first asks for its end."""

    reason: str = ""
    is_undoing: bool = False
    _asked_while_undoing: int = 0
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in engine.SIGNALS:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        self.reason = self.reason or ("Ctrl-C" if name == "SIGINT" else name)
        self._asked_while_undoing += self.is_undoing
        if self._asked_while_undoing > 1:
            raise KeyboardInterrupt  # asked twice: undoing is given up, and the journal says so


def run(
    master: Path,
    given: Mapping[str, Any],
    *,
    environment: str,
    target: str,
    reports: Path,
    connect: Callable[[str, str], Any],
    deadline_seconds: float = DEADLINE_SECONDS,
    tell: Tell = lambda _: None,
) -> Outcome:
    """Run a master notebook and write its report.

    Args:
        master: the notebook; it is not written to.
        given: parameters by name, as text or as values.
        environment: value of the notebook's parameter ``env``, unless given.
        target: value of its parameter ``target``, unless given.
        reports: folder of all reports.
        connect: makes the clients from environment and target; called only to undo.
        deadline_seconds: the whole run's; when it passes, the run ends as if it had failed.
        tell: receives each entry of the journal while it runs.

    Raises:
        ParameterError: a parameter is wrong; nothing was started.
    """
    began = time.monotonic()
    values = parameters.check(master, given, defaults={"env": environment, "target": target})
    environment, target = values.get("env", environment), values.get("target", target)
    folder, lock = folders.create(
        reports,
        master.stem,
        environment=environment,
        target=Path(target).stem,
        parameters=values,
        notebook_sha256=hashlib.sha256(master.read_bytes()).hexdigest(),
    )
    try:
        with _Stop() as stop, _following(folder, tell), _sharing_secrets():
            execution = _execute(master, values, folder, stop, deadline_seconds)
            log = journal.Journal(folder)
            _finish(log, execution, stop, lambda: connect(environment, target))
            log.append("executed", **_account(execution, began))
            execution.save()
            judgement = report.write(folder)
        return Outcome(folder, judgement, time.monotonic() - began, bool(stop.reason))
    finally:
        os.close(lock)


def _execute(
    master: Path, values: Mapping[str, Any], folder: Path, stop: _Stop, deadline_seconds: float
) -> engine.Execution:
    """Execute the cells until they end, are stopped, or are late."""
    deadline = time.monotonic() + deadline_seconds
    environment = {runs.RUN_VARIABLE: str(folder.resolve())}
    if connection.HOME_VARIABLE in os.environ:  # the kernel's current folder is another one
        environment[connection.HOME_VARIABLE] = str(connection.find_home())
    kernel = engine.Kernel(folder=master.resolve().parent, environment=environment)
    execution = engine.Execution(master, folder / master.name, kernel, values)
    execution.start()
    # While the cells run there is nothing to do here: what the page needs is imported now.
    threading.Thread(target=_prepare_page, args=(execution,), daemon=True).start()
    stopped: tuple[str, str] | None = None
    while execution.is_alive():
        execution.join(timeout=_LOOK_SECONDS)
        if stop.reason:
            stopped = ("stopped", f"by {stop.reason}")
        elif time.monotonic() > deadline:
            stopped = ("the deadline passed", f"{deadline_seconds:g} s for the whole run")
        if stopped:
            kernel.kill()
            execution.join(timeout=_END_SECONDS)
            break
    if said := kernel.close():
        (folder / "kernel.log").write_text(said, encoding="utf-8")
    if stopped:
        cell = execution.failure[2] if execution.failure else None
        execution.failure = (*stopped, cell)
    return execution


def _finish(
    log: journal.Journal,
    execution: engine.Execution,
    stop: _Stop,
    connect: Callable[[], Any],
) -> None:
    """Write what went wrong, undo if the run asked for it, and write the end."""
    folder = log.path.parent
    entries = log.read()
    has_ended = any(entry.kind == "end" for entry in entries)
    if execution.failure is None and has_ended:
        return
    reason, error, cell = execution.failure or (
        "the notebook did not end its run", "its last cell has to call run.finish()", None
    )  # fmt: skip
    log.append("failure", reason=reason, error=error, cell=cell)
    if not (records.undoes_on_failure(entries) and records.list_pending_undos(entries)):
        folders.end(folder)
        return
    stop.is_undoing = True
    try:
        undoing.undo(folder, connect())
    except (Exception, KeyboardInterrupt) as problem:  # noqa: BLE001 - the end is written all the same
        said = f"{type(problem).__name__}: {problem}".rstrip(": ")
        log.append("failure", reason="undoing was given up", error=said, cell=None)
        folders.end(folder)


def _prepare_page(execution: engine.Execution) -> None:
    engine.leave_signals_to_main()
    execution.first_cell.wait()
    report.html.load_filters()


def _account(execution: engine.Execution, began: float) -> dict[str, Any]:
    """How long the cells took, and how long papermill, the kernel and the runner took."""
    now = time.monotonic()
    first, last = execution.started_at or now, execution.ended_at or now
    return {
        "cells": execution.cells,
        "seconds_to_first_cell": round(first - began, 3),
        "seconds_after_last_cell": round(now - last, 3),
        "overhead_seconds": round(first - began + now - last, 3),
    }


@contextlib.contextmanager
def _sharing_secrets() -> Iterator[None]:
    descriptor = secrets.share_register()
    try:
        yield
    finally:
        os.environ.pop(secrets.SHARED_VARIABLE, None)
        os.close(descriptor)


@contextlib.contextmanager
def _following(folder: Path, tell: Tell) -> Iterator[None]:
    """Hand each new entry of the journal to ``tell``, from a thread of its own."""
    ended = threading.Event()

    def follow() -> None:
        engine.leave_signals_to_main()
        told = size = 0
        is_last_look = False
        while not is_last_look:
            is_last_look = ended.wait(_LOOK_SECONDS)
            grown, size = size, (folder / journal.FILE_NAME).stat().st_size
            if grown == size:
                continue
            with contextlib.suppress(errors.JournalError):  # told by verify, not by the follower
                entries = journal.read(folder)
                for entry in entries[told:]:
                    tell(entry)
                told = len(entries)

    follower = threading.Thread(target=follow, name="follow the journal", daemon=True)
    follower.start()
    try:
        yield
    finally:
        ended.set()
        follower.join()

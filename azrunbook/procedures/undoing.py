"""Undo a run from its journal: by the runner after a failure, or from another shell much later.

Works in reverse order of what was started, leaves out what was never started or is undone
already, and goes on after an undo that fails, because every step taken back is one less to repair
by hand. Running it again tries again what failed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from azrunbook import errors, journal
from azrunbook.procedures import actions, folders, records

_TIMEOUT_SECONDS = 1800.0


def undo(
    folder: Path, clients: Any, *, tell: Callable[[str], None] = lambda _: None
) -> records.Judgement:
    """Undo what a run did and is not undone yet, and write its end; idempotent.

    The caller holds the run's lock (:func:`folders.hold`). With nothing to undo, an ended run is
    left as it is.

    Raises:
        JournalError: the journal is damaged or was changed; nothing was undone, because an
            undo that someone wrote into it must not run.
    """
    if problems := journal.verify(folder):
        raise errors.JournalError(
            f"the journal of {folder.parent.name}/{folder.name} cannot be trusted: "
            f"{'; '.join(problems)}. Nothing was undone; compare the estate with the plan by hand."
        )
    log = journal.Journal(folder)
    entries = log.read()
    pending = records.list_pending_undos(entries)
    if not pending and any(entry.kind == "end" for entry in entries):
        return records.judge(entries)
    for entry in pending:
        _undo_one(log, entry, clients, tell)
    return folders.end(folder)


def _undo_one(
    log: journal.Journal, entry: journal.Entry, clients: Any, tell: Callable[[str], None]
) -> None:
    step, name = entry.data["step"], entry.data["action"]

    def report(message: str) -> None:
        log.append("progress", step=step, message=message)
        tell(f"undo {step}: {message}")

    log.append("undo_started", undo=entry.seq, step=step, action=name)
    tell(f"undo {step}: {name.replace('_', ' ')}")
    progress = actions.Progress(report, _TIMEOUT_SECONDS)
    try:
        actions.perform(name, clients, progress, entry.data["arguments"])
    except Exception as error:  # noqa: BLE001 - recorded; the other undos matter more than this one
        said = f"{type(error).__name__}: {error}"
        log.append("undo_failed", undo=entry.seq, step=step, error=said)
        tell(f"undo {step} FAILED: {said}")
    else:
        log.append("undo_done", undo=entry.seq, step=step)
        tell(f"undo {step}: done")

"""What a journal says: its verdict, its steps, what is left to undo. Pure, from entries alone.

The kinds of entries, in the order in which a run writes them:

=============  =====================================================================================
start          procedure, environment, target, apply, versions, git, resumes, previous run's head
parameters     name: value
identity       what was connected to; whether failure leads to undo
check          phase (preflight or verify), required, and the fields of a ``CheckResult``
observation    a table of what was seen
plan           ``Plan.as_dict()``
undo           step, action, arguments: how to take the step back; always before its step_started
step_started   step, group
progress       step, message
step_done      step, seconds, outcome
step_failed    step, seconds, error
metric         name, value, unit, predicted
failure        reason, error, cell: what the runner saw go wrong
undo_started   undo (seq of the entry undone), step; then undo_done or undo_failed
end            verdict, reasons; a later undo adds a second one
executed       the runner's account of the cells and of its own overhead
sealed         SHA-256 of every file of the folder
repaired       a torn line was moved away
=============  =====================================================================================
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from azrunbook import journal

Verdict = Literal["passed", "failed", "undone", "planned", "interrupted"]


@dataclass(frozen=True)
class Judgement:
    """A verdict and why, one sentence each; nothing to say about one that passed."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()


@dataclass
class StepRecord:
    """What became of one step of the plan.

    Attributes:
        state: planned, running (started, never ended), done, failed, undone or undo_failed.
        started_at: ISO 8601, empty when it never started.
        seconds: how long it took; None when it did not end.
        detail: its outcome, its error, or the last progress told.
    """

    name: str
    group: str
    state: str = "planned"
    started_at: str = ""
    seconds: float | None = None
    detail: str = ""


def judge(entries: Sequence[journal.Entry]) -> Judgement:
    """Compute the verdict; a run that never came to its end is interrupted."""
    if not any(entry.kind == "end" for entry in entries):
        last = f"the record stops after entry {len(entries)}" if entries else "it never started"
        return Judgement("interrupted", (last, *_list_failures(entries)))
    return judge_ended(entries)


def judge_ended(entries: Sequence[journal.Entry]) -> Judgement:
    """Compute the verdict of a run whose end is known to be now."""
    failures = (*_list_failures(entries), *_list_failed_checks(entries))
    if any(entry.kind == "undo_started" for entry in entries):
        if left := list_pending_undos(entries):
            names = ", ".join(dict.fromkeys(str(entry.data["step"]) for entry in left))
            return Judgement("failed", (*failures, f"not undone: {names}"))
        return Judgement("undone", failures)
    if failures:
        return Judgement("failed", failures)
    if not _applies(entries):
        return _judge_dry_run(entries)
    missing = tuple(
        f"step '{step.name}' was not done" for step in list_steps(entries) if step.state != "done"
    )
    if not any(entry.data["phase"] == "verify" for entry in list_checks(entries)):
        missing += ("nothing was verified",)
    return Judgement("failed", missing) if missing else Judgement("passed")


def _judge_dry_run(entries: Sequence[journal.Entry]) -> Judgement:
    if any(entry.kind == "step_started" for entry in entries):
        return Judgement("failed", ("a step ran although apply was False",))
    if not any(entry.kind == "plan" for entry in entries):
        return Judgement("failed", ("no plan was shown",))
    checks = list_checks(entries)
    if not checks:
        return Judgement("failed", ("nothing was checked",))
    if any(entry.data["phase"] == "verify" and entry.data["required"] for entry in checks):
        return Judgement("passed")  # an audit: the goal was required and met, nothing was changed
    return Judgement("planned")


def get_start(entries: Sequence[journal.Entry]) -> dict[str, Any]:
    """The data of the start; empty when the run was killed before it was written."""
    return next((entry.data for entry in entries if entry.kind == "start"), {})


def find_parameter(entries: Iterable[journal.Entry], name: str) -> Any:
    """The value a parameter had; None when there is no such parameter."""
    return next((entry.data.get(name) for entry in entries if entry.kind == "parameters"), None)


def list_checks(entries: Iterable[journal.Entry]) -> list[journal.Entry]:
    """The checks that count: the last one of each phase and name, in order of first appearance."""
    latest = {
        (entry.data["phase"], entry.data["name"]): entry
        for entry in entries
        if entry.kind == "check"
    }
    return list(latest.values())


def list_steps(entries: Iterable[journal.Entry]) -> list[StepRecord]:
    """The steps of the last plan, and any other that ran, with what became of each."""
    records: dict[str, StepRecord] = {}
    for entry in entries:
        if entry.kind == "plan":
            kept = {name: record for name, record in records.items() if record.started_at}
            records = {
                step["name"]: StepRecord(step["name"], step["group"])
                for step in entry.data["steps"]
            } | kept
        elif "step" in entry.data:
            _apply(entry, records)
    return list(records.values())


def _apply(entry: journal.Entry, records: dict[str, StepRecord]) -> None:
    name = entry.data["step"]
    record = records.setdefault(name, StepRecord(name, entry.data.get("group", "")))
    if entry.kind == "step_started":
        record.state, record.started_at, record.detail = "running", entry.at, ""
        record.seconds = None
    elif entry.kind in {"step_done", "step_failed"}:
        record.state = entry.kind.removeprefix("step_")
        record.seconds = entry.data["seconds"]
        record.detail = entry.data.get("error") or entry.data.get("outcome") or record.detail
    elif entry.kind == "progress":
        record.detail = entry.data["message"]
    elif entry.kind in {"undo_done", "undo_failed"}:
        record.state = "undone" if entry.kind == "undo_done" else "undo_failed"
        record.detail = entry.data.get("error") or record.detail


def list_pending_undos(entries: Sequence[journal.Entry]) -> list[journal.Entry]:
    """The undo entries whose step was started and that were not undone yet, the newest first."""
    undone = {entry.data["undo"] for entry in entries if entry.kind == "undo_done"}
    started = {entry.data["step"]: entry.seq for entry in entries if entry.kind == "step_started"}
    return [
        entry
        for entry in reversed(entries)
        if entry.kind == "undo"
        and entry.seq not in undone
        and started.get(entry.data["step"], 0) > entry.seq
    ]


def undoes_on_failure(entries: Iterable[journal.Entry]) -> bool:
    """Whether the run asked for its steps to be undone when it fails or is stopped."""
    wishes = [bool(entry.data["undo_on_failure"]) for entry in entries if entry.kind == "identity"]
    return bool(wishes) and wishes[-1]


def _applies(entries: Sequence[journal.Entry]) -> bool:
    return bool(get_start(entries).get("apply"))


def _list_failures(entries: Iterable[journal.Entry]) -> tuple[str, ...]:
    return tuple(
        f"{entry.data['reason']}: {entry.data['error']}"
        if entry.data["error"]
        else str(entry.data["reason"])
        for entry in entries
        if entry.kind == "failure"
    )


def _list_failed_checks(entries: Iterable[journal.Entry]) -> tuple[str, ...]:
    return tuple(
        f"check '{entry.data['name']}' failed: found {entry.data['found']}, "
        f"expected {entry.data['criterion']}"
        for entry in list_checks(entries)
        if entry.data["required"] and not entry.data["passed"]
    )

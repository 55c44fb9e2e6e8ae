"""result.json: one run as data, computed from its journal alone."""

import dataclasses
import datetime as dt
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from azrunbook import errors, journal
from azrunbook.procedures import records

FILE_NAME = "result.json"
_FORMAT = 1


def build(folder: Path) -> dict[str, Any]:
    """Read a run's journal into the shape of result.json.

    Times are UTC, ISO 8601; durations are seconds; ``ended_at`` is the last entry's time when the
    run never came to its end.

    Raises:
        JournalError: the journal is damaged, or empty.
    """
    entries = journal.read(folder)
    if not entries:
        raise errors.JournalError(f"{folder.name} is empty: it was killed before it began.")
    start, judgement = records.get_start(entries), records.judge(entries)
    first, last = entries[0].at, _find_end(entries).at
    executed = _find_last(entries, "executed")
    return {
        "format": _FORMAT,
        "run": f"{folder.parent.name}/{folder.name}",
        "procedure": start.get("procedure", folder.parent.name),
        "verdict": judgement.verdict,
        "reasons": list(judgement.reasons),
        "environment": start.get("environment", ""),
        "target": start.get("target", ""),
        "apply": start.get("apply", False),
        "parameters": _find_last(entries, "parameters"),
        "started_at": first,
        "ended_at": last,
        "duration_seconds": round(_count_seconds(first, last), 3),
        "overhead_seconds": executed.get("overhead_seconds"),
        "checks": [entry.data for entry in records.list_checks(entries)],
        "metrics": [entry.data for entry in entries if entry.kind == "metric"],
        "steps": [dataclasses.asdict(step) for step in records.list_steps(entries)],
        "undone": _list_undone(entries),
        "left_to_undo": list(
            dict.fromkeys(entry.data["step"] for entry in records.list_pending_undos(entries))
        ),
        "plan_hash": _find_last(entries, "plan").get("hash"),
        "plan_changes": _count_changes(_find_last(entries, "plan")),
        "cells": executed.get("cells", []),
        "identity": _find_last(entries, "identity"),
        "versions": start.get("versions", {}),
        "git": start.get("git"),
        "user": start.get("user"),
        "notebook_sha256": start.get("notebook_sha256"),
        "resumes": start.get("resumes"),
        "previous": start.get("previous"),
        "journal": {"entries": len(entries), "head": entries[-1].hash},
    }


def write(found: dict[str, Any], folder: Path) -> None:
    replace_text(folder / FILE_NAME, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _find_last(entries: Sequence[journal.Entry], kind: str) -> dict[str, Any]:
    return next((entry.data for entry in reversed(entries) if entry.kind == kind), {})


def _find_end(entries: Sequence[journal.Entry]) -> journal.Entry:
    ends = [entry for entry in entries if entry.kind == "end"]
    done = [entry for entry in entries if entry.kind not in {"executed", "sealed", "repaired"}]
    return ends[-1] if ends else (done or entries)[-1]


def _count_seconds(first: str, last: str) -> float:
    return (dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds()


def _count_changes(plan: dict[str, Any]) -> dict[str, int]:
    actions = [change["action"] for change in plan.get("changes", [])]
    return {action: actions.count(action) for action in dict.fromkeys(actions)}


def _list_undone(entries: Sequence[journal.Entry]) -> list[dict[str, Any]]:
    return [
        {"at": entry.at, "step": entry.data["step"], "done": entry.kind == "undo_done",
         "error": entry.data.get("error", "")}
        for entry in entries
        if entry.kind in {"undo_done", "undo_failed"}
    ]  # fmt: skip

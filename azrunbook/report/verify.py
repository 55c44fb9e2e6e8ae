"""Verify a run: nobody changed its journal, its files, its verdict or the run before it.

What this proves: the record is as it was sealed, provided that a later run (or a copy of its head
hash kept elsewhere) still stands. Who can rewrite the whole folder can forge all of it; a chain
without a signature shows changes, not their author.
"""

import json
from pathlib import Path
from typing import Any

from azrunbook import checks, errors, journal
from azrunbook.procedures import records
from azrunbook.report import hash_files, result


def verify(folder: Path) -> checks.CheckTable:
    """Check one run; never raises for a damaged record."""
    problems = journal.verify(folder)
    chain = checks.CheckResult(
        name="journal",
        passed=not problems,
        criterion="each entry follows the one before it, unchanged",
        found="; ".join(problems) or f"{len(journal.read(folder))} entries, unbroken",
        advice="the record was changed or damaged after it was written: do not rely on it",
    )
    if problems:
        return checks.CheckTable([chain])
    entries = journal.read(folder)
    return checks.CheckTable(
        [
            chain,
            _check_verdict(entries),
            _check_result(folder, entries),
            _check_files(folder, entries),
            _check_previous(folder, entries),
        ]
    )


def _check_verdict(entries: tuple[journal.Entry, ...]) -> checks.CheckResult:
    computed = records.judge(entries).verdict
    ends = [entry.data["verdict"] for entry in entries if entry.kind == "end"]
    return checks.CheckResult(
        name="verdict",
        passed=not ends or ends[-1] == computed,
        criterion="what the end says is what the entries amount to",
        found=f"the end says {ends[-1]}, the entries {computed}" if ends else "no end: interrupted",
        advice="trust the entries",
    )


def _check_result(folder: Path, entries: tuple[journal.Entry, ...]) -> checks.CheckResult:
    return checks.CheckResult(
        name=result.FILE_NAME,
        passed=not (problem := _find_difference(folder, entries)),
        criterion="what it says is what the journal says",
        found=problem or ("as the journal" if _is_sealed(entries) else "no report was written"),
        advice="trust the journal",
    )


def _find_difference(folder: Path, entries: tuple[journal.Entry, ...]) -> str:
    if not _is_sealed(entries):
        return ""
    try:
        said: dict[str, Any] = json.loads((folder / result.FILE_NAME).read_text(encoding="utf-8"))
        head = said["journal"]
        if entries[head["entries"] - 1].hash != head["head"]:
            return "it was written from another journal"
        verdict = records.judge(entries[: head["entries"]]).verdict
        return "" if said["verdict"] == verdict else f"{said['verdict']}, the journal {verdict}"
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        return f"unreadable: {error}"


def _check_files(folder: Path, entries: tuple[journal.Entry, ...]) -> checks.CheckResult:
    seals = [entry.data["files"] for entry in entries if entry.kind == "sealed"]
    sealed: dict[str, str] = seals[-1] if seals else {}
    present = hash_files(folder)
    added = sorted(present.keys() - sealed.keys()) if seals else []
    common = sorted(present.keys() & sealed.keys())
    wrong = [
        *(f"{name} is missing" for name in sealed if name not in present),
        *(f"{name} was changed" for name in common if present[name] != sealed[name]),
        *(f"{name} was added" for name in added),
    ]
    return checks.CheckResult(
        name="files",
        passed=not wrong,
        criterion="every file as it was when the run was sealed",
        found="; ".join(wrong)
        or (f"{len(sealed)} files unchanged" if seals else "the run was never sealed"),
        advice="the journal and a copy made earlier say what it was",
    )


def _check_previous(folder: Path, entries: tuple[journal.Entry, ...]) -> checks.CheckResult:
    """Walk back from run to run as far as they are in this folder."""
    reports = folder.resolve().parent.parent
    previous, walked, problem = records.get_start(entries).get("previous"), 0, ""
    while previous and not problem:
        before = reports / previous["run"]
        if not (before / journal.FILE_NAME).is_file():
            break
        problem = _check_link(before, previous)
        walked += 1
        if not problem:
            previous = records.get_start(journal.read(before)).get("previous")
    rest = f"; {previous['run']} is not in this folder" if previous and not problem else ""
    return checks.CheckResult(
        name="runs before",
        passed=not problem,
        criterion="each run's journal is the one that the next run saw",
        found=problem
        or (f"{walked} runs, unbroken{rest}" if walked or rest else "it is the first"),
        advice="an earlier run's record was changed after the next one had begun",
    )


def _check_link(before: Path, previous: dict[str, str]) -> str:
    if problems := journal.verify(before):
        return f"{previous['run']}: {'; '.join(problems)}"
    hashes = {entry.hash for entry in journal.read(before)}
    return "" if previous["head"] in hashes else f"{previous['run']} is not the journal it was"


def _is_sealed(entries: tuple[journal.Entry, ...]) -> bool:
    return any(entry.kind == "sealed" for entry in entries)


def find_head(folder: Path) -> str:
    """The hash of a journal's last entry: kept elsewhere, it proves the whole record later."""
    try:
        entries = journal.read(folder)
    except errors.JournalError:
        return ""
    return entries[-1].hash if entries else ""

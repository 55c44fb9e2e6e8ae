"""Reports: what a run's journal says, for people (HTML, index), machines (JSON) and CI (JUnit).

Everything is derived from the journal and the executed notebook, so a report can be written again
at any time, also for a run whose runner was killed. The last thing written is an entry of the
journal that carries the SHA-256 of every file.
"""

import contextlib
import hashlib
from pathlib import Path

from azrunbook import errors, journal
from azrunbook.procedures import folders, records
from azrunbook.report import html, index, junit, result

__all__ = ["html", "index", "junit", "result", "write", "write_missing"]


def write(folder: Path) -> records.Judgement:
    """Write result.json, junit.xml, the page, the seal and the index; returns the verdict."""
    judgement = _write_one(folder)
    reports = folder.parent.parent
    write_missing(reports)
    return judgement


def write_missing(reports: Path) -> None:
    """Report the runs that were killed before they could do it, then write the index anew."""
    for folder in folders.list_runs(reports):
        if not (folder / result.FILE_NAME).exists() and not folders.is_alive(folder):
            with contextlib.suppress(errors.JournalError):  # a damaged one is left as it is
                _write_one(folder)
    index.write(reports)


def _write_one(folder: Path) -> records.Judgement:
    found = result.build(folder)
    result.write(found, folder)
    junit.write(found, folder)
    html.write(found, folder)
    journal.Journal(folder).append("sealed", files=hash_files(folder))
    return records.judge(journal.read(folder))


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a run but its journal, by name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {journal.FILE_NAME, journal.TORN_NAME}
    }

"""The journal: chained, whole lines, repaired after a kill, changed by nobody unseen."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from azrunbook import errors, journal, secrets


def write(folder, *kinds):
    log = journal.Journal(folder)
    return [log.append(kind, number=place) for place, kind in enumerate(kinds)]


def rewrite(folder, change):
    path = folder / journal.FILE_NAME
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(lines)) + "\n")


def test_entries_are_chained_and_read_back(tmp_path):
    """What was appended is read back, each entry carrying the hash of the one before."""
    written = write(tmp_path, "start", "plan", "end")
    assert journal.read(tmp_path) == tuple(written)
    assert [entry.prev for entry in written] == [journal.GENESIS, *(e.hash for e in written[:-1])]
    assert journal.verify(tmp_path) == []


def test_instants_are_utc(tmp_path):
    """The time of an entry says that it is UTC."""
    assert write(tmp_path, "start")[0].at.endswith("+00:00")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda lines: [lines[0].replace('"number": 0', '"number": 7'), *lines[1:]], "was changed"),
        (lambda lines: [lines[0], lines[2]], "removed, added or moved"),
        (lambda lines: [lines[1], lines[0], lines[2]], "removed, added or moved"),
        (lambda lines: [lines[0], lines[1], lines[1], lines[2]], "does not follow"),
        (lambda lines: ["not json", *lines[1:]], "not a journal entry"),
        (lambda lines: ['{"seq": 1}', *lines[1:]], "not a journal entry"),
    ],
)
def test_tampering_shows(tmp_path, change, problem):
    """A changed, removed, moved, doubled or damaged line is a problem that names its line."""
    write(tmp_path, "start", "plan", "end")
    rewrite(tmp_path, change)
    assert problem in " ".join(journal.verify(tmp_path))


def test_a_rehashed_line_breaks_the_next_one(tmp_path):
    """Who changes a line and its hash is given away by the line after it."""
    write(tmp_path, "start", "end")

    def forge(lines):
        entry = journal.Entry(**{**json.loads(lines[0]), "data": {"number": 9}})
        forged = {**json.loads(lines[0]), "data": {"number": 9}, "hash": journal.hash_entry(entry)}
        return [json.dumps(forged), lines[1]]

    rewrite(tmp_path, forge)
    assert journal.verify(tmp_path) == ["line 2 (end) does not follow the line before it"]


def test_a_torn_line_is_moved_away_and_told(tmp_path):
    """After a kill in the middle of a line the next entry is appended to whole lines."""
    write(tmp_path, "start", "plan")
    with (tmp_path / journal.FILE_NAME).open("ab") as file:
        file.write(b'{"seq": 3, "at": "20')
    assert journal.verify(tmp_path) == []
    write(tmp_path, "end")
    assert [entry.kind for entry in journal.read(tmp_path)] == ["start", "plan", "repaired", "end"]
    assert (tmp_path / journal.TORN_NAME).read_bytes() == b'{"seq": 3, "at": "20\n'
    assert journal.verify(tmp_path) == []


def test_a_torn_first_line_is_no_entry(tmp_path):
    """A run killed while writing its very first line has an empty journal, then a whole one."""
    (tmp_path / journal.FILE_NAME).write_bytes(b'{"seq"')
    assert "empty" in journal.verify(tmp_path)[0]
    write(tmp_path, "start")
    assert [entry.kind for entry in journal.read(tmp_path)] == ["repaired", "start"]


def test_nothing_is_appended_to_a_damaged_journal(tmp_path):
    """A last line that is no entry stops the writer instead of being followed."""
    (tmp_path / journal.FILE_NAME).write_bytes(b"damaged\n")
    with pytest.raises(errors.JournalError, match="not a journal entry"):
        write(tmp_path, "start")


def test_a_missing_journal_says_what_was_expected(tmp_path):
    """The error names the path and what a run's folder looks like."""
    with pytest.raises(errors.JournalError, match="expected the folder of a run"):
        journal.read(tmp_path / "none")


def test_entries_longer_than_the_tail_are_chained(tmp_path):
    """An entry of any size is found again as the last one."""
    log = journal.Journal(tmp_path)
    log.append("observation", text="x" * 200_000)
    log.append("end")
    assert journal.verify(tmp_path) == []


def test_secrets_are_scrubbed_before_the_hash(tmp_path):
    """What is on disk holds no secret, and still verifies."""
    secrets.register("sekret-of-the-journal")
    journal.Journal(tmp_path).append("progress", message="it is sekret-of-the-journal")
    assert "sekret-of-the-journal" not in (tmp_path / journal.FILE_NAME).read_text()
    assert journal.verify(tmp_path) == []


def append_many(folder, count):
    for place in range(count):
        journal.Journal(folder).append("progress", place=place)


def test_processes_append_to_one_chain(tmp_path):
    """Runner and kernel append at once, and not one line is lost or out of order."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, 40)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(journal.read(tmp_path)) == 80
    assert journal.verify(tmp_path) == []


def test_a_killed_writer_leaves_a_journal_that_verifies(tmp_path):
    """A kill -9 at any moment leaves whole, chained lines for the next process to go on from."""
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=append_many, args=(tmp_path, 100_000))
    writer.start()
    path, deadline = tmp_path / journal.FILE_NAME, time.monotonic() + 20
    while not (path.exists() and path.stat().st_size > 5000) and time.monotonic() < deadline:
        os.sched_yield()
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    journal.Journal(tmp_path).append("end")
    assert journal.verify(tmp_path) == []
    assert journal.read(tmp_path)[-1].kind == "end"

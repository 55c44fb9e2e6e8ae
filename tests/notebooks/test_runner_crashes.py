"""Headless runs that are stopped or killed, at each phase: nothing goes on, nothing is untrue."""

import json
import os
import signal
from pathlib import Path

import pytest
from miniature_project import default_cells

from azrunbook import journal
from azrunbook.procedures import folders, records, undoing
from azrunbook.report import verify


def start_until(project, kind, *arguments, **data):
    """Start a run and wait until an entry of this kind is in its journal."""
    process = project.start("apply=true", *arguments)
    project.wait_for_entry(kind, **data)
    return process


def connect(project, monkeypatch):
    """The fixture's clients and actions, in this process."""
    monkeypatch.syspath_prepend(str(project.root))
    monkeypatch.setenv("WORLD", str(project.world))
    import fixture_actions

    return fixture_actions.connect("dv", "here")


def find_kernel(project):
    """The process of the kernel: the one that runs the module."""

    def look():
        for pid in project.list_processes():
            if b"azrunbook.notebooks.kernel" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        return None

    return project.wait_for(look)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leads_to_undo_and_a_true_record(project, number):
    """Ctrl-C, SIGTERM, SIGHUP: kernel gone, step undone, verdict undone, exit 1, sealed."""
    process = start_until(project, "step_started", "seconds=50", step="make b")
    process.send_signal(number)
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, project.result()["verdict"]) == (1, "undone"), said
    assert "stopped: by" in project.result()["reasons"][0]
    assert list(project.world.iterdir()) == []
    assert project.list_processes() == []
    assert verify.verify(project.folders()[0]).passed
    cells = {cell["state"] for cell in project.result()["cells"]}
    assert cells == {"passed", "interrupted", "not_run"}


def test_what_the_kernel_started_ends_before_the_undo_begins(project):
    """A helm left running would fight the undo: the kernel's whole group is killed."""
    project.write(default_cells(plan="seconds=seconds, child=True"))
    process = start_until(project, "progress", "seconds=50", message="making b")
    project.wait_for((project.world / "child").exists)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert project.list_processes() == []


def test_the_deadline_of_the_run_leads_to_undo(project):
    """A run that takes too long is ended as if it had failed."""
    process = start_until(project, "step_started", "seconds=50", "deadline=15", step="make b")
    process.communicate(timeout=40)
    assert (process.returncode, project.result()["verdict"]) == (1, "undone")
    assert "the deadline passed: 15 s" in project.result()["reasons"][0]


def test_the_deadline_of_a_step_leads_to_undo(project):
    """A step that does not end fails at its own deadline, with what was last seen."""
    project.write(default_cells(plan="seconds=seconds, timeout=0.5"))
    code, _ = project.run("apply=true", "seconds=50")
    assert (code, project.result()["verdict"]) == (1, "undone")
    assert "not done within 0.5 s (last seen:" in str(project.result())


def test_a_killed_kernel_is_noticed_and_undone(project):
    """The runner sees that its kernel is gone; no cell after it is called completed."""
    process = start_until(project, "step_started", "seconds=50", step="make b")
    os.kill(find_kernel(project), signal.SIGKILL)
    process.communicate(timeout=30)
    assert (process.returncode, project.result()["verdict"]) == (1, "undone")
    assert "the kernel died" in project.result()["reasons"][0]
    assert [cell["state"] for cell in project.result()["cells"]].count("not_run") == 3
    assert list(project.world.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("start", {}),
        ("identity", {}),
        ("plan", {}),
        ("step_started", {"step": "make a"}),
        ("step_started", {"step": "make b"}),
    ],
)
def test_a_killed_runner_leaves_no_kernel_and_a_journal_to_undo(project, monkeypatch, kind, data):
    """Kill -9 at each phase: the kernel dies with it, the journal verifies, undo restores."""
    process = start_until(project, kind, "seconds=50", **data)
    process.kill()
    process.wait()
    project.wait_for(lambda: project.list_processes() == [])
    folder = project.folders()[0]
    assert journal.verify(folder) == []
    assert records.judge(journal.read(folder)).verdict == "interrupted"
    assert not folders.is_alive(folder)
    judgement = undoing.undo(folder, connect(project, monkeypatch))
    assert judgement.verdict in {"undone", "failed"}  # failed: nothing had been started
    assert list(project.world.iterdir()) == []
    assert verify.verify(folder).passed


def test_the_notebook_of_a_killed_run_shows_what_had_run(project):
    """Saved while a long cell works, not only between cells: passed, interrupted, not run."""
    process = start_until(project, "step_started", "seconds=50", step="make b")
    path = project.folders()[0] / "01_make_files.ipynb"

    def look():
        cells = [one for one in json.loads(path.read_text())["cells"] if "outputs" in one]
        states = [one["metadata"]["azrunbook"]["state"] for one in cells]
        return states == ["passed"] * 8 + ["interrupted"] + ["not_run"] * 3

    project.wait_for(look, seconds=10)
    process.kill()
    process.wait()


def test_the_run_after_a_killed_one_goes_on_and_reports_both(project):
    """It names the run it resumes, passes, and the killed run gets its report, interrupted."""
    process = start_until(project, "step_started", "seconds=50", step="make b")
    process.kill()
    process.wait()
    project.wait_for(lambda: project.list_processes() == [])
    code, said = project.run("apply=true")
    assert code == 0, said
    assert project.result(1)["resumes"] == project.folders()[0].name
    assert project.result(0)["verdict"] == "interrupted"
    assert "interrupted" in (project.root / "reports" / "index.html").read_text()


def test_a_runner_killed_while_undoing_is_undone_later(project, monkeypatch):
    """The undo that was under way is simply done again: undos are idempotent."""
    project.write(default_cells(plan="seconds=seconds, undo_seconds=30"))
    process = start_until(project, "step_started", "seconds=50", step="make b")
    process.send_signal(signal.SIGTERM)
    project.wait_for_entry("undo_started")
    process.kill()
    process.wait()
    folder = project.folders()[0]
    clients = connect(project, monkeypatch)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert undoing.undo(folder, clients).verdict == "undone"
    assert not any((project.world / name).exists() for name in "ab")


def test_undoing_is_given_up_only_when_asked_twice(project):
    """The first Ctrl-C while undoing is taken for impatience; the second one is obeyed, truly."""
    project.write(default_cells(plan="seconds=seconds, undo_seconds=30"))
    process = start_until(project, "step_started", "seconds=50", step="make b")
    process.send_signal(signal.SIGINT)
    project.wait_for_entry("undo_started")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert (process.returncode, project.result()["verdict"]) == (1, "failed")
    assert "undoing was given up: KeyboardInterrupt" in project.result()["reasons"]
    assert any("not undone: make b" in reason for reason in project.result()["reasons"])


def test_an_undo_that_cannot_connect_is_told(project):
    """The target is gone as well: the record says what is left to undo."""
    (project.root / "driver.py").write_text(
        (project.root / "driver.py").read_text().replace("fixture_actions.connect", "None")
    )
    project.write(default_cells(plan="breaks=True"))
    code, _ = project.run("apply=true")
    assert (code, project.result()["verdict"]) == (1, "failed")
    assert any("undoing was given up" in reason for reason in project.result()["reasons"])
    assert len(records.list_pending_undos(project.entries())) == 2

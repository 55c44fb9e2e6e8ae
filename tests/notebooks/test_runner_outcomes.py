"""Headless runs that end by themselves: what is recorded, shown and undone."""

import json

import nbformat
import pytest
from miniature_project import default_cells

from azrunbook import journal
from azrunbook.report import verify


def read_notebook(project):
    return nbformat.read(project.folders()[-1] / "01_make_files.ipynb", 4)


def states(project):
    return [cell["state"] for cell in project.result()["cells"]]


def test_a_whole_run_passes_and_leaves_its_record(project):
    """Executed notebook, page, result, JUnit, index; the record verifies, no process is left."""
    code, said = project.run("apply=true")
    assert code == 0, said
    names = {path.name for path in project.folders()[0].iterdir()}
    assert names == {
        "journal.jsonl", "result.json", "junit.xml", "01_make_files.ipynb", "01_make_files.html"
    }  # fmt: skip
    assert (project.root / "reports" / "index.html").exists()
    assert verify.verify(project.folders()[0]).passed, verify.verify(project.folders()[0])
    assert project.result()["verdict"] == "passed"
    assert set(states(project)) == {"passed"}
    assert sorted(path.name for path in project.world.iterdir() if "." not in path.name) == [
        "a", "b"
    ]  # fmt: skip
    assert project.list_processes() == []


def test_overhead_is_measured(project):
    """How long papermill, kernel and runner took is in the result, apart from the cells."""
    project.run("apply=true")
    result = project.result()
    in_cells = sum(cell["seconds"] for cell in result["cells"])
    assert 0 < result["overhead_seconds"] < 30
    assert in_cells < result["duration_seconds"]


def test_a_dry_run_is_planned_and_changes_nothing(project):
    """Apply is False by default: exit 0, verdict planned, an untouched world."""
    code, said = project.run()
    assert (code, project.result()["verdict"]) == (0, "planned"), said
    assert list(project.world.iterdir()) == []


def test_a_dry_run_ends_with_the_plan(project):
    """Later cells would wait for what nobody does: left out, told so, the result still shown."""
    project.write([*default_cells()[:4], "raise SystemError", *default_cells()[4:]])
    code, said = project.run()
    assert code == 0, said
    assert states(project)[-6:] == ["left_out"] * 5 + ["passed"]
    last = read_notebook(project).cells[-3]
    assert last.outputs[0].text.startswith("left out")
    assert "skip-execution" not in json.dumps(read_notebook(project))


def test_an_audit_judges_in_a_dry_run_too(project):
    """What it checks is what it is run for: exit 1 when the goal is not met, nothing changed."""
    project.write([*default_cells()[:-2], "run.audit(f.verify(clients))", "run.finish()"])
    code, said = project.run()
    assert (code, project.result()["verdict"]) == (1, "failed"), said
    assert list(project.world.iterdir()) == []
    assert states(project)[-5:] == ["left_out"] * 3 + ["passed"] * 2


def test_what_shows_itself_is_not_kept_as_pythons_text_too(project):
    """The plan is kept as the table it is; a plain value keeps its text."""
    project.write([*default_cells()[:4], "6 * 7", *default_cells()[4:]])
    code, said = project.run("apply=true")
    assert code == 0, said
    kept = [
        output.data
        for cell in read_notebook(project).cells
        for output in cell.get("outputs", ())
        if output.output_type == "execute_result"
    ]
    assert any("text/html" in data for data in kept)
    assert not any({"text/html", "text/plain"} <= data.keys() for data in kept)
    assert {"text/plain": "42"} in kept


@pytest.mark.parametrize("argument", ["aply=true", "seconds=61", "env=test", "apply=maybe"])
def test_a_wrong_parameter_starts_nothing(project, argument):
    """Exit 2, no folder, no kernel."""
    code, said = project.run(argument)
    assert (code, project.folders()) == (2, []), said


def test_a_failing_step_is_undone_and_told_truthfully(project):
    """The run asked for undo: verdict undone, the world as before, later cells marked not run."""
    project.write(default_cells(plan="breaks=True"))
    code, said = project.run("apply=true")
    assert (code, project.result()["verdict"]) == (1, "undone"), said
    assert "it does not work" in project.result()["reasons"][0]
    assert list(project.world.iterdir()) == []
    assert states(project)[-3:] == ["failed", "not_run", "not_run"]
    assert verify.verify(project.folders()[0]).passed


def test_cells_that_never_ran_say_so_in_the_notebook(project):
    """No mark of papermill is left, and an unexecuted cell has no execution count."""
    project.write(default_cells(plan="breaks=True"))
    project.run("apply=true")
    book = read_notebook(project)
    last = [cell for cell in book.cells if cell.cell_type == "code"][-1]
    assert last.execution_count is None
    assert last.outputs[0].text.startswith("not run")
    assert "papermill" not in json.dumps(book)


def test_a_run_that_keeps_what_it_did_is_failed(project):
    """With undo_on_failure False a failure leaves the steps, for the next run to go on from."""
    project.write(default_cells(plan="breaks=True", policy=", undo_on_failure=False"))
    code, _ = project.run("apply=true")
    assert (code, project.result()["verdict"]) == (1, "failed")
    assert (project.world / "b").exists()


def test_a_notebook_without_finish_fails(project):
    """A run that does not end itself has no verdict of its own to be trusted."""
    project.write(default_cells()[:-1])
    code, _ = project.run("apply=true")
    assert (code, project.result()["verdict"]) == (1, "undone")
    assert "did not end its run" in project.result()["reasons"][0]


def test_an_error_after_finish_fails_the_run(project):
    """Passed is not the last word when a cell after it raises."""
    project.write([*default_cells(), "1 / 0"])
    code, _ = project.run("apply=true")
    assert (code, project.result()["verdict"]) == (1, "undone")
    assert "ZeroDivisionError" in project.result()["reasons"][0]


def test_an_error_before_begin_is_recorded(project):
    """A notebook that cannot even import leaves a failed run, not an interrupted one."""
    project.write(["import no_such_module", *default_cells()])
    code, _ = project.run("apply=true")
    assert (code, project.result()["verdict"]) == (1, "failed")


def test_a_failed_preflight_changes_nothing_and_undoes_nothing(project):
    """Nothing was started, so nothing is undone: the verdict is failed."""
    project.write([cell.replace("f.fit()", "f.fit(False)") for cell in default_cells()])
    project.run("apply=true")
    assert project.result()["verdict"] == "failed"
    assert "undo_started" not in {entry.kind for entry in project.entries()}
    assert list(project.world.iterdir()) == []


def test_a_verification_that_fails_leads_to_undo(project):
    """The steps succeeded, the goal is not met: JUnit fails, the steps are taken back."""
    project.write([cell.replace("f.verify(clients)", "f.fit(False)") for cell in default_cells()])
    project.run("apply=true")
    assert project.result()["verdict"] == "undone"
    suite = (project.folders()[0] / "junit.xml").read_text()
    assert suite.count("<failure") == 2  # the check, and the verdict
    assert list(project.world.iterdir()) == []


def test_progress_is_streamed_while_the_run_goes_on(project):
    """Steps are told one by one, the first long before the last has ended."""
    process = project.start("apply=true", "seconds=8")
    lines = iter(process.stdout.readline, "")
    assert any(line.startswith("step_done make a") for line in lines)
    assert not (project.world / "b").exists()


def test_chatty_cells_are_bounded(project):
    """A megabyte of output does not become a megabyte of report."""
    project.write(["print('x' * 1_000_000)", *default_cells()])
    project.run("apply=true")
    assert (project.folders()[0] / "01_make_files.html").stat().st_size < 300_000


def test_runs_are_chained_and_listed(project):
    """The second run's record holds the first one's head, and the index lists both."""
    project.run()
    project.run("apply=true")
    first, second = project.folders()
    previous = project.result(1)["previous"]
    assert previous["run"] == f"01_make_files/{first.name}"
    assert previous["head"] == journal.read(first)[-1].hash
    index = (project.root / "reports" / "index.html").read_text()
    assert first.name in index
    assert second.name in index

"""Reports of runs without a notebook: result, JUnit, page, index, and their verification."""

import json
import os
import re

import pytest

from azrunbook import journal, report
from azrunbook.procedures import folders
from azrunbook.report import verify

CHECK = {
    "phase": "verify", "required": True, "name": "nodes", "passed": True,
    "criterion": "2 ready", "found": "2 ready", "advice": "look",
}  # fmt: skip
PLAN = {
    "title": "T", "hash": "ab" * 32, "notes": [], "apply": True,
    "changes": [{"action": "create", "type": "t", "name": "n", "region": "r"}],
    "steps": [{"name": "make <b>n</b>", "group": "g"}],
}  # fmt: skip


def make_run(reports, *, ended=True, check=CHECK, target="here", procedure="01_test"):
    """A run of one step, as its journal would be after the kernel."""
    folder, lock = folders.create(
        reports, procedure, environment="dv", target=target, parameters={"apply": True}
    )
    log = journal.Journal(folder)
    step = {"step": "make <b>n</b>"}
    log.append("identity", undo_on_failure=True, target=target)
    log.append("plan", **PLAN)
    log.append("undo", **step, action="none", arguments={})
    log.append("step_started", **step, group="g")
    log.append("step_done", **step, seconds=1.5, outcome="made")
    log.append("check", **check)
    log.append("metric", name="time to recover", value=5.2, unit="s", predicted=[5.0, 10.0])
    if ended:
        folders.end(folder)
    os.close(lock)
    return folder


@pytest.fixture
def reports(tmp_path):
    return tmp_path / "reports"


def failed(table):
    return [check.name for check in table if not check.passed]


def test_the_result_is_computed_from_the_journal(reports):
    """Verdict, steps, checks, metrics, plan, versions and the chain are all there."""
    folder = make_run(reports)
    assert report.write(folder).verdict == "passed"
    found = json.loads((folder / "result.json").read_text())
    assert found["steps"][0]["state"] == "done"
    assert found["metrics"][0]["predicted"] == [5.0, 10.0]
    assert found["plan_changes"] == {"create": 1}
    assert found["versions"]["python"].startswith("3.")
    assert found["journal"]["head"] in {entry.hash for entry in journal.read(folder)}


def test_what_is_undecided_is_not_called_done(reports):
    """An interrupted run's step is done, its verdict interrupted, its undo still possible."""
    folder = make_run(reports, ended=False)
    report.write(folder)
    found = json.loads((folder / "result.json").read_text())
    assert (found["verdict"], found["left_to_undo"]) == ("interrupted", ["make <b>n</b>"])
    assert "azrunbook undo 01_test/" in (folder / "01_test.html").read_text()


def test_the_page_is_self_contained_and_escaped(reports):
    """No address, no script, names from the journal as text; figures with their prediction."""
    folder = make_run(reports)
    report.write(folder)
    page = (folder / "01_test.html").read_text()
    assert not re.search(r"<script|<link|https?://", page)
    assert "Content-Security-Policy" in page
    assert "make &lt;b&gt;n&lt;/b&gt;" in page
    assert "predicted 5 to 10 s" in page


def test_junit_has_a_case_per_check_and_step_and_the_verdict(reports):
    """A failed check and the verdict are failures; nothing else is."""
    folder = make_run(reports, check={**CHECK, "passed": False})
    report.write(folder)
    text = (folder / "junit.xml").read_text()
    assert 'tests="3"' in text
    assert 'failures="2"' in text
    assert 'message="expected 2 ready, found 2 ready"' in text


def test_the_index_lists_runs_newest_first_with_links_that_exist(reports):
    """Every run of every procedure, the killed ones too."""
    first = make_run(reports, ended=False)
    second = make_run(reports, procedure="02_test")
    report.write(second)
    page = (reports / "index.html").read_text()
    links = re.findall(r'<td><div><a href="([^"]+)"', page)
    assert links == [
        f"02_test/{second.name}/02_test.html",
        f"01_test/{first.name}/01_test.html",
    ]
    assert all((reports / link).exists() for link in links)


def test_a_living_run_is_shown_as_running(reports):
    """Somebody else's run that is not over is neither interrupted nor reported."""
    folder = make_run(reports, ended=False)
    lock = folders.hold(folder)
    report.write_missing(reports)
    assert "running</span>" in (reports / "index.html").read_text()
    assert not (folder / "result.json").exists()
    os.close(lock)


def test_a_damaged_run_stays_in_the_index(reports):
    """A record that cannot be read is listed as damaged, and keeps no other from being listed."""
    folder = make_run(reports)
    (folder / journal.FILE_NAME).write_text("damaged\n")
    report.write(make_run(reports, procedure="02_test"))
    assert "damaged</span>" in (reports / "index.html").read_text()


def test_an_untouched_record_verifies(reports):
    """Journal, verdict, result, files and the run before: all as they were."""
    first = make_run(reports)
    report.write(first)
    second = make_run(reports, procedure="02_test")
    report.write(second)
    table = verify.verify(second)
    assert failed(table) == []
    assert "1 runs, unbroken" in str(table)


def test_a_run_without_a_report_verifies(reports):
    """A killed run is no forgery."""
    assert failed(verify.verify(make_run(reports, ended=False))) == []


def change_page(folder):
    path = folder / "01_test.html"
    path.write_text(path.read_text().replace("passed", "failed"))


def change_result(folder):
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"verdict": "passed"', '"verdict": "failed"'))


def append_forged(folder):
    journal.Journal(folder).append("end", verdict="failed", reasons=[])


@pytest.mark.parametrize(
    ("tamper", "wrong"),
    [
        (change_page, ["files"]),
        (change_result, ["result.json", "files"]),
        (lambda folder: (folder / "junit.xml").unlink(), ["files"]),
        (lambda folder: (folder / "extra.txt").write_text("x"), ["files"]),
        (append_forged, ["verdict"]),
        (lambda folder: (folder / "result.json").write_text("{}"), ["result.json", "files"]),
    ],
)
def test_each_kind_of_tampering_shows(reports, tamper, wrong):
    """A changed page or result, a missing or added file, a forged end."""
    folder = make_run(reports)
    report.write(folder)
    tamper(folder)
    assert failed(verify.verify(folder)) == wrong


def test_a_changed_run_before_shows_in_the_run_after(reports):
    """Who rewrites a whole earlier journal, hashes and all, is given away by the next run."""
    first = make_run(reports)
    second = make_run(reports, procedure="02_test")
    third = make_run(reports, procedure="03_test")
    forged = make_run(reports / "elsewhere")
    (first / journal.FILE_NAME).write_text((forged / journal.FILE_NAME).read_text())
    assert journal.verify(first) == []
    assert failed(verify.verify(second)) == ["runs before"]
    assert failed(verify.verify(third)) == ["runs before"]


def test_an_undo_after_the_next_run_breaks_no_chain(reports):
    """An earlier journal may grow; what the later run saw of it is still in it."""
    first = make_run(reports)
    second = make_run(reports, procedure="02_test")
    journal.Journal(first).append("progress", step="s", message="later")
    assert failed(verify.verify(second)) == []


def test_a_removed_run_before_is_said_and_is_no_forgery(reports):
    """Old reports may be thrown away; the verification says that it could not look further."""
    first = make_run(reports)
    second = make_run(reports, procedure="02_test")
    (first / journal.FILE_NAME).unlink()
    table = verify.verify(second)
    assert failed(table) == []
    assert "is not in this folder" in str(table)

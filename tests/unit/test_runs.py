"""Runs, their steps, verdicts and undo, without a notebook: what a person's kernel does."""

import os
import threading

import pytest

from azrunbook import checks, errors, journal, plan as plans
from azrunbook.procedures import actions, folders, records, runs, undoing

PROCEDURE = "05_test"


@actions.action("test.add")
def add(clients, progress, *, name):
    """Add a thing to the world."""
    progress(f"adding {name}")
    if clients.world.barrier:
        clients.world.barrier.wait(timeout=10)
    if name in clients.world.broken:
        raise RuntimeError(f"{name} is broken")
    clients.world.things.append(name)
    return f"{name} added"


@actions.action("test.take")
def take(clients, _progress, *, name):
    """Take a thing away; fine when it is not there."""
    if name in clients.world.broken:
        raise RuntimeError(f"{name} does not go")
    if name in clients.world.things:
        clients.world.things.remove(name)


@actions.action("test.hang")
def hang(_clients, progress):
    """Never end by itself, but stop when told that the time is over."""
    while True:
        progress(f"waiting, {progress.remaining_seconds:.3f} s left")
        threading.Event().wait(0.01)


def step(name, group="g", **more):
    undo = (plans.Undo("test.take", {"name": name}),)
    return plans.Step(
        name=f"add {name}", group=group, action="test.add", arguments={"name": name}, undo=undo,
        **more,
    )  # fmt: skip


def make_plan(*steps):
    changes = tuple(plans.Change("create", "thing", one.name, "here") for one in steps)
    return plans.Plan("Add things", changes=changes, steps=steps)


def fit(passed=True):
    return [checks.CheckResult("world", passed, "a world", "one", "make one")]


def begin(clients, *, apply=True):
    run = runs.begin(PROCEDURE, clients, apply=apply)
    run.preflight(fit())
    return run


def kinds(folder, *wanted):
    return [entry.kind for entry in journal.read(folder) if entry.kind in wanted]


def test_a_run_that_does_and_verifies_everything_passes(clients, world):
    """Begin, check, show, act, verify, finish: the verdict is passed and the chain is whole."""
    run = begin(clients)
    run.show(make_plan(step("a"), step("b", group="h")))
    run.act("g")
    run.act("h")
    run.verify(fit())
    assert run.finish().verdict == "passed"
    assert world.things == ["a", "b"]
    assert journal.verify(run.folder) == []
    assert not folders.is_alive(run.folder)


def test_undo_is_on_disk_before_the_step_starts(clients):
    """The order in the journal is undo, started, done, for each step."""
    run = begin(clients)
    run.show(make_plan(step("a")))
    run.act("g")
    order = ["undo", "step_started", "progress", "step_done"]
    assert kinds(run.folder, *order) == order


def test_nothing_is_done_before_the_plan_is_shown(clients, world):
    """Acting without a shown plan is refused and changes nothing."""
    run = begin(clients)
    with pytest.raises(errors.PlanError, match="no plan was shown"):
        run.act("g")
    assert world.things == []


def test_a_dry_run_changes_nothing_and_is_planned(clients, world):
    """With apply False a step says what it would do, and an unmet goal is no failure."""
    run = begin(clients, apply=False)
    run.show(make_plan(step("a")))
    assert "would" in str(run.act("g"))
    run.verify(fit(passed=False))
    assert run.finish().verdict == "planned"
    assert world.things == []


def test_a_failed_preflight_says_that_nothing_was_changed(clients):
    """The error lists the failed check with its advice, and the verdict is failed."""
    run = runs.begin(PROCEDURE, clients, apply=True)
    with pytest.raises(errors.PreflightError, match="make one"):
        run.preflight(fit(passed=False))
    assert run.finish().verdict == "failed"


def test_a_goal_that_is_not_met_fails_the_run(clients):
    """Steps that succeeded do not make a run pass whose verification failed."""
    run = begin(clients)
    run.show(make_plan(step("a")))
    run.act("g")
    with pytest.raises(errors.VerifyError):
        run.verify(fit(passed=False))
    assert run.finish().verdict == "failed"


def test_a_check_that_passes_at_last_counts(clients):
    """A verification cell run again after a repair replaces the failed check of that name."""
    run = begin(clients)
    run.show(make_plan())
    with pytest.raises(errors.VerifyError):
        run.verify(fit(passed=False))
    run.verify(fit())
    assert run.finish().verdict == "passed"


def test_a_run_that_verified_nothing_fails(clients):
    """No evidence is not a pass."""
    run = begin(clients)
    run.show(make_plan())
    result = run.finish()
    assert (result.verdict, result.judgement.reasons) == ("failed", ("nothing was verified",))


def test_a_step_that_was_left_out_fails_the_run(clients):
    """A plan of which a step was never done has not been carried out."""
    run = begin(clients)
    run.show(make_plan(step("a"), step("b", group="h")))
    run.act("g")
    run.verify(fit())
    assert run.finish().judgement.reasons == ("step 'add b' was not done",)


def test_steps_of_a_group_run_at_once(clients, world):
    """Both regions work at the same time: each waits for the other here."""
    world.barrier = threading.Barrier(2)
    run = begin(clients)
    run.show(make_plan(step("a"), step("b")))
    assert [one.state for one in run.act("g")] == ["done", "done"]


def test_a_step_waits_for_the_one_it_comes_after(clients, world):
    """Dependencies inside a group are kept, whatever the order in the plan."""
    run = begin(clients)
    run.show(make_plan(step("b", after=("add a",)), step("a")))
    run.act("g")
    assert world.things == ["a", "b"]


def test_a_step_after_a_failed_one_is_not_started(clients, world):
    """What depends on a failed step is skipped, leaves no undo, and the error names the failed."""
    world.broken.add("a")
    run = begin(clients)
    run.show(make_plan(step("a"), step("b", after=("add a",)), step("c")))
    with pytest.raises(errors.StepError, match=r"add a.*a is broken.*Done before.*'add c'"):
        run.act("g")
    assert world.things == ["c"]
    assert "add b" not in {e.data.get("step") for e in journal.read(run.folder)}


def test_a_cell_run_again_does_only_what_is_missing(clients, world):
    """After a repair the same cell goes on: done steps are not done again."""
    world.broken.add("b")
    run = begin(clients)
    run.show(make_plan(step("a"), step("b")))
    with pytest.raises(errors.StepError):
        run.act("g")
    world.broken.clear()
    assert [one.step for one in run.act("g")] == ["add b"]
    assert world.things == ["a", "b"]


def test_a_step_ends_at_its_deadline_with_what_was_last_seen(clients):
    """A step that does not end is failed at its deadline, and its action is told to stop."""
    slow = plans.Step(name="hang", group="g", action="test.hang", timeout_seconds=0.2)
    run = begin(clients)
    run.show(make_plan(slow))
    with pytest.raises(errors.StepError, match=r"not done within 0.2 s \(last seen: waiting"):
        run.act("g")
    assert kinds(run.folder, "step_failed", "step_done") == ["step_failed"]


def test_an_undo_that_holds_a_secret_is_refused_before_the_step(clients, world):
    """A scrubbed undo could not be run, so its step is not started."""
    undo = plans.Undo("test.take", {"password": "not for journals"})
    one = plans.Step("add a", "g", "test.add", {"name": "a"}, (undo,))
    run = begin(clients)
    run.show(make_plan(one))
    with pytest.raises(errors.StepError, match="holds a secret"):
        run.act("g")
    assert world.things == []
    assert records.list_pending_undos(journal.read(run.folder)) == []


def test_undo_takes_back_in_reverse_and_only_once(clients, world):
    """Everything started is undone, the newest first; a second undo has nothing to do."""
    run = begin(clients)
    run.show(make_plan(step("a"), step("b", group="h")))
    run.act("g")
    run.act("h")
    run.finish()
    assert undoing.undo(run.folder, clients).verdict == "undone"
    undone = [e.data["step"] for e in journal.read(run.folder) if e.kind == "undo_done"]
    assert (undone, world.things) == (["add b", "add a"], [])
    before = len(journal.read(run.folder))
    assert undoing.undo(run.folder, clients).verdict == "undone"
    assert len(journal.read(run.folder)) == before


def test_undo_goes_on_after_one_that_fails_and_tries_it_again(clients, world):
    """One stuck step does not keep the others from being undone; running again retries it."""
    run = begin(clients)
    run.show(make_plan(step("a"), step("b", group="h")))
    run.act("g")
    run.act("h")
    world.broken.add("b")
    judgement = undoing.undo(run.folder, clients)
    assert (judgement.verdict, world.things) == ("failed", ["b"])
    assert "not undone: add b" in judgement.reasons
    world.broken.clear()
    assert undoing.undo(run.folder, clients).verdict == "undone"
    assert world.things == []


def test_a_step_that_never_started_is_not_undone(clients):
    """An undo written for a step that did not start (killed in between) is left out."""
    run = begin(clients)
    journal.Journal(run.folder).append("undo", step="x", action="no.such", arguments={})
    assert undoing.undo(run.folder, clients).verdict != "undone"
    assert "undo_started" not in kinds(run.folder, "undo_started")


def test_a_changed_journal_is_not_undone(clients, world):
    """An undo that someone wrote into a journal must not run."""
    run = begin(clients)
    run.show(make_plan(step("a")))
    run.act("g")
    path = run.folder / journal.FILE_NAME
    path.write_text(path.read_text().replace('"name": "a"', '"name": "z"'))
    with pytest.raises(errors.JournalError, match="cannot be trusted"):
        undoing.undo(run.folder, clients)
    assert world.things == ["a"]


def test_an_unended_run_is_interrupted_and_the_next_one_says_so(clients):
    """The next run of the same procedure and target names the run it goes on after."""
    first = begin(clients)
    os.close(first._lock)  # its kernel ended
    assert records.judge(journal.read(first.folder)).verdict == "interrupted"
    second = begin(clients)
    assert records.get_start(journal.read(second.folder))["resumes"] == first.folder.name


def test_a_living_run_is_neither_resumed_nor_undone_by_others(clients):
    """While a process holds a run, others see that it is alive."""
    first = begin(clients)
    assert folders.is_alive(first.folder)
    with pytest.raises(errors.JournalError, match="is alive"):
        folders.hold(first.folder)
    second = runs.begin(PROCEDURE, clients, apply=False)
    assert records.get_start(journal.read(second.folder))["resumes"] is None


def test_runs_are_chained_to_the_one_before(clients):
    """A run's start carries the head of the newest run before it, of any procedure."""
    first = begin(clients)
    os.close(first._lock)
    head = journal.read(first.folder)[-1].hash
    second = runs.begin("06_other", clients, apply=True)
    previous = records.get_start(journal.read(second.folder))["previous"]
    assert previous == {"run": f"{PROCEDURE}/{first.folder.name}", "head": head}


def test_a_damaged_run_does_not_stop_the_next(clients):
    """A record that somebody damaged counts as none for the chain of new runs."""
    first = begin(clients)
    os.close(first._lock)
    (first.folder / journal.FILE_NAME).write_text("damaged\n")
    assert records.get_start(journal.read(begin(clients).folder))["previous"] is None


@pytest.mark.parametrize("name", ["05_test", "path", "time"])
def test_runs_are_found_by_procedure_path_and_time(clients, name, world):
    """A procedure means its newest run."""
    os.close(begin(clients)._lock)
    newest = begin(clients).folder
    given = {"path": str(newest), "time": newest.name}.get(name, name)
    assert folders.find_run(world.folder / "reports", given).samefile(newest)


def test_an_unknown_run_names_the_newest_ones(clients, world):
    """The error helps to find the name that was meant."""
    begin(clients)
    with pytest.raises(errors.NotFoundError, match=PROCEDURE):
        folders.find_run(world.folder / "reports", "nope")


def test_metrics_and_tables_are_recorded_and_returned(clients):
    """What is observed is in the journal as rows; what is shown is the object itself."""
    run = begin(clients)
    table = [{"region": "eastus", "ready": 2}]
    assert run.observe("nodes", table) is table
    assert str(run.metric("recovery", 21.5, "s", predicted=(10, 25))) == (
        "recovery: 21.5 s (predicted 10 to 25 s)"
    )
    found = {entry.kind: entry.data for entry in journal.read(run.folder)}
    assert found["observation"]["rows"] == table
    assert found["metric"]["predicted"] == [10, 25]


def test_an_unknown_action_names_the_known_ones():
    """A journal of another version is told apart from a mistake."""
    with pytest.raises(errors.NotFoundError, match=r"test\.add"):
        actions.get("no.such")


def test_the_runner_and_the_notebook_must_mean_the_same(clients, monkeypatch, tmp_path):
    """A notebook that begins another procedure than the runner did is stopped at once."""
    folder, lock = folders.create(
        tmp_path / "reports", "01_x", environment="dv", target="here", parameters={"apply": True}
    )
    monkeypatch.setenv(runs.RUN_VARIABLE, str(folder))
    with pytest.raises(errors.JournalError, match="began '01_x' with apply=True"):
        runs.begin("01_x", clients, apply=False)
    os.close(lock)

"""One run at a time changes a target; the second is told whose turn it is."""

import os
from types import SimpleNamespace

import pytest

from azrunbook import errors, journal
from azrunbook.procedures import folders, records, runs

PROCEDURE = "05_test"


def test_a_second_run_is_told_who_changes_the_target(clients, world):
    """Which run, which process, where, since when; it leaves no folder, and a dry run may go on."""
    first = runs.begin(PROCEDURE, clients, apply=True)
    with pytest.raises(errors.PreflightError) as refused:
        runs.begin("06_other", clients, apply=True)
    said = str(refused.value)
    assert f"{PROCEDURE}/{first.folder.name} (process {os.getpid()} on " in said
    assert "Nothing was changed" in said
    assert not (world.folder / "reports" / "06_other").exists()
    runs.begin("06_other", clients, apply=False)
    first.finish()
    third = runs.begin("06_other", clients, apply=True)
    assert records.get_start(journal.read(third.folder))["took_over"] is None


def test_another_environment_and_another_home_are_other_targets(clients, monkeypatch):
    """Only what can meet is kept apart."""
    runs.begin(PROCEDURE, clients, apply=True)
    other = SimpleNamespace(**{**vars(clients), "estate": SimpleNamespace(environment="prod")})
    runs.begin(PROCEDURE, other, apply=True)
    monkeypatch.setenv("AZRUNBOOK_HOME", "elsewhere")
    runs.begin(PROCEDURE, clients, apply=True)


def test_the_lease_of_a_killed_run_is_taken_over_and_named(clients):
    """Its lock went with its process; the next run records whose lease it was."""
    killed = runs.begin(PROCEDURE, clients, apply=True)
    os.close(killed._lock)
    following = runs.begin("06_other", clients, apply=True)
    said = records.get_start(journal.read(following.folder))["took_over"]
    assert said.startswith(f"{PROCEDURE}/{killed.folder.name} (process {os.getpid()} on ")
    with (
        pytest.raises(errors.PreflightError, match="06_other"),
        folders.lease_of(killed.folder.parent.parent, "dv", "here", own=killed.folder),
    ):  # as undoing the killed one does
        pytest.fail("the lease is held by another run")

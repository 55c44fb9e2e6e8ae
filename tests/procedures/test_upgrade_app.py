"""Procedure 04 on a sandbox: its dry run, and undone when nobody takes the broken release back.

There and back under traffic wants a machine of its own; the command line runs it.
"""

import pytest

from azrunbook.procedures import undoing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PROCEDURE = "04_upgrade_and_roll_back_app"


def served(estate):
    """Tag of the application's image in the region that serves."""
    return estate.shell(
        "kubectl", "get", "deployment", "hello-world", "--namespace", "hello-world",
        "--context", "aks-multiregion-cluster-eastus",
        "--output", "jsonpath={.spec.template.spec.containers[0].image}",
    ).stdout.partition("@")[0].rpartition(":")[2]  # fmt: skip


def test_a_dry_run_shows_the_plan_and_changes_nothing(estate):
    """Values and objects of both regions and of the broken release; no new revision."""
    before = estate.list_revisions()
    done = estate.perform(PROCEDURE, apply=False)
    assert (done.error, done.verdict) == (None, "planned")
    paths = [one["path"] for one in done.plan["changes"][1]["properties"]]
    assert any(path.endswith("values image tag") for path in paths)
    assert any(path.startswith("Deployment ") for path in paths)
    assert estate.list_revisions() == before


def test_a_broken_release_that_comes_up_fails_the_run(estate, monkeypatch):
    """What nobody takes back is found, and the undo goes back over it."""
    monkeypatch.setattr("azrunbook.procedures.app_upgrade._break", lambda spec: spec)
    done = estate.perform(PROCEDURE)
    assert "was not taken back" in str(done.error)
    assert served(estate) == "1.0.2"
    assert undoing.undo(done.folder, estate.clients()).verdict == "undone"
    assert served(estate) == "1.0.0"

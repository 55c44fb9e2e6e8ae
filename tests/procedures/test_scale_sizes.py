"""Procedure 05 on a sandbox: its dry run, and undone from the middle.

There and back under traffic wants a machine of its own; the command line runs it.
"""

import json

import pytest

from azrunbook import errors
from azrunbook.procedures import scale_drill, undoing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PROCEDURE = "05_scale"
CONTEXT = ("--context", "aks-multiregion-cluster-eastus")


def ask(estate, *arguments):
    found = estate.shell("kubectl", *arguments, *CONTEXT, "--output", "json")
    return json.loads(found.stdout)


def measure(estate):
    """Replicas, nodes of the pool, probes, cordoned nodes."""
    app = ask(estate, "get", "deployment", "hello-world", "--namespace", "hello-world")
    nodes = ask(estate, "get", "nodes")["items"]
    releases = estate.shell("helm", "list", "-A", "-q", "--kube-context", CONTEXT[1]).stdout
    return {
        "replicas": app["spec"]["replicas"],
        "nodes": sum(one["metadata"]["labels"]["agentpool"] == "cpuopt" for one in nodes),
        "probes": releases.split().count("capacity-probe"),
        "cordoned": sum(bool(one["spec"].get("unschedulable")) for one in nodes),
    }


def test_a_dry_run_shows_the_plan_and_changes_nothing(estate):
    """Six sizes would change; none does."""
    before = estate.list_revisions()
    done = estate.perform(PROCEDURE, apply=False)
    assert (done.error, done.verdict) == (None, "planned")
    assert [one["type"] for one in done.plan["changes"]].count("node pool") == 1
    assert estate.list_revisions() == before


def test_a_pool_that_is_not_there_is_refused_before_anything_is_changed(estate):
    """The preflight names the pool and what to do."""
    done = estate.perform(PROCEDURE, pool="nosuch")
    assert isinstance(done.error, errors.PreflightError)
    assert "node pool nosuch" in str(done.error)
    assert done.started == []


@pytest.mark.parametrize(
    ("broken", "nodes_more", "probes"),
    [("azrunbook.nodes.Nodes.drain", 0, 0), ("azrunbook.releases.Releases.uninstall", 1, 1)],
)
def test_a_drill_that_breaks_off_is_undone(estate, broken, nodes_more, probes):
    """Probes, pool, node and replicas come back, whatever the drill had reached."""
    before = measure(estate)

    def break_off(*_arguments, **_more):
        raise errors.StepError("the drill breaks here")

    with pytest.MonkeyPatch.context() as patch:
        for wait in ("load_until_scaled", "wait_until_small"):  # they want traffic
            patch.setattr(scale_drill.Drill, wait, lambda *_: "")
        patch.setattr(broken, break_off)
        done = estate.perform(PROCEDURE)
    assert "the drill breaks here" in str(done.error)
    reached = measure(estate)
    assert (reached["nodes"], reached["probes"]) == (before["nodes"] + nodes_more, probes)
    assert undoing.undo(done.folder, estate.clients()).verdict == "undone"
    assert measure(estate) == before

"""The pure parts of procedure 05: what it plans, forecasts and compares."""

from pathlib import Path

import pytest

from azrunbook import aks, errors, forecast, releases
from azrunbook.procedures import release_steps, scale, scale_forecasts, scale_watch

APP = Path(__file__).parents[2] / "app"
POOL = {scale.POOL_LABEL: "cpuopt"}
APP_LABELS = {"app.kubernetes.io/instance": "hello-world"}


def node(name, *, cpu="8", pool="cpuopt", at="2026-01-01T00:00:00Z"):
    return {
        "metadata": {
            "name": name, "labels": {scale.POOL_LABEL: pool}, "creationTimestamp": at,
        },
        "spec": {},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }  # fmt: skip


def pod(name, on, *, cpu="100m", labels=APP_LABELS, uid=""):
    owners = [{"kind": "ReplicaSet", "name": "o"}]
    return {
        "metadata": {
            "name": name, "namespace": "hello-world", "labels": labels, "uid": uid or name,
            "ownerReferences": owners,
        },
        "spec": {
            "nodeName": on,
            "containers": [{"resources": {"requests": {"cpu": cpu, "memory": "128Mi"}}}],
        },
        "status": {"phase": "Running" if on else "Pending"},
    }  # fmt: skip


def snapshot(*pods, nodes=None):
    return forecast.Snapshot(nodes or [node("a"), node("b"), node("m", pool="memopt")], pods, [])


def spec(**values):
    return release_steps.Spec(
        role="primary", location="eastus", name="hello-world", namespace="hello-world", chart=APP,
        values={"replicaCount": 2, **values},
    )  # fmt: skip


def facts(*, most=4, revision=3, there=None):
    current = releases.Release("hello-world", "hello-world", 3, "deployed", "app", "1", "1")
    return scale.Facts(
        role="primary",
        location="eastus",
        release=release_steps.Fact(spec(), current if revision else None, (), "no_change"),
        declared=2,
        most_replicas=most,
        cpu_target_percent=30,
        pool=aks.NodePool("cpuopt", 2, "Standard_F8s_v2", is_autoscaled=False, body={}),
        probe_cpu_milli=5000,
        node="a",
        snapshot=there or snapshot(),
    )


def test_every_change_of_size_has_its_way_back():
    """The pool, the node, the probes and the release; the returns themselves need none."""
    steps = scale.plan(facts()).steps
    undone = {step.group: [undo.action for undo in step.undo] for step in steps}
    assert undone == {
        "scale by values": ["scale_back_release"],
        "scale past Helm": ["scale_back_release"],
        "heal": [],
        "autoscale": ["scale_back_release"],
        "fixed size": [],
        "fill the pool": ["remove_probes"],
        "grow the pool": ["scale_pool"],
        "empty the pool": [],
        "shrink the pool": [],
        "drain": ["uncordon_node"],
        "uncordon": [],
    }
    grown = next(step for step in steps if step.group == "grow the pool")
    assert (grown.arguments["count"], grown.undo[0].arguments["count"]) == (3, 2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"most": 2}, "maxReplicas is 2, and 2 replicas"), ({"revision": 0}, "is not installed")],
)
def test_a_drill_that_would_show_nothing_is_not_planned(wrong, said):
    """Nothing to scale to, or nothing to scale."""
    with pytest.raises(errors.PlanError, match=said):
        scale.plan(facts(**wrong))


def test_the_autoscaler_is_the_declared_one_with_the_declared_least():
    """The environment's values over the chart's; enabled; never below the declared replicas."""
    found = scale.with_autoscaling(spec(autoscaling={"maxReplicas": 4})).values["autoscaling"]
    assert (found["enabled"], found["minReplicas"], found["maxReplicas"]) == (True, 2, 4)
    assert found["targetCpuPercent"] == 70


@pytest.mark.parametrize(
    ("cores", "wanted"),
    [(["8", "8"], 4800), (["8", "7"], 4200), (["8", "5"], 4080)],
)
def test_exactly_one_probe_fits_on_each_node(cores, wanted):
    """More than half of the emptiest node, not more than the fullest has."""
    nodes = [node(name, cpu=cpu) for name, cpu in zip("ab", cores, strict=True)]
    found = scale.choose_probe_cpu(snapshot(nodes=nodes), "cpuopt")
    assert found == wanted
    assert all(float(cpu) * 500 < found <= float(cpu) * 1000 for cpu in cores)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("a", cpu="8"), node("b", cpu="4")], "from 4 to 8 cores"),
        ([node("m", pool="x")], "no"),
    ],
)
def test_a_pool_that_suits_no_probe_is_refused(nodes, said):
    """Twice as much on one node as on another, or no node at all."""
    with pytest.raises(errors.PlanError, match=said):
        scale.choose_probe_cpu(snapshot(nodes=nodes), "cpuopt")


def test_the_node_with_most_pods_of_the_app_is_drained():
    """Others' pods do not count; without one of the app there is nothing to drain."""
    there = snapshot(pod("1", "b"), pod("2", "b"), pod("3", "a"), pod("4", "m", labels={}))
    assert scale.choose_node(there, "hello-world", "hello-world") == "b"
    with pytest.raises(errors.PlanError, match="expected one to drain"):
        scale.choose_node(snapshot(), "hello-world", "hello-world")


def test_one_probe_more_than_nodes_is_forecast_to_wait():
    """And to find its place when the pool has a node more."""
    there = snapshot(pod("1", "a"))
    full = scale_forecasts.make("fill the pool", there, facts())
    assert (len(full.placements), full.unplaced) == (3, 1)
    probe = {"app.kubernetes.io/instance": scale.PROBE}
    filled = [
        pod("1", "a"), pod("p1", "a", cpu="5", labels=probe), pod("p2", "b", cpu="5", labels=probe),
        pod("p3", "", cpu="5", labels=probe),
    ]  # fmt: skip
    grown = scale_forecasts.make("grow the pool", snapshot(*filled), facts())
    assert [one.node for one in grown.placements] == ["a new node of cpuopt"]


def test_the_newest_node_is_forecast_to_go():
    """A scale set takes its newest machine; a pod on it moves."""
    nodes = [node("a"), node("b", at="2026-01-02T00:00:00Z"), node("m", pool="memopt")]
    found = scale_forecasts.make("shrink the pool", snapshot(pod("1", "b"), nodes=nodes), facts())
    assert found.what == "b is taken away"
    assert [one.pod for one in found.placements] == ["hello-world/1"]


@pytest.mark.parametrize(
    ("phase", "names"),
    [("scale by values", ["hello-world 3"]), ("autoscale", ["hello-world 3", "hello-world 4"])],
)
def test_only_pods_that_are_not_there_yet_are_forecast(phase, names):
    """From the two that run to what the phase asks for at the most."""
    found = scale_forecasts.make(phase, snapshot(pod("1", "a"), pod("2", "b")), facts())
    assert [one.pod for one in found.placements] == names
    assert found.fits


@pytest.mark.parametrize(
    ("after", "passed", "found"),
    [
        ([pod("2", "b")], True, "1 of 1 went, 0 without a node"),
        ([pod("1", "b", uid="other"), pod("2", "b")], True, "1 of 1 went, 0 without a node"),
        ([pod("1", "a"), pod("2", "b")], False, "0 of 1 went, 0 without a node"),
        ([pod("3", "")], False, "1 of 1 went, 1 without a node"),
    ],
)
def test_a_forecast_is_compared_with_what_happened(after, passed, found):
    """Who was to go is gone, by identity and not by name; nobody else waits."""
    before = snapshot(pod("1", "a"), pod("2", "b"))
    expected = forecast.forecast_drain("drain", before, "a")
    result = scale_forecasts.compare(expected, before, snapshot(*after))
    assert (result.passed, result.found) == (passed, found)


def test_the_picture_shows_sizes_with_and_without_an_autoscaler():
    """Before the autoscaler measures anything there is a line without a point."""
    looks = [
        scale_watch.Look(10.0, 2, 2, None, None, 2, 0, 0),
        scale_watch.Look(11.0, 3, 2, 3, 55, 3, 1, 1),
    ]
    text = scale_watch.plot(looks, [], start=9.0, target_percent=30).text
    assert text.lstrip().startswith("<?xml")
    assert "pods without room" in text or "<path" in text

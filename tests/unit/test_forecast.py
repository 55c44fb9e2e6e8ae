"""Forecasts as truth tables: nodes, pods and budgets in; who goes where, and what blocks, out."""

from decimal import Decimal

import pytest

from azrunbook import forecast


def node(name="n1", *, cpu="4", memory="8Gi", pods="110", ready=True, **spec):
    labels = spec.pop("labels", {})
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def spec(cpu="1", memory="1Gi", **more):
    requests = {"cpu": cpu, "memory": memory}
    return {"containers": [{"resources": {"requests": requests}}], **more}


def pod(name="p", *, on="n1", owner="ReplicaSet", labels=None, phase="Running", **more):
    owners = [{"kind": owner, "name": "o"}] if owner else []
    meta = {"name": name, "namespace": "ns", "labels": labels or {}, "ownerReferences": owners}
    return {
        "metadata": {**meta, **more.pop("metadata", {})},
        "spec": {**spec(**more), "nodeName": on},
        "status": {"phase": phase},
    }


def budget(allowed, *, namespace="ns", name="b", **selector):
    selector = selector or {"matchLabels": {"app": "web"}}
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": selector},
        "status": {"disruptionsAllowed": allowed},
    }


def snapshot(*nodes, pods=(), budgets=()):
    return forecast.Snapshot(nodes, pods, budgets)


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", "0.25"), ("2", "2"), (3, "3"), ("1Gi", 2**30), ("1e3", "1000"), ("500k", "500000")],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, number):
    """Thousandths, binary and decimal multiples, exponents."""
    assert forecast.parse_quantity(text) == Decimal(number)


def sidecar(cpu):
    return {"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}}


@pytest.mark.parametrize(
    ("more", "cpu"),
    [
        ({}, "1"),
        ({"initContainers": [{"resources": {"requests": {"cpu": "3"}}}]}, "3"),
        ({"initContainers": [{"resources": {"requests": {"cpu": "500m"}}}]}, "1"),
        ({"initContainers": [sidecar("500m")]}, "1.5"),
        ({"initContainers": [sidecar("1"), {"resources": {"requests": {"cpu": "3"}}}]}, "4"),
        ({"overhead": {"cpu": "250m"}}, "1.25"),
        ({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}, "2"),  # a limit is a request
        ({"containers": [{}]}, "0"),
    ],
)
def test_what_a_pod_requests(more, cpu):
    """The larger of starting and running, with sidecars and overhead."""
    assert forecast.measure_request({**spec(), **more})["cpu"] == Decimal(cpu)


def test_room_is_what_pods_that_hold_a_place_leave():
    """Pods that have ended hold none; what nobody requests is free."""
    held = [pod("a"), pod("b", phase="Succeeded"), pod("c", on="n2")]
    room = forecast.measure_rooms(snapshot(node(), pods=held))[0]
    assert (room.cpu, room.memory, room.pods) == (3, 7 * 2**30, 109)


TAINT = {"key": "only", "value": "system", "effect": "NoSchedule"}
SOFT = {**TAINT, "effect": "PreferNoSchedule"}
SELECTED = {"nodeSelector": {"pool": "cpu"}}


def required(*expressions):
    terms = {"nodeSelectorTerms": [{"matchExpressions": list(expressions)}]}
    return {"affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": terms
    }}}  # fmt: skip


@pytest.mark.parametrize(
    ("there", "wants", "reason"),
    [
        (node(), spec(), ""),
        (node(cpu="500m"), spec(), "too little CPU"),
        (node(memory="512Mi"), spec(), "too little memory"),
        (node(pods="0"), spec(), "too many pods"),
        (node(ready=False), spec(), "not ready, or cordoned"),
        (node(unschedulable=True), spec(), "not ready, or cordoned"),
        (node(taints=[TAINT]), spec(), "a taint that is not tolerated"),
        (node(taints=[SOFT]), spec(), ""),
        (node(taints=[TAINT]), spec(tolerations=[{"operator": "Exists"}]), ""),
        (node(taints=[TAINT]), spec(tolerations=[{"key": "only", "value": "system"}]), ""),
        (node(taints=[TAINT]), spec(tolerations=[{"key": "only", "value": "other"}]), "a taint"),
        (
            node(taints=[TAINT]),
            spec(tolerations=[{"key": "only", "operator": "Exists", "effect": "NoExecute"}]),
            "a taint",
        ),
        (node(labels={"pool": "cpu"}), spec(**SELECTED), ""),
        (node(labels={"pool": "mem"}), spec(**SELECTED), "other labels"),
        (
            node(labels={"zone": "1"}),
            spec(**required({"key": "zone", "operator": "In", "values": ["1", "2"]})),
            "",
        ),
        (
            node(labels={"zone": "3"}),
            spec(**required({"key": "zone", "operator": "In", "values": ["1", "2"]})),
            "other labels",
        ),
        (node(), spec(**required({"key": "gpu", "operator": "DoesNotExist"})), ""),
        (node(), spec(**required({"key": "gpu", "operator": "Exists"})), "other labels"),
        (
            node(labels={"cores": "8"}),
            spec(**required({"key": "cores", "operator": "Gt", "values": ["4"]})),
            "",
        ),
        (node(), spec(**required({"key": "cores", "operator": "Gt", "values": ["4"]})), "other"),
    ],
)
def test_a_pod_finds_a_place_or_hears_why_not(there, wants, reason):
    """Each of the scheduler's filters that decide here, alone."""
    found = forecast.forecast_replicas("one more", snapshot(there), wants, ["new"]).placements[0]
    assert (found.node == "n1") == (not reason)
    assert reason in found.reason


def test_more_pods_than_room_leave_the_rest_without_a_node():
    """Three of two cores each on two nodes of three: two find a place, reasons are counted."""
    found = forecast.forecast_replicas(
        "three", snapshot(node("a", cpu="3"), node("b", cpu="3")), spec("2"), ["x", "y", "z"]
    )
    assert {one.node for one in found.placements} == {"a", "b", ""}
    assert (found.fits, found.unplaced) == (False, 1)
    assert str(found) == "2 of 3 pods find a place; 2 nodes: too little CPU"
    assert "no node" in found._repr_html_()


def test_a_node_that_will_come_takes_what_waits():
    """As many as fit on it, and no more."""
    found = forecast.forecast_replicas(
        "grow", snapshot(node("full", cpu="0")), spec(), ["x"], more_nodes=[node("new")]
    )
    assert found.fits
    assert found.as_dict()["placements"][0]["node"] == "new"


def test_a_drain_moves_what_a_controller_would_start_again():
    """DaemonSet, mirror and ending pods stay out of it; the node itself takes nobody."""
    ending = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    pods = [
        pod("web"),
        pod("agent", owner="DaemonSet"),
        pod("static", owner="Node"),
        pod("going", **ending),
        pod("elsewhere", on="n2"),
    ]
    found = forecast.forecast_drain("drain", snapshot(node(), node("n2"), pods=pods), "n1")
    assert [(one.pod, one.node) for one in found.placements] == [("ns/web", "n2")]
    assert found.fits


def test_a_drain_without_room_elsewhere_does_not_fit():
    """The evicted pod would be Pending."""
    found = forecast.forecast_drain("drain", snapshot(node(), pods=[pod()]), "n1")
    assert (found.fits, found.unplaced) == (False, 1)


def test_an_unmanaged_pod_blocks_a_drain():
    """Nobody would start it again, so nobody is to evict it."""
    nodes = (node(), node("n2"))
    found = forecast.forecast_drain("drain", snapshot(*nodes, pods=[pod(owner="")]), "n1")
    assert "no controller would start it again" in found.blockers[0]


@pytest.mark.parametrize(
    ("budgets", "turns", "blocked"),
    [
        ((), [1, 1, 1], 0),
        ((budget(1),), [1, 2, 3], 0),
        ((budget(2),), [1, 1, 2], 0),
        ((budget(3),), [1, 1, 1], 0),
        ((budget(0),), [1, 1, 1], 3),
        ((budget(1, namespace="other"),), [1, 1, 1], 0),
        ((budget(1, matchLabels={"app": "api"}),), [1, 1, 1], 0),
        ((budget(1, matchExpressions=[
            {"key": "app", "operator": "NotIn", "values": ["api"]}
        ]),), [1, 2, 3], 0),
        ((budget(3), budget(1, name="c")), [1, 2, 3], 0),  # the stricter one decides
    ],
)  # fmt: skip
def test_budgets_make_turns_or_block(budgets, turns, blocked):
    """As many at a time as they allow; none where they allow none."""
    pods = [pod(name, labels={"app": "web"}, cpu="100m") for name in "abc"]
    there = snapshot(node(), node("n2"), pods=pods, budgets=budgets)
    found = forecast.forecast_drain("drain", there, "n1")
    assert [one.turn for one in found.placements] == turns
    assert (found.turns, len(found.blockers)) == (max(turns), blocked)

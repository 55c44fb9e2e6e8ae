"""What nodes' conditions mean, and what Services lead to, as truth tables."""

import datetime as dt
import ipaddress

import pytest

from azrunbook.sandbox.kube.controllers import endpoints, node_health, services

NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)
LONG_AGO, LATELY = "2026-01-31T10:00:00Z", "2026-01-31T11:59:59Z"


def pod(name, *, phase="Running", ready=LONG_AGO, node="n1", **metadata):
    conditions = []
    if ready:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": ready}]
    return {
        "metadata": {
            "name": name, "namespace": "d", "uid": name, "creationTimestamp": LONG_AGO, **metadata,
        },
        "spec": {"nodeName": node, "containers": []},
        "status": {"phase": phase, "conditions": conditions, "podIP": "127.0.0.9"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "spec", "expected"),
    [
        ("True", {}, []),
        ("False", {}, ["node.kubernetes.io/not-ready"] * 2),
        ("Unknown", {}, ["node.kubernetes.io/unreachable"] * 2),
        ("True", {"unschedulable": True}, ["node.kubernetes.io/unschedulable"]),
        ("True", {"taints": [{"key": "own", "effect": "NoSchedule"}]}, ["own"]),
    ],
)
def test_taints_follow_the_conditions(status, spec, expected):
    """Own taints stay, health taints come and go."""
    node = {"spec": spec, "status": {"conditions": [{"type": "Ready", "status": status}]}}
    assert [taint["key"] for taint in node_health.plan_taints(node, at=LATELY)] == expected


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], 0.0),
        ([{"operator": "Exists"}], None),
        ([{"operator": "Exists", "tolerationSeconds": 300}], 299.0),
        ([{"operator": "Exists", "tolerationSeconds": 0}], 0.0),
        ([{"operator": "Exists", "tolerationSeconds": -5}], 0.0),
        (
            [{"operator": "Exists"}, {"key": "k", "operator": "Exists", "tolerationSeconds": 9}],
            None,
        ),
    ],
)
def test_time_until_a_pod_must_leave(tolerations, expected):
    """At once, never, or when the toleration ends."""
    taint = {"key": "k", "effect": "NoExecute", "timeAdded": LATELY}
    one = {"metadata": {"name": "p"}, "spec": {"tolerations": tolerations}}
    assert node_health.seconds_to_eviction(one, [taint], at=NOW) == expected


def in_zones(*pairs):
    """Nodes by zone and readiness, and the first of them."""
    return [
        {
            "metadata": {"labels": {"topology.kubernetes.io/zone": zone}},
            "status": {"conditions": [{"type": "Ready", "status": status}]},
        }
        for zone, status in pairs
    ]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([("a", "Unknown")], False),
        ([("a", "Unknown"), ("b", "True")], True),
        ([("a", "Unknown"), ("a", "Unknown"), ("a", "True")], True),
        ([("a", "Unknown")] * 3 + [("a", "True")] * 2, False),
        ([("a", "Unknown")] * 3 + [("a", "True")] * 3, True),
        ([("a", "Unknown")] * 3 + [("b", "True")], True),
        ([("a", "Unknown")] * 3 + [("a", "True")] * 2 + [("b", "True")] * 46, True),
    ],
)
def test_pods_stay_when_most_of_a_zone_is_lost(nodes, expected):
    """A zone lost in part is spared in a small cluster; one lost as a whole is left."""
    found = in_zones(*nodes)
    assert node_health.may_evict(found[0], found) is expected


SERVICE = {
    "metadata": {"name": "s", "namespace": "d"},
    "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "web", "port": 80, "targetPort": "http"}]},
}


def serving(name, number=8080, **more):
    made = pod(name, **more)
    made["spec"]["containers"] = [{"ports": [{"name": "http", "containerPort": number}]}]
    return made


def test_named_target_ports_split_slices():
    """Pods whose port name means different numbers are in different slices."""
    plans = endpoints.plan_slices(SERVICE, [serving("a"), serving("b", 9090)], {})
    assert [plan.ports[0][1] for plan in plans] == [8080, 9090]


def test_slices_hold_a_hundred_endpoints():
    """The 101st endpoint starts another slice."""
    plans = endpoints.plan_slices(SERVICE, [serving(f"p{n}") for n in range(101)], {})
    assert [len(plan.endpoints) for plan in plans] == [100, 1]


def test_service_without_pods_has_one_empty_slice():
    """There is a slice to watch, without endpoints or ports."""
    assert endpoints.plan_slices(SERVICE, [], {}) == [endpoints.SlicePlan((), ())]


@pytest.mark.parametrize(
    ("one", "publish", "expected"),
    [
        (serving("p"), False, (True, True, False)),
        (serving("p", ready=""), False, (False, False, False)),
        (serving("p", ready=""), True, (True, False, False)),
        (serving("p", deletionTimestamp=NOW), True, (True, True, True)),
        (serving("p", deletionTimestamp=NOW), False, (False, True, True)),
    ],
)
def test_conditions_of_an_endpoint(one, publish, expected):
    """Ready, serving and terminating of one pod."""
    service = {**SERVICE, "spec": {**SERVICE["spec"], "publishNotReadyAddresses": publish}}
    found = endpoints.endpoint_of(service, one, None)["conditions"]
    assert (found["ready"], found["serving"], found["terminating"]) == expected


@pytest.mark.parametrize(
    ("annotation", "taken", "expected"),
    [
        (None, [], "127.1.1.1"),
        (None, ["127.1.1.1"], "127.1.1.2"),
        ("127.1.1.2", [], "127.1.1.2"),
        ("127.1.1.2", ["127.1.1.2"], None),
        ("192.0.2.1", [], None),
        (None, ["127.1.1.1", "127.1.1.2"], None),
    ],
)
def test_address_of_a_load_balancer(annotation, taken, expected):
    """The one asked for, else the first free one, else none."""
    annotations = {services.ADDRESS_ANNOTATION: annotation} if annotation else {}
    service = {"metadata": {"annotations": annotations}, "spec": {}}
    others = [{"status": {"loadBalancer": {"ingress": [{"ip": one}]}}} for one in taken]
    network = ipaddress.ip_network("127.1.1.0/30")
    assert services.plan_address(service, others, network) == expected

"""Where pods go: filters, messages and preferences as truth tables."""

import pytest

from azrunbook.sandbox.kube.controllers import placement
from azrunbook.sandbox.kube.controllers.node_state import NodeState
from azrunbook.sandbox.kube.controllers.placement import Snapshot

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"


def node(name, zone="z1", *pods, cpu="4", most="110", taints=(), labels=None, **spec):
    amounts = {"cpu": cpu, "memory": "8Gi", "pods": most}
    found = {HOST: name, ZONE: zone, **(labels or {})}
    return NodeState(
        {
            "metadata": {"name": name, "labels": found},
            "spec": {"taints": list(taints), **spec},
            "status": {"allocatable": amounts},
        },
        tuple(pods),
    )


def pod(app="web", cpu=None, **spec):
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    return {
        "metadata": {"namespace": "default", "name": app, "labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "resources": resources}], **spec},
    }


def anti_affinity(app, key=HOST):
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {"affinity": {"podAntiAffinity": rule}}


def affinity(app, key=HOST):
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def spread(skew=1, key=ZONE, when="DoNotSchedule"):
    selector = {"matchLabels": {"app": "web"}}
    constraint = {
        "maxSkew": skew,
        "topologyKey": key,
        "whenUnsatisfiable": when,
        "labelSelector": selector,
    }
    return {"topologySpreadConstraints": [constraint]}


def place(wanted, *states, selector=None):
    return placement.plan_placement(wanted, Snapshot(states, {"default": {}}, selector))


TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}
NO_HELP = "Preemption is not helpful for scheduling"
NO_VICTIM = "No preemption victims found for incoming pod"


@pytest.mark.parametrize(
    ("wanted", "state", "reason", "preemption"),
    [
        (pod(cpu="5"), node("a"), "Insufficient cpu", NO_HELP),
        (pod(cpu="3"), node("a", "z1", pod(cpu="2")), "Insufficient cpu", NO_VICTIM),
        (pod(), node("a", most="0"), "Too many pods", NO_VICTIM),
        (pod(), node("a", taints=[TAINT]), "node(s) had untolerated taint(s)", NO_HELP),
        (pod(), node("a", unschedulable=True), "node(s) were unschedulable", NO_HELP),
        (
            pod(nodeSelector={"pool": "x"}),
            node("a"),
            "node(s) didn't match Pod's node affinity/selector",
            NO_HELP,
        ),
        (
            pod(**anti_affinity("web")),
            node("a", "z1", pod()),
            "node(s) didn't match pod anti-affinity rules",
            NO_VICTIM,
        ),
        (
            pod(),
            node("a", "z1", pod("other", **anti_affinity("web"))),
            "node(s) didn't satisfy existing pods anti-affinity rules",
            NO_VICTIM,
        ),
        (
            pod(**affinity("cache")),
            node("a"),
            "node(s) didn't match pod affinity rules",
            NO_HELP,
        ),
        (
            pod(**spread(key="rack")),
            node("a"),
            "node(s) didn't match pod topology spread constraints (missing required label)",
            NO_HELP,
        ),
    ],
)
def test_refusal_in_the_words_of_the_scheduler(wanted, state, reason, preemption):
    """Each filter refuses with its own words and says whether preemption could help."""
    found = place(wanted, state)
    assert found.node_name is None
    assert found.message == (
        f"0/1 nodes are available: 1 {reason}. no new claims to deallocate, preemption: "
        f"0/1 nodes are available: 1 {preemption}."
    )


def test_message_counts_each_reason_in_order():
    """Reasons are counted and sorted as text, as the real message has them."""
    found = place(
        pod(cpu="3"), node("a", taints=[TAINT]), node("b", cpu="2"), node("c", "z", pod(cpu="2"))
    )
    assert found.message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        f"1 {NO_VICTIM}, 2 {NO_HELP}."
    )


def test_no_nodes_has_its_own_message():
    """A cluster without nodes says so."""
    assert place(pod()).message == "no nodes available to schedule pods"


@pytest.mark.parametrize(
    ("toleration", "is_placed"),
    [
        ({"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "k", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_toleration_admits_a_tainted_node(toleration, is_placed):
    """A toleration has to match key, value and effect."""
    found = place(pod(tolerations=[toleration]), node("a", taints=[TAINT]))
    assert (found.node_name == "a") is is_placed


@pytest.mark.parametrize(
    ("operator", "values", "is_placed"),
    [
        ("In", ["8"], True),
        ("NotIn", ["8"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
        ("Gt", ["7"], True),
        ("Lt", ["8"], False),
    ],
)
def test_node_affinity_operators(operator, values, is_placed):
    """Every operator of a node selector term."""
    term = {"matchExpressions": [{"key": "cores", "operator": operator, "values": values}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    found = place(pod(affinity={"nodeAffinity": required}), node("a", labels={"cores": "8"}))
    assert (found.node_name == "a") is is_placed


def test_first_pod_of_a_self_affine_group_may_start():
    """A pod with affinity to its own kind is not blocked by there being none yet."""
    assert place(pod(**affinity("web")), node("a")).node_name == "a"


def test_hard_spread_fills_the_emptiest_zone():
    """With skew 1 the zone with fewer pods is the only choice."""
    states = [node("a", "z1", pod(), cpu="64"), node("b", "z2")]
    assert place(pod(**spread()), *states).node_name == "b"
    assert place(pod(cpu="5", **spread()), *states).node_name is None


def test_default_spreading_prefers_the_empty_zone():
    """Pods of one ReplicaSet go to different zones without asking for it."""
    selector = {"matchLabels": {"app": "web"}}
    states = [node("a", "z1", pod()), node("b", "z1"), node("c", "z2", pod("x", cpu="1"))]
    assert place(pod(), *states, selector=selector).node_name == "c"


def test_least_allocated_node_wins():
    """Among equals the emptier node is taken."""
    assert place(pod(), node("a", "z1", pod("x", cpu="2")), node("b")).node_name == "b"


def test_preferred_affinity_decides_among_equals():
    """A preference with weight wins over order by name."""
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    preferred = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 50, "preference": term}]
    }
    states = [node("a"), node("b", labels={"disk": "ssd"})]
    assert place(pod(affinity={"nodeAffinity": preferred}), *states).node_name == "b"


def test_host_port_is_given_once_per_node():
    """Two pods with one host port do not share a node."""
    ports = [{"containerPort": 80, "hostPort": 80}]
    first, second = pod("a"), pod("b")
    for one in (first, second):
        one["spec"]["containers"][0]["ports"] = ports
    found = place(second, node("n", "z1", first))
    assert "1 node(s) didn't have free ports for the requested pod ports" in found.message


def test_pod_pinned_to_a_node_does_not_look_at_the_others():
    """A daemon pod's affinity by name leaves one node; the message says so of the rest."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pinned = pod(cpu="5", affinity={"nodeAffinity": required})
    assert place(pinned, node("a"), node("b", cpu="8")).node_name == "b"
    assert place(pinned, node("a"), node("b"), node("c")).message == (
        "0/3 nodes are available: 1 Insufficient cpu, "
        "2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
        f"no new claims to deallocate, preemption: 0/3 nodes are available: 3 {NO_HELP}."
    )


@pytest.mark.parametrize(
    ("minimum", "taints_policy", "zones", "expected"),
    [
        (None, "Ignore", ("z1", "z2"), "b"),
        (3, "Ignore", ("z1", "z2"), "b"),
        (3, "Ignore", ("z1", "z1"), None),
        (None, "Ignore", ("z1", "z1"), "b"),
    ],
)
def test_minimum_of_domains_counts_missing_ones_as_empty(minimum, taints_policy, zones, expected):
    """With fewer domains than asked for the least filled one counts as empty."""
    wanted = pod(**spread())
    (constraint,) = wanted["spec"]["topologySpreadConstraints"]
    constraint["nodeTaintsPolicy"] = taints_policy
    if minimum:
        constraint["minDomains"] = minimum
    states = [node("a", zones[0], pod(), cpu="64"), node("b", zones[1])]
    assert place(wanted, *states).node_name == expected


@pytest.mark.parametrize(("policy", "expected"), [("Ignore", None), ("Honor", "a")])
def test_tainted_nodes_count_unless_the_taints_are_honoured(policy, expected):
    """An empty zone behind a taint holds the others back only where taints are ignored."""
    wanted = pod(**spread())
    wanted["spec"]["topologySpreadConstraints"][0]["nodeTaintsPolicy"] = policy
    states = [node("a", "z1", pod(), cpu="64"), node("b", "z2", taints=[TAINT])]
    assert place(wanted, *states).node_name == expected

"""Smaller decisions of the controllers as truth tables."""

import datetime as dt
from fractions import Fraction

import pytest

from azrunbook.sandbox.kube.controllers import (
    budgets,
    daemons,
    deletion_order,
    names,
    ordinals,
    owners,
    pods,
    quantities,
)
from azrunbook.sandbox.kube.controllers.ordinals import Goal, Member, Step

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
    ("text", "expected"),
    [
        ("100m", Fraction(1, 10)),
        ("2", 2),
        ("1.5Gi", 3 * 2**29),
        ("1e3", 1000),
        ("5M", 5_000_000),
        (0.5, Fraction(1, 2)),
    ],
)
def test_quantities_are_exact(text, expected):
    """Suffixes, exponents and fractions without rounding."""
    assert quantities.parse_quantity(text) == expected


@pytest.mark.parametrize("text", ["", "1Q", "Gi", "1 Gi", "ten"])
def test_wrong_quantity_is_named(text):
    """What is no quantity is refused with what was found."""
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.parse_quantity(text)


def test_requests_count_sidecars_and_the_largest_start():
    """Containers and sidecars add up; a larger init container lifts the sum."""

    def asks(cpu, **more):
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "containers": [asks("100m"), asks("200m")],
        "initContainers": [asks("50m", restartPolicy="Always"), asks("500m")],
    }
    assert pods.requests({"metadata": {}, "spec": spec})["cpu"] == 550


@pytest.mark.parametrize(
    ("keep", "lose"),
    [
        (pod("a"), pod("b", node="")),
        (pod("a"), pod("b", phase="Pending")),
        (pod("a"), pod("b", ready="")),
        (pod("a", ready=LONG_AGO), pod("b", ready=LATELY)),
        (
            pod("a"),
            pod("b", annotations={"controller.kubernetes.io/pod-deletion-cost": "-1"}),
        ),
    ],
)
def test_dispensable_pod_goes_first(keep, lose):
    """Unassigned, pending, unready, cheap and young pods go before others."""
    for owned in ([keep, lose], [lose, keep]):
        planned = deletion_order.plan_deletions(owned, 1, related=owned, at=NOW)
        assert planned == [lose]


def test_crowded_node_gives_up_a_pod_first():
    """Of equal pods the one with most siblings on its node goes."""
    owned = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    (first,) = deletion_order.plan_deletions(owned, 1, related=owned, at=NOW)
    assert first["spec"]["nodeName"] == "n2"


def test_hash_is_name_safe_and_depends_on_the_template_only():
    """The alphabet has no vowels; key order does not matter, collisions do."""
    first = names.hash_object({"a": 1, "b": 2})
    assert first == names.hash_object({"b": 2, "a": 1})
    assert first != names.hash_object({"a": 1, "b": 2}, 1)
    assert set(first) <= set(names.ALPHABET)


def test_fnv_is_the_published_function():
    """The reference value of FNV-1a 32 for `a`."""
    assert names.fnv1a(b"a") == 0xE40C292C


def test_claim_adopts_orphans_and_releases_strangers():
    """A matching orphan is adopted, an owned pod that no longer matches is let go."""
    owner = {"metadata": {"uid": "u"}}
    reference = {"uid": "u", "controller": True}
    other = {"uid": "x", "controller": True}
    mine, stray = pod("mine", ownerReferences=[reference]), pod("s", ownerReferences=[reference])
    orphan, foreign = pod("orphan"), pod("foreign", ownerReferences=[other])
    plan = owners.plan_claim(
        owner, [mine, stray, orphan, foreign], is_match=lambda one: one is not stray
    )
    assert (plan.owned, plan.adopt, plan.release) == ((mine,), (orphan,), (stray,))


@pytest.mark.parametrize(
    ("spec", "expected", "desired"),
    [
        ({"minAvailable": 2}, 3, 2),
        ({"minAvailable": "50%"}, 3, 2),
        ({"maxUnavailable": 1}, 3, 2),
        ({"maxUnavailable": "30%"}, 10, 7),
        ({"maxUnavailable": "100%"}, 3, 0),
        ({"maxUnavailable": 5}, 3, 0),
    ],
)
def test_desired_healthy_of_a_budget(spec, expected, desired):
    """Counts and percentages, both rounded towards more protection as documented."""
    assert budgets.desired_healthy({"spec": spec}, expected) == desired


def test_budget_does_not_count_pods_that_are_going():
    """A pod whose eviction was granted is not healthy, though it still answers."""
    budget = {
        "metadata": {"name": "b", "generation": 1},
        "spec": {"minAvailable": 1},
        "status": {"disruptedPods": {"a": LATELY, "gone": LATELY}},
    }
    status = budgets.plan_status(budget, [pod("a"), pod("b")], 2, at=NOW)
    assert (status["currentHealthy"], status["disruptionsAllowed"]) == (1, 0)
    assert status["disruptedPods"] == {"a": LATELY}


def goal(replicas=3, revision="new", **more):
    parts = {"start": 0, "partition": 0, "is_parallel": False, "is_rolling": True, **more}
    return Goal(replicas=replicas, update_revision=revision, **parts)


GOOD, OLD = Member("new", True, False), Member("old", True, False)
OLD_BAD, PARALLEL = Member("old", False, False), goal(is_parallel=True, max_unavailable=2)
BAD, GOING = Member("new", False, False), Member("new", False, True)


@pytest.mark.parametrize(
    ("wanted", "members", "step"),
    [
        (goal(), {}, Step(create=(0,))),
        (goal(), {0: GOOD}, Step(create=(1,))),
        (goal(), {0: BAD}, Step()),
        (goal(is_parallel=True), {}, Step(create=(0, 1, 2))),
        (goal(1), {0: GOOD, 1: GOOD, 2: GOOD}, Step(delete=(2,))),
        (goal(1), {0: GOOD, 1: GOOD, 2: GOING}, Step()),
        (goal(), {0: OLD, 1: OLD, 2: OLD}, Step(delete=(2,))),
        (goal(), {0: OLD, 1: OLD, 2: GOOD}, Step(delete=(1,))),
        (goal(partition=2), {0: OLD, 1: OLD, 2: GOOD}, Step()),
        (goal(is_rolling=False), {0: OLD, 1: OLD, 2: OLD}, Step()),
        (goal(1), {0: Member("new", False, False, is_done=True)}, Step(delete=(0,))),
        (goal(2, start=5), {5: GOOD}, Step(create=(6,))),
        (goal(max_unavailable=2), {0: OLD, 1: OLD, 2: OLD}, Step(delete=(2, 1))),
        (goal(max_unavailable=2, partition=2), {0: OLD, 1: OLD, 2: OLD}, Step(delete=(2,))),
        (goal(max_unavailable=1), {0: OLD, 1: OLD, 2: GOOD}, Step(delete=(1,))),
        (PARALLEL, {0: OLD, 1: OLD, 2: BAD}, Step(delete=(1,))),
        (PARALLEL, {0: OLD, 1: OLD_BAD, 2: BAD}, Step(delete=(1,))),
        (PARALLEL, {0: OLD, 1: OLD, 2: GOING, 3: GOOD}, Step(delete=(3,))),
    ],
)
def test_next_step_of_a_stateful_set(wanted, members, step):
    """Creation in order, deletion from the top, update down to the partition."""
    assert ordinals.plan_step(wanted, members) == step


@pytest.mark.parametrize(
    ("limit", "serving", "expected"),
    [(1, [True, True, True], 1), (2, [True, True, True], 2), (1, [True, False, True], 1),
     ("100%", [True, True, True], 3), ("34%", [True, True, True], 2)],
)  # fmt: skip
def test_daemon_update_respects_max_unavailable(limit, serving, expected):
    """Pods that do not serve go at once; others as the limit leaves."""
    old = [pod(f"p{index}", node=f"n{index}") for index in range(3)]
    available = {f"n{index}": value for index, value in enumerate(serving)}
    planned = daemons.plan_replacements(old, available=available, desired=3, max_unavailable=limit)
    assert len(planned) == expected


def on_node(new=None, old=None):
    """The pods of one node by whether they are available: True, False, or None for no pod."""
    return daemons.NodePods(
        None if new is None else pod("new"),
        None if old is None else pod("old"),
        bool(new),
        bool(old),
    )


@pytest.mark.parametrize(
    ("surge", "nodes", "starts", "leaves"),
    [
        (1, [on_node(old=True)] * 3, ["n0"], 0),
        ("34%", [on_node(old=True)] * 3, ["n0", "n1"], 0),
        (1, [on_node(False, True), on_node(old=True)], [], 0),
        (1, [on_node(True, True), on_node(old=True)], ["n1"], 1),
        (1, [on_node(old=False), on_node(old=True)], ["n0", "n1"], 0),
        (1, [on_node(), on_node(old=True)], [], 0),
        (1, [on_node(True), on_node(True)], [], 0),
    ],
)
def test_surging_daemons_start_before_they_leave(surge, nodes, starts, leaves):
    """A new pod beside the old one, which goes when the new one serves."""
    by_node = {f"n{index}": found for index, found in enumerate(nodes)}
    started, leaving = daemons.plan_surge(by_node, surge)
    assert (started, len(leaving)) == (starts, leaves)


@pytest.mark.parametrize(
    ("may_double", "old_serves", "new_ready", "left"),
    [
        (True, True, False, ["old", "new"]),
        (True, True, True, ["new"]),
        (True, False, False, ["new"]),
        (False, True, False, ["old"]),
    ],
)
def test_two_daemons_on_a_node_only_while_the_new_one_gets_ready(
    may_double, old_serves, new_ready, left
):
    """Without a surge the oldest stays; with one both, while only the old one serves."""
    old, new = pod("old"), pod("new")
    found = daemons.NodePods(new, old, new_ready, old_serves)
    going = daemons.surplus([old, new], found, may_double=may_double, is_new_ready=new_ready)
    assert [one["metadata"]["name"] for one in (old, new) if one not in going] == left

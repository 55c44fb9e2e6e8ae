"""What a drill plans for the data, and refuses: roles and links in, steps, undo and words out."""

import dataclasses

import pytest

from azrunbook import postgres
from azrunbook.procedures import data_roles, data_steps

ENDPOINT = postgres.Endpoint("app", "app.writer", "app.reader")
LINKED = {"eastus": "Linked", "westus2": "Linked"}
APART = {"eastus": "Linked", "westus2": "without eastus"}


def server(place, role="Primary", state="Ready", replication=""):
    return postgres.Server(f"/{place}", f"pg-{place}", place, "host", role, state, replication)


def facts(writer="eastus", *, links=LINKED, lag=None, replication="Active", endpoints=(ENDPOINT,)):
    """Both regions, one of which takes writes."""
    return data_roles.Facts(
        {
            place: server(place)
            if place == writer
            else server(place, "GeoAsyncReplica", replication=replication)
            for place in ("eastus", "westus2")
        },
        endpoints,
        links,
        lag,
    )


def say(parts):
    """Actions of steps with where they act, and of their undo in the order in which it runs."""
    _, steps, _ = parts
    return [
        (
            step.action,
            step.arguments["location"],
            [undo.action for undo in reversed(step.undo)],
        )
        for step in steps
    ]


BACK = ["await_replica", "promote_server"]


@pytest.mark.parametrize(
    ("promote", "links", "expected"),
    [
        ("none", LINKED, []),
        ("planned", LINKED, [("promote_server", "westus2", BACK)]),
        ("forced", {}, [("promote_server", "westus2", BACK)]),
        (
            "forced",
            LINKED,
            [("promote_server", "westus2", BACK), ("unlink_cache", "westus2", ["join_cache"])],
        ),
    ],
)
def test_a_failover_promotes_what_it_was_asked_to(promote, links, expected):
    """Caches are parted only where the other one is given up."""
    found = data_steps.plan_promotion(facts(links=links), "eastus", "westus2", promote)
    assert say(found) == expected


def test_what_is_lost_for_good_is_said_before_it_is():
    """Forced: the lag, and that there is no way back for it. Planned: that nothing is lost."""
    _, _, forced = data_steps.plan_promotion(facts(lag=7), "eastus", "westus2", "forced")
    assert "the last 7 s are lost" in forced[1]
    assert "one-way" in forced[2]
    _, steps, planned = data_steps.plan_promotion(facts(lag=7), "eastus", "westus2", "planned")
    assert planned[0].startswith("No write is confirmed for 0 to 127 s")
    assert planned[1] == "No confirmed write is lost."
    assert steps[0].undo[-1].arguments["was_forced"] is False


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (None, "has no replica"),
        (facts("westus2"), "takes writes in westus2"),
        (dataclasses.replace(facts(), servers={}), "takes writes in nowhere"),
    ],
)
def test_without_anything_to_promote_the_drill_says_so(seen, reason):
    """No replica, or the data is in another region already: no step, and the reason."""
    changes, steps, notes = data_steps.plan_promotion(seen, "eastus", "westus2", "planned")
    assert (len(changes), len(steps)) == (0, 0)
    assert reason in notes[0]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (facts("eastus"), []),
        (facts("eastus", links=APART), ["join_cache"]),
        (facts("westus2"), ["await_replica", "promote_server"]),
        (facts("westus2", links=APART), ["join_cache", "await_replica", "promote_server"]),
    ],
)
def test_a_failback_does_what_is_left_to_do(seen, expected):
    """A second run finds what the first one did, and goes on from there."""
    _, steps, _ = data_steps.plan_return(seen, "eastus", "planned")
    assert [one.action for one in steps] == expected
    for promotion in (one for one in steps if one.action == "promote_server"):
        assert promotion.after == ("wait until the database of eastus has caught up",)
        assert promotion.arguments == {"location": "eastus", "is_forced": False}


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        (facts(lag=299), set()),
        (facts(lag=301), {"replication lag"}),
        (facts(replication="Catchup"), {"database replicates to westus2"}),
        (facts(endpoints=()), {"virtual endpoint"}),
        (facts(links=APART), {"caches linked"}),
    ],
)
def test_a_promotion_that_would_cost_too_much_is_refused(seen, refused):
    """Too late, not streaming, no name that moves, a cache that lacks what the other has."""
    found = [*data_roles.check_replica(seen, "westus2", 300), *data_roles.check_linked(seen)]
    assert {one.name for one in found if not one.passed} == refused


def test_a_server_that_was_promoted_by_itself_does_not_come_back():
    """Two sets of data: neither may be written over the other by a drill."""
    both = data_roles.Facts({place: server(place) for place in ("eastus", "westus2")})
    found = data_roles.check_is_replica(both, "westus2")
    assert not found.passed
    assert "save what only it has" in found.advice
    assert data_roles.check_is_replica(facts("westus2"), "eastus").passed

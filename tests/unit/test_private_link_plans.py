"""Private links: what waits for the ingress, what is put after it, and what is approved. Pure."""

import pytest

from azrunbook import estate, resources
from azrunbook.procedures import ingress_rollout, private_links
from azrunbook.resources import model

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


def private_facts(declared, *, is_there, states=(), absent=True):
    """Front Door's origins of a private estate: what they lead to, and whether they are there."""
    origins = [one for one in declared if one.type == model.ORIGIN]
    shared = [one.body["properties"]["sharedPrivateLinkResource"] for one in origins]
    links = tuple(
        private_links.Link(one, link["privateLink"]["id"], is_there=is_there, states=states)
        for one, link in zip(origins, shared, strict=True)
    )
    behind = {link.origin.id for link in links if link.is_by_ingress}
    late = tuple(one for one in declared if one.id in behind or behind & set(one.depends_on))
    return private_links.Facts(links, late if absent else ())


@pytest.fixture
def private_estate():
    return resources.desired_resources(estate.load("staging"), SUBSCRIPTION)


def test_what_waits_for_the_ingress_is_left_out_and_put_after_it(private_estate):
    """Two origins and the route to them wait; the storage accounts' origins do not."""
    before = private_facts(private_estate, is_there=False)
    waiting = private_links.list_waiting(before)
    assert [one.path_name.rpartition("/")[2] for one in waiting] == [
        "eastus", "westus2", "route-hello-world",
    ]  # fmt: skip
    assert {link.is_by_ingress for link in private_links.list_due(before)} == {False}
    after = private_facts(private_estate, is_there=True)
    assert private_links.list_waiting(after) == ()
    planned = ingress_rollout.plan(ingress_rollout.Facts((), links=before))
    assert [step.action for step in planned.steps] == ["put_resource"] * 3 + ["approve_link"] * 2
    assert set(planned.steps[2].after) == {step.name for step in planned.steps[:2]}
    left = ingress_rollout.plan(ingress_rollout.Facts((), links=before), engine="terraform")
    assert left.is_empty


@pytest.mark.parametrize(
    ("states", "actions"),
    [
        ((), {"create"}),
        (("Pending",), {"update"}),
        (("Approved", "Pending"), {"update"}),
        (("Rejected",), {"update"}),
        (("Approved",), set()),
    ],
)
def test_a_private_link_is_approved_until_all_of_it_is(private_estate, states, actions):
    """Also one that is only about to be asked for; taken back it is rejected."""
    facts = private_facts(private_estate, is_there=True, states=states, absent=False)
    changes, steps = private_links.plan_approvals(facts.links)
    assert {one.action for one in changes} == actions
    assert {step.undo[0].action for step in steps} == ({"reject_link"} if actions else set())
    assert all(one.passed for one in private_links.check(facts)) == (not actions)

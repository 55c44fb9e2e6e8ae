"""Plans as values: what they show, and what their hash binds."""

import dataclasses

import pytest

from azrunbook import plan

CREATE = plan.Change(
    "create",
    "Microsoft.Network/virtualNetworks",
    "vnet",
    "eastus",
    properties=(plan.PropertyChange("location", None, "eastus"),),
)
UPDATE = plan.Change(
    "update",
    "Microsoft.ContainerService/managedClusters",
    "aks",
    "eastus",
    properties=(plan.PropertyChange("properties.count", 2, 3),),
)
SAME = plan.Change("no_change", "Microsoft.Cdn/profiles", "afd", "global")
STEP = plan.Step("put vnet", "networks", "put_resource", undo=(plan.Undo("delete_resource"),))


def make(*changes, steps=(STEP,)):
    return plan.Plan("Provision", changes, steps, ("Nobody notices.",))


def test_text_shows_sign_name_and_changed_properties():
    """What a terminal shows: one line a change, and below it what differs."""
    text = str(make(CREATE, UPDATE, SAME))
    assert "1 to create, 1 to update, 1 unchanged" in text
    assert "  + Microsoft.Network/virtualNetworks vnet [eastus] (1 properties)" in text
    assert "      properties.count: 2 -> 3" in text
    assert "note: Nobody notices." in text


def test_markup_in_values_is_escaped():
    """A tag's value cannot become part of the page."""
    evil = plan.PropertyChange("tags.x", "<script>", None)
    page = make(dataclasses.replace(UPDATE, properties=(evil,)))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_hash_is_the_same_for_the_same_plan():
    """An approval can be given to a hash."""
    assert make(CREATE).hash == make(CREATE).hash


@pytest.mark.parametrize(
    "other",
    [
        make(UPDATE),
        make(CREATE, steps=()),
        make(CREATE, steps=(dataclasses.replace(STEP, arguments={"role": "primary"}),)),
        make(CREATE, steps=(dataclasses.replace(STEP, undo=()),)),
    ],
)
def test_hash_changes_with_changes_steps_and_undo(other):
    """What is applied is what was shown."""
    assert other.hash != make(CREATE).hash


def test_a_plan_without_changes_is_empty():
    """Only what stays as it is: nothing to apply."""
    assert make(SAME).is_empty
    assert not make(SAME, UPDATE).is_empty


def test_groups_keep_the_order_of_steps():
    """A notebook's cells run in this order."""
    steps = [dataclasses.replace(STEP, name=str(n), group=g) for n, g in enumerate("babc")]
    assert make(steps=tuple(steps)).groups == ("b", "a", "c")
    assert [one.name for one in make(steps=tuple(steps)).list_steps("b")] == ["0", "2"]

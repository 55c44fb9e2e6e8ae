"""Terraform's account of a plan as the runbook's own, from documents as terraform writes them."""

import pytest

from azrunbook import errors, terraform_plans


def change(*actions, before=None, after=None, **masks):
    return {
        "address": "module.region.azurerm_thing.this",
        "mode": "managed",
        "type": "azurerm_thing",
        "change": {"actions": list(actions), "before": before, "after": after, **masks},
    }


def read(*changes, **more):
    return terraform_plans.read_plan({"resource_changes": changes, **more}, "Provision", "tofu")


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("create",), "create"),
        (("update",), "update"),
        (("delete",), "delete"),
        (("no-op",), "no_change"),
        (("delete", "create"), "replace"),
        (("create", "delete"), "replace"),
    ],
)
def test_each_action_has_its_word(actions, expected):
    """Terraform replaces in two orders; to a person it is one thing."""
    assert read(change(*actions)).changes[0].action == expected


@pytest.mark.parametrize("action", ["read", "forget"])
def test_what_changes_nothing_in_azure_is_no_change(action):
    """Reading a data source, or forgetting a resource that stays."""
    assert read(change(action)).changes == ()


def test_an_action_of_a_later_terraform_stops_everything():
    """What is not understood is not applied."""
    with pytest.raises(errors.PlanError, match="unknown action"):
        read(change("transmogrify"))


def test_names_and_places_come_from_the_values():
    """The id is Azure's where there is one, else the address, by which an undo finds it."""
    values = {"id": "/subscriptions/s/x", "name": "vnet", "location": "eastus"}
    there = read(change("no-op", before=values, after=values)).changes[0]
    new = read(change("create", after={"name": "vnet"}, after_unknown={"id": True})).changes[0]
    assert (there.id, there.name, there.region) == ("/subscriptions/s/x", "vnet", "eastus")
    assert (new.id, new.region) == ("module.region.azurerm_thing.this", "global")


def test_only_what_differs_is_listed_unknown_and_secret_values_by_their_word():
    """Deep inside blocks and lists; a secret that stays a secret is not listed at all."""
    before = {"sku": "P1", "block": [{"count": 2, "key": "old"}], "password": "a", "token": "b"}
    after = {"sku": "P1", "block": [{"count": 3}], "password": "c", "token": None}
    shown = read(
        change(
            "update",
            before=before,
            after=after,
            after_unknown={"block": [{"key": True}], "sku": False},
            before_sensitive={"password": True, "token": True},
            after_sensitive={"password": True},
        )
    ).changes[0]
    found = {one.path: (one.before, one.after) for one in shown.properties}
    assert found["block"] == (
        [{"count": 2, "key": "old"}],
        [{"count": 3, "key": "(known after apply)"}],
    )
    assert found["token"] == ("(sensitive)", None)
    assert found.keys() == {"block", "token"}


def test_every_sensitive_text_is_found():
    """In resources and outputs, before and after, as deep as the mask says."""
    shown = {
        "resource_changes": [
            change(
                "update",
                before={"keys": [{"value": "first"}, {"value": "second"}]},
                after={"keys": [{"value": "third", "name": "plain"}]},
                before_sensitive={"keys": [{"value": True}, {"value": True}]},
                after_sensitive={"keys": [{"value": True}]},
            )
        ],
        "output_changes": {
            "config": {"actions": ["create"], "after": {"a": ["fourth"]}, "after_sensitive": True}
        },
    }
    assert list(terraform_plans.list_sensitive(shown)) == ["first", "second", "third", "fourth"]


def test_what_others_changed_is_told():
    """Drift is what the plan takes back; whoever made it should hear of it."""
    notes = read(resource_drift=[{"address": "azurerm_thing.this"}]).notes
    assert notes == ("changed outside of tofu since its last run: azurerm_thing.this",)

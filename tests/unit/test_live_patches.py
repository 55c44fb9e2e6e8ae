"""Taking out of an object what was added to it, and putting it back."""

import copy

import pytest

from azrunbook import errors, live_drift, live_patches

NAME, KEY = {"name": "app"}, "a/b~c"


def addition(*steps, value):
    return live_drift.Addition("where", steps, value, live_drift.Author("", ""))


def obj(**spec):
    return {"kind": "Thing", "metadata": {"name": "it"}, "spec": spec}


def apply(live, operations):
    """As an API server does it, for the three operations that are used."""
    result = copy.deepcopy(live)
    for one in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")]
        place = result
        for part in way[1:]:
            place = place[int(part) if isinstance(place, list) else part]
        if one["op"] == "add" and last == "-":
            place.append(one["value"])
            continue
        index = int(last) if isinstance(place, list) else last
        if one["op"] == "test":
            assert place[index] == one["value"], one
        elif one["op"] == "remove":
            del place[index]
        else:
            place[index] = one["value"]
    return result


ITEMS = [{"name": "x"}, {"name": "app", "env": [{"name": "A"}, {"name": "B"}, {"name": "C"}]}]
WITHOUT = [{"name": "x"}, {"name": "app", "env": [{"name": "A"}]}]


@pytest.mark.parametrize(
    ("with_it", "without", "additions"),
    [
        (obj(paused=True), obj(), [addition("spec", "paused", value=True)]),
        (obj(**{KEY: 1}), obj(), [addition("spec", KEY, value=1)]),
        (obj(items=ITEMS), obj(items=WITHOUT), [
            addition("spec", "items", NAME, "env", {"name": "B"}, value={"name": "B"}),
            addition("spec", "items", NAME, "env", {"name": "C"}, value={"name": "C"}),
        ]),
        (obj(items=ITEMS), obj(items=ITEMS[:1]),
         [addition("spec", "items", NAME, value=ITEMS[1])]),
    ],
)  # fmt: skip
def test_what_is_taken_out_can_be_put_back(with_it, without, additions):
    """Items are found by their keys though others before them go; names are escaped."""
    removals = live_patches.list_removals(with_it, additions)
    assert apply(with_it, removals) == without
    assert apply(without, live_patches.list_returns(without, additions)) == with_it
    assert live_patches.list_removals(without, additions) == []
    assert live_patches.list_returns(with_it, additions) == []


@pytest.mark.parametrize(
    ("steps", "value", "whole"),
    [
        (("spec", "labels", "team"), "mine", obj(labels={"team": "mine"})),
        (("spec", "env", NAME), NAME, obj(env=[NAME])),
        (("spec", "a", "b", "c"), 1, obj(a={"b": {"c": 1}})),
    ],
)
def test_what_it_was_in_is_put_back_with_it(steps, value, whole):
    """The server drops a map or list that has become empty."""
    additions = [addition(*steps, value=value)]
    assert apply(obj(), live_patches.list_returns(obj(), additions)) == whole


def test_what_has_changed_since_the_plan_is_not_taken_out():
    """The plan showed another value, and its way back would bring that."""
    with pytest.raises(errors.StepError, match="Run the audit again"):
        live_patches.list_removals(obj(paused=False), [addition("spec", "paused", value=True)])

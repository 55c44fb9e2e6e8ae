"""What is there against what is declared: the table of cases, and laying one over the other."""

from pathlib import Path

import pytest
import yaml

from azrunbook import resources
from azrunbook.resources import model

TABLES = Path(__file__).parents[1] / "tables" / "resources"
CASES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(TABLES.glob("*.yaml"))}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_change_is_decided_as_the_table_says(case):
    """Each file of the table says what is declared, what is there and what follows."""
    desired = resources.DesiredResource(
        "/id", case["type"], "2025-01-01", "name", "eastus", case["declared"]
    )
    (change,) = resources.plan_changes([desired], {"/id": case["actual"]})
    found = {one.path: [one.before, one.after] for one in change.properties}
    assert (change.action, found) == (case["expect"]["action"], case["expect"]["properties"])


def test_a_body_laid_over_what_is_there_keeps_what_others_decided():
    """A PUT must not remove a tag, a subnet or a property that the estate does not know."""
    there = {
        "tags": {"owner": "somebody", "env": "old"},
        "subnets": [{"name": "theirs"}, {"name": "Ours", "nsg": "x", "prefix": "old"}],
    }
    ours = {"tags": {"env": "dv"}, "subnets": [{"name": "ours", "prefix": "new"}]}
    assert resources.merge_body(ours, there) == {
        "tags": {"owner": "somebody", "env": "dv"},
        "subnets": [{"name": "ours", "nsg": "x", "prefix": "new"}, {"name": "theirs"}],
    }


def test_a_body_laid_over_nothing_is_itself():
    """A resource that does not exist gets exactly what is declared."""
    body = {"location": "eastus", "zones": ["1"]}
    assert resources.merge_body(body, None) == body


def test_every_replaced_path_belongs_to_a_declared_type():
    """A typing mistake in the table of immutable properties would silently allow an update."""
    from azrunbook.resources import comparison

    known = {value for value in vars(model).values() if isinstance(value, str)}
    assert set(comparison._IMMUTABLE) <= known

"""Plan and apply from the command line: one plan of all layers, and only what was approved."""

import json

import pytest

pytestmark = pytest.mark.timeout(600)


def read_plan(azrunbook):
    done = azrunbook("plan", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_short_hash_is_wrong_input(azrunbook):
    """Nothing is started for it."""
    done = azrunbook("apply", "--plan", "3f2")
    assert done.returncode == 2
    assert "at least 12 characters" in done.stderr


def test_what_was_approved_is_applied_and_nothing_else(azrunbook):
    """A stale hash is refused; the right one runs 01, 02, 03; then nothing is left to change."""
    try:
        assert azrunbook("sandbox", "up", "--timing", "immediate").returncode == 0
        first = read_plan(azrunbook)
        assert {change["action"] for change in first["changes"]} == {"create"}
        types = [change["type"] for change in first["changes"]]
        assert {"Microsoft.Cdn/profiles", "container image"} < set(types)
        assert types.count("Helm release") == 4
        assert len([note for note in first["notes"] if "not there yet" in note]) == 2
        stale = azrunbook("apply", "--plan", "0" * 64)
        assert stale.returncode == 1
        assert "the plan is another one now" in stale.stderr
        assert read_plan(azrunbook) == first
        done = azrunbook("apply", "--plan", first["hash"][:12], "--json", timeout=400)
        assert done.returncode == 0, done.stderr
        assert [one["verdict"] for one in json.loads(done.stdout)] == ["passed"] * 3
        after = read_plan(azrunbook)
        assert {change["action"] for change in after["changes"]} == {"no_change"}
        assert len(after["changes"]) == len(first["changes"])
        again = azrunbook("apply", "--plan", after["hash"], "--json")
        assert (again.returncode, json.loads(again.stdout)) == (0, [])
        assert azrunbook("apply", "--plan", first["hash"]).returncode == 1
    finally:
        azrunbook("sandbox", "down")

"""The loop under mistakes and gaps: one object's error, a watch that was left behind."""

import pytest

from azrunbook.sandbox.kube import store
from azrunbook.sandbox.kube.controllers import loop


class Witness:
    """Sees ConfigMaps come and go; fails on those whose name says so."""

    name = "witness"

    def __init__(self, world):
        self.world = world
        self.there = {}
        self.attempts = 0

    def watches(self):
        return [loop.Watch(self.world.resource("configmaps"), self._keys)]

    def _keys(self, change):
        if change.object["metadata"]["name"] == "unheard":
            raise ValueError("a mistake in what a change means")
        return loop.own_key(change)

    def reconcile(self, key):
        if key[1] == "broken":
            self.attempts += 1
            raise ValueError("a mistake in one object")
        self.there[key[1]] = self.world.registry.find(self.world.resource("configmaps"), *key)


@pytest.fixture
async def witness(world):
    """A controller of its own beside those of the cluster."""
    made = Witness(world)
    own = loop.Loop(world.registry, [made])
    await own.start()
    yield made
    await own.stop()


async def test_mistake_about_one_object_does_not_stop_the_others(world, witness, caplog):
    """It is logged and tried again; every other object is looked after."""
    world.make("configmaps", "broken")
    world.make("configmaps", "unheard")
    world.make("configmaps", "sound")
    await world.until(lambda: witness.there.get("sound"))
    await world.until(lambda: witness.attempts >= 3)
    assert "witness ('default', 'broken') failed; again in" in caplog.text
    assert "was not understood. This is a bug." in caplog.text


async def test_watch_left_behind_hears_of_what_went_meanwhile(world, witness, monkeypatch):
    """Where the history no longer reaches back, what is gone is said to be deleted."""
    monkeypatch.setattr(store, "HISTORY_MINIMUM", 2)
    monkeypatch.setattr(store, "HISTORY_MAXIMUM", 4)
    for name in ("kept", "gone"):
        world.make("configmaps", name)
    await world.until(lambda: witness.there.get("kept") and witness.there.get("gone"))
    world.delete("configmaps", "gone")
    for number in range(20):  # more than the history holds, before the loop has its turn
        world.patch("configmaps", "kept", {"data": {"n": str(number)}})
    await world.until(lambda: witness.there["gone"] is None)
    await world.until(lambda: witness.there["kept"]["data"] == {"n": "19"})

"""What keeps a large cluster quick: views that follow the store instead of reading it whole."""

from azrunbook.sandbox.kube.controllers import node_tracker, pods

MANY = 30


def held(tracker):
    """Node names to the names of the pods they hold."""
    return {state.name: {pods.key(pod)[1] for pod in state.pods} for state in tracker.states()}


async def test_a_tracker_sees_what_the_store_holds_whenever_it_is_asked(world):
    """Pods that arrive, end and go, and nodes that come and go, one by one and after many."""
    tracker = node_tracker.NodeTracker(world.registry)
    assert held(tracker) == {f"node-{n}": set() for n in (1, 2, 3)}
    spec = world.template("a")["spec"]
    for index in range(MANY):
        world.make("pods", f"a-{index}", spec={**spec, "nodeName": f"node-{1 + index % 2}"})
    assert {name: len(found) for name, found in held(tracker).items()} == {
        "node-1": MANY // 2, "node-2": MANY // 2, "node-3": 0
    }  # fmt: skip
    world.patch("pods", "a-0", {"status": {"phase": "Succeeded"}}, subresource="status")
    world.delete("pods", "a-1", gracePeriodSeconds=0)
    world.delete("nodes", "node-3", None)
    world.node("node-4")
    seen = held(tracker)
    assert set(seen) == {"node-1", "node-2", "node-4"}
    assert seen["node-1"] == {f"a-{index}" for index in range(2, MANY, 2)}
    assert seen["node-2"] == {f"a-{index}" for index in range(3, MANY, 2)}
    assert seen == held(node_tracker.NodeTracker(world.registry))

"""Owner references that are circular, foreign or not valid."""


def reference(owner, kind="ConfigMap", version="v1", *, blocks=True):
    return {
        "apiVersion": version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocks,
    }


async def test_owners_in_a_circle_do_not_wait_for_each_other(world):
    """Foreground deletion of one of two that own each other ends with both gone."""
    first = world.make("configmaps", "first")
    second = world.make("configmaps", "second", metadata={"ownerReferences": [reference(first)]})
    body = {"metadata": {"ownerReferences": [reference(second)]}}
    world.patch("configmaps", "first", body)
    await world.settle()
    world.delete("configmaps", "first", propagationPolicy="Foreground")
    await world.until(
        lambda: not world.find("configmaps", "first") and not world.find("configmaps", "second")
    )


async def test_foreground_waits_only_for_dependents_that_block(world):
    """A dependent that does not block is collected after its owner has gone."""
    owner = world.make("configmaps", "owner")
    held = {"finalizers": ["example.com/hold"]}
    loose = {"ownerReferences": [reference(owner, blocks=False)], **held}
    tight = {"ownerReferences": [reference(owner)], **held}
    world.make("secrets", "loose", metadata=loose)
    world.make("secrets", "tight", metadata=tight)
    await world.settle()
    world.delete("configmaps", "owner", propagationPolicy="Foreground")
    await world.until(lambda: "deletionTimestamp" in world.find("secrets", "tight")["metadata"])
    await world.settle()
    assert "deletionTimestamp" not in world.find("secrets", "loose")["metadata"]
    world.patch("secrets", "tight", {"metadata": {"finalizers": None}})
    await world.until(lambda: not world.find("configmaps", "owner"))
    await world.until(lambda: "deletionTimestamp" in world.find("secrets", "loose")["metadata"])


async def test_owner_in_another_namespace_is_no_owner(world):
    """The dependent goes, and an event says why."""
    world.make("namespaces", "shop")
    owner = world.make("configmaps", "owner", "shop")
    world.make("secrets", "mine", metadata={"ownerReferences": [reference(owner)]})
    await world.until(lambda: world.find("secrets", "mine") is None)
    uid = owner["metadata"]["uid"]
    (found,) = world.events("OwnerRefInvalidNamespace")
    assert found == (
        f"ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: {uid}] "
        'does not exist in namespace "default"'
    )


async def test_cluster_scoped_dependent_of_a_namespaced_owner_is_left_alone(world):
    """Such a reference is not valid; the collector keeps its hands off."""
    owner = world.make("configmaps", "owner")
    world.make("priorityclasses", "mine", value=1, metadata={"ownerReferences": [reference(owner)]})
    world.delete("configmaps", "owner")
    await world.settle()
    assert world.find("priorityclasses", "mine", None)


async def test_one_owner_of_two_is_enough(world):
    """The reference to the one that is gone is taken off, the dependent stays."""
    first, second = world.make("configmaps", "first"), world.make("configmaps", "second")
    both = [reference(first), reference(second)]
    world.make("secrets", "mine", metadata={"ownerReferences": both})
    await world.settle()
    world.delete("configmaps", "first")
    await world.until(
        lambda: len(world.find("secrets", "mine")["metadata"]["ownerReferences"]) == 1
    )
    assert world.find("secrets", "mine")["metadata"]["ownerReferences"][0]["name"] == "second"

"""Nodes that leave, and nodes that someone vouches are off."""


async def test_pods_of_a_node_out_of_service_are_forgotten(world):
    """With the taint a pod that is being deleted on a lost node goes without its kubelet."""
    world.deployment("web", replicas=3)
    await world.until(lambda: world.is_complete("web"))
    pod = next(p for p in world.list("pods") if p["spec"]["nodeName"] == "node-1")
    name = pod["metadata"]["name"]
    world.silent.add("node-1")
    lost = {"type": "Ready", "status": "Unknown"}
    world.patch("nodes", "node-1", {"status": {"conditions": [lost]}}, subresource="status")
    world.delete("pods", name)
    await world.settle()
    assert world.find("pods", name)
    taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    present = world.find("nodes", "node-1", None)["spec"].get("taints") or []
    world.patch("nodes", "node-1", {"spec": {"taints": [*present, taint]}})
    await world.until(lambda: world.find("pods", name) is None)


async def test_node_that_leaves_is_said_to_have_left(world):
    """Registration and removal are events about the node."""
    await world.until(lambda: len(world.events("RegisteredNode")) == 3)
    world.delete("nodes", "node-1", None)
    await world.until(lambda: world.events("RemovingNode"))
    assert world.events("RemovingNode") == [
        "Node node-1 event: Removing Node node-1 from Controller"
    ]


async def test_job_counts_a_pod_whose_node_is_gone(world):
    """The pod is Failed before it is deleted, so that its Job replaces it."""
    template = world.template("work", "work:1", restartPolicy="Never")
    world.make("jobs", "work", spec={"template": template, "podReplacementPolicy": "Failed"})
    await world.until(lambda: world.list("pods") and world.list("pods")[0]["spec"].get("nodeName"))
    world.delete("nodes", world.list("pods")[0]["spec"]["nodeName"], None)
    await world.until(lambda: world.find("jobs", "work")["status"].get("failed") == 1)

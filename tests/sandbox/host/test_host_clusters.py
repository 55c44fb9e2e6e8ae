"""Managed clusters made real: nodes as pools say, contexts, stop and start, what is resolved."""

import stat

import yaml

from azrunbook.sandbox import lifecycle


def read_kubeconfig(home):
    path = lifecycle.kubeconfig_path(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    config = yaml.safe_load(path.read_text())
    return [one["name"] for one in config["contexts"]], config["current-context"]


def count_nodes(subscription):
    return len(subscription.kubectl("get", "nodes", "-o", "name").split())


def test_the_primary_is_current_whichever_came_first(rack):
    """A context per cluster; the one whose tag says primary is current; a deleted one is gone."""
    rack.put_cluster("westus2", role="secondary")
    assert read_kubeconfig(rack.home) == (["aks-westus2"], "aks-westus2")
    rack.put_cluster("eastus", role="primary")
    assert read_kubeconfig(rack.home) == (["aks-westus2", "aks-eastus"], "aks-eastus")
    rack.delete_cluster("westus2")
    assert read_kubeconfig(rack.home) == (["aks-eastus"], "aks-eastus")


def test_nodes_follow_the_pool(rack):
    """Scaling adds and removes nodes; names and addresses are used again."""
    rack.put_cluster("eastus", role="primary", count=2)
    before = rack.kubectl("get", "nodes", "-o", "wide").splitlines()
    rack.put_cluster("eastus", role="primary", count=1)
    assert count_nodes(rack) == 1
    rack.put_cluster("eastus", role="primary", count=2)
    after = rack.kubectl("get", "nodes", "-o", "wide").splitlines()
    assert [line.split()[0] for line in after] == [line.split()[0] for line in before]
    assert [line.split()[5] for line in after] == [line.split()[5] for line in before]


def test_pools_change_side_by_side(rack):
    """Two pools come and go at once, and each node just once."""
    rack.put_cluster("eastus", role="primary")
    rack.change_pools("put", "eastus", ["one", "two"])
    assert count_nodes(rack) == 3
    rack.change_pools("delete", "eastus", ["one", "two"])
    assert count_nodes(rack) == 1


def test_a_stopped_cluster_keeps_its_objects(rack, wait_for):
    """Its API server is gone while it is stopped; started again, its pods run as new processes."""
    rack.put_cluster("eastus", role="primary")
    rack.kubectl("create", "configmap", "kept", "--from-literal=answer=42")
    rack.kubectl("create", "deployment", "web", "--image=traefik:v3.7.15")
    rack.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    rack.turn("stop", "eastus")
    assert lifecycle.status(rack.home)["clusters"][0]["power"] == "Stopped"
    assert rack.kubectl("get", "nodes", "--request-timeout=2s", check=False) == ""
    rack.turn("start", "eastus")
    kept = rack.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.answer}")
    assert kept == "42"
    wait_for(
        lambda: "1/1" in rack.kubectl("get", "deployment", "web", "--no-headers"),
        "the deployment is ready again",
    )


def test_a_node_that_is_lost_says_no_goodbye(rack):
    """Its objects stay: the cluster has to notice by itself."""
    rack.put_cluster("eastus", role="primary", count=2)
    name = rack.kubectl("get", "nodes", "-o", "name").split()[0].removeprefix("node/")
    lifecycle.inject(rack.home, {"kind": "node_loss", "name": name})
    assert count_nodes(rack) == 2
    assert lifecycle.status(rack.home)["clusters"][0]["nodes"] == 2


def test_a_sandbox_can_be_asked_to_simulate_images(make_sandbox, subscribe):
    """A Deployment of an image that nothing here can run is rolled out, and its pods say so."""
    subscription = subscribe(make_sandbox(images="simulate"))
    subscription.put_cluster("eastus", role="primary")
    subscription.kubectl("create", "deployment", "web", "--image=registry.example/shop:1")
    subscription.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    labelled = subscription.kubectl(
        "get", "pods", "-l", "azrunbook.dev/simulated=true", "-o", "name"
    )
    assert labelled.startswith("pod/web-")
    assert lifecycle.status(subscription.home)["images"] == "simulate"

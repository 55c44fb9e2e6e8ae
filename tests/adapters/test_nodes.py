"""Cordon, drain and uncordon against an API server with controllers and the real Eviction API."""

import contextlib

import pytest

from azrunbook import errors, forecast, kube_api, nodes

NAMESPACE = "default"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture
def api(kube_cluster):
    with contextlib.closing(
        kube_api.KubeApi(kube_cluster.kubeconfig, kube_cluster.context)
    ) as found:
        yield found


@pytest.fixture
def here(api):
    return nodes.Nodes(api)


@pytest.fixture
def put(kube_cluster):
    """Create an object in the cluster."""
    registry = kube_cluster.cluster.registry

    def create(group, plural, body):
        resource = registry.resources.get(group, plural)
        namespace = NAMESPACE if resource.namespaced else None
        return kube_cluster.call(registry.create, resource, namespace, body)

    return create


@pytest.fixture
def node(put):
    def make(name):
        amounts = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        conditions = [{"type": "Ready", "status": "True"}]
        status = {"capacity": amounts, "allocatable": amounts, "conditions": conditions}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}
        return put("", "nodes", body)

    return make


@pytest.fixture
def pod(put):
    """A pod on a node, owned by something that is there and does not start it again."""
    owner = put("", "configmaps", {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"},
    })  # fmt: skip

    def make(name, on):
        reference = {
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
            "uid": owner["metadata"]["uid"],
        }  # fmt: skip
        labels = {"app": "web"}
        return put("", "pods", {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels, "ownerReferences": [reference]},
            "spec": {
                "nodeName": on, "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "c", "image": "i"}],
            },
        })  # fmt: skip

    return make


def is_cordoned(here, name):
    found = {one["metadata"]["name"]: one for one in here.take_snapshot().nodes}
    return bool(found[name]["spec"].get("unschedulable"))


def test_a_drain_evicts_and_leaves_the_node_cordoned(here, node, pod):
    """Pods of the node go, those of other nodes stay; uncordon ends it."""
    for name in ("a", "b"):
        node(name)
    pod("web", "a")
    pod("other", "b")
    told = []
    assert here.drain("a", timeout=30, progress=told.append) == (f"{NAMESPACE}/web",)
    left = {forecast.get_name(one) for one in here.take_snapshot().pods}
    assert f"{NAMESPACE}/web" not in left
    assert f"{NAMESPACE}/other" in left
    assert is_cordoned(here, "a")
    here.uncordon("a")
    assert not is_cordoned(here, "a")


def test_draining_again_has_nothing_left_to_do(here, node):
    """Idempotent: an interrupted drain is simply run again."""
    node("a")
    assert here.drain("a", timeout=10) == ()
    assert here.drain("a", timeout=10) == ()


def test_a_budget_that_allows_nobody_to_go_is_named(here, api, node, pod, put):
    """The pod stays, and the error repeats what the API server said of it."""
    node("a")
    pod("web", "a")
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/web/status"  # a pending pod needs no budget
    api.send("PATCH", "status", path, body={"status": running}, media_type=MERGE_PATCH)
    put("policy", "poddisruptionbudgets", {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
    })  # fmt: skip
    with pytest.raises(errors.WaitTimeoutError, match="disruption budget"):
        here.drain("a", timeout=1.5)
    assert f"{NAMESPACE}/web" in {forecast.get_name(one) for one in here.take_snapshot().pods}


def test_a_node_that_is_not_there_cannot_be_cordoned(here):
    """The error names it."""
    with pytest.raises(errors.NotFoundError, match="nope"):
        here.cordon("nope")

"""Reading a cluster through the kubernetes client, against a real API server and controllers."""

import contextlib
import threading

import pytest
import yaml

from azrunbook import errors, kube_api, workloads

NAMESPACE = "default"
LABELS = {"app.kubernetes.io/instance": "shop"}


@pytest.fixture
def here(kube_cluster):
    api = kube_api.KubeApi(kube_cluster.kubeconfig, kube_cluster.context)
    with contextlib.closing(api):
        yield workloads.Workloads(api)


@pytest.fixture
def put(kube_cluster):
    """Create an object in the cluster."""

    def create(group, plural, body, namespace=NAMESPACE):
        registry = kube_cluster.cluster.registry
        resource = registry.resources.get(group, plural)
        return kube_cluster.call(
            registry.create, resource, namespace if resource.namespaced else None, body
        )

    return create


@pytest.fixture
def node(put):
    """One ready node of the pool memopt."""
    labels = {"agentpool": "memopt", "topology.kubernetes.io/zone": "eastus-1"}
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    return put(
        "",
        "nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "aks-memopt-0", "labels": labels},
            "status": {
                "capacity": amounts,
                "allocatable": amounts,
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"kubeletVersion": "v1.36.2"},
            },
        },
    )


@pytest.fixture
def deployment(put):
    return put(
        "apps",
        "deployments",
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "web",
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "shop"},
            },
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web", **LABELS}},
                    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
                },
            },
        },
    )


@pytest.fixture
def kubelet(kube_cluster):
    """Says of every scheduled pod that it is ready, until the test is over."""
    registry = kube_cluster.cluster.registry
    pods = registry.resources.get("", "pods")
    over = threading.Event()
    status = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "web", "restartCount": 3, "ready": True}],
    }

    def work():
        while not over.wait(0.05):
            for pod in kube_cluster.call(registry.list, pods, NAMESPACE):
                name, phase = pod["metadata"]["name"], pod.get("status", {}).get("phase")
                if pod["spec"].get("nodeName") and phase != "Running":
                    body = {"status": status}
                    kube_cluster.call(
                        registry.patch, pods, NAMESPACE, name, body, subresource="status"
                    )

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.usefixtures("node")
def test_a_node_tells_its_pool_zone_and_version(here):
    """What a runbook asks of a node."""
    assert here.list_nodes() == (
        workloads.Node("aks-memopt-0", "memopt", "eastus-1", "v1.36.2", is_ready=True),
    )


@pytest.mark.usefixtures("node")
def test_waiting_for_more_nodes_than_come_says_how_many_there_are(here):
    """The deadline passes with the last count."""
    here.wait_for_nodes(1, timeout=5)
    with pytest.raises(errors.WaitTimeoutError, match="1 of 2 nodes ready"):
        here.wait_for_nodes(2, timeout=0.5)


@pytest.mark.usefixtures("node", "deployment", "kubelet")
def test_a_rollout_is_waited_for_until_every_replica_is_ready(here):
    """Afterwards deployment and pods are ready, with node, image and restarts."""
    here.wait_for_rollout(NAMESPACE, release="shop", timeout=20)
    (found,) = here.list_deployments(NAMESPACE, release="shop")
    assert (found.name, found.ready, found.replicas, found.is_ready) == ("web", 2, 2, True)
    pods = here.list_pods(NAMESPACE, release="shop")
    assert {(p.node, p.state, p.is_ready, p.restarts, p.images) for p in pods} == {
        ("aks-memopt-0", "Running", True, 3, ("web:1",))
    }


@pytest.mark.usefixtures("deployment")
def test_a_rollout_without_nodes_ends_at_its_deadline(here):
    """The error says what was last seen, and progress was told."""
    told = []
    with pytest.raises(errors.WaitTimeoutError, match="web 0 of 2 ready"):
        here.wait_for_rollout(NAMESPACE, release="shop", timeout=0.7, progress=told.append)
    assert told == ["web 0 of 2 ready"]


def test_a_release_without_deployments_is_an_error_at_once(here):
    """Waiting for nothing would succeed for ever."""
    with pytest.raises(errors.NotFoundError, match="shop has no deployment"):
        here.wait_for_rollout(NAMESPACE, release="shop", timeout=20)


def test_a_load_balancer_gets_its_address_and_a_missing_service_is_an_error(here, put):
    """The address is the cluster's own; a cluster service has none."""
    spec = {"ports": [{"port": 80}], "selector": {"app": "web"}}
    for name, kind in (("open", "LoadBalancer"), ("inner", "ClusterIP")):
        put(
            "",
            "services",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name},
                "spec": {"type": kind, **spec},
            },
        )
    assert here.find_load_balancer_address(NAMESPACE, "inner") == ""
    with pytest.raises(errors.NotFoundError, match=r"service nowhere .*404"):
        here.find_load_balancer_address(NAMESPACE, "nowhere")


def test_namespaces_and_ingress_classes_are_listed_by_name(here, put):
    """Names only; that is what is compared."""
    put(
        "networking.k8s.io",
        "ingressclasses",
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "traefik"},
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
    )
    assert here.list_ingress_classes() == ("traefik",)
    assert {"default", "kube-system"} <= set(here.list_namespaces())
    assert here.get_version() == "v1.36.2"


def test_a_stopped_cluster_is_a_connection_error_and_waiting_goes_on(here, kube_cluster):
    """A single question fails with a hint; a wait treats it as a state until its deadline."""
    kube_cluster.run(kube_cluster.cluster.stop())
    with pytest.raises(errors.ConnectError, match="Is it stopped"):
        here.list_nodes()
    with pytest.raises(errors.WaitTimeoutError, match="does not answer"):
        here.wait_for_nodes(1, timeout=0.5)


def test_a_credential_that_the_cluster_does_not_know_is_said_so(kube_cluster, tmp_path):
    """A token of another cluster is refused, and the advice is to reconnect."""
    folder = tmp_path / "other"
    folder.mkdir()
    config = yaml.safe_load(kube_cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "of-somebody-else"}
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    stranger = kube_api.KubeApi(folder / "kubeconfig", kube_cluster.context)
    with contextlib.closing(stranger), pytest.raises(errors.ConnectError, match="401"):
        workloads.Workloads(stranger).list_nodes()

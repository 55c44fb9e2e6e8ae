"""A whole cluster through kubectl, old and new, with a kubelet that only writes status."""

import asyncio
import ipaddress
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from azrunbook.sandbox import tls
from azrunbook.sandbox.kube import cluster as kube_cluster

NEW = Path(sys.executable).with_name("kubectl")
OLD = shutil.which("kubectl", path="/usr/local/bin:/usr/bin")
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "app:1", ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}
"""


class Kubectl:
    """Runs kubectl against the cluster; raises AssertionError with what it said on failure."""

    def __init__(self, binary, kubeconfig):
        self._start = [str(binary), "--kubeconfig", str(kubeconfig), "--cache-dir"]
        self._start.append(str(kubeconfig.with_name("cache")))

    async def __call__(self, line, stdin=""):
        process = await asyncio.create_subprocess_exec(
            *self._start, *line.split(), stdin=-1, stdout=-1, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(stdin.encode()), 30)
        assert process.returncode == 0, out.decode()
        return out.decode()


@pytest.fixture(params=[NEW, OLD], ids=["new", "old"])
async def shop(request, tmp_path, make_world):
    """A namespace `shop` of a served cluster, and a kubectl for it."""
    if request.param is None:
        pytest.skip("there is no kubectl in /usr/bin")
    config = kube_cluster.ClusterConfig(
        name="aks",
        location="westeurope",
        version="1.36.2",
        address="127.0.0.1",
        port=0,
        service_addresses=ipaddress.IPv4Network("127.9.2.0/23"),
        load_balancer_addresses=ipaddress.IPv4Network("127.9.1.0/24"),
    )
    served = kube_cluster.Cluster(config, tls.Authority())
    await served.start()
    world = make_world(served.registry)
    for index in (1, 2, 3):
        world.node(f"node-{index}", zone=f"z{index}")
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(served.kubeconfig("admin", ["system:masters"], "aks")))
    kubectl = Kubectl(request.param, kubeconfig)
    kubectl.cluster = served
    await kubectl("config set-context --current --namespace=shop")
    await kubectl("apply -f -", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}")
    yield kubectl
    await world.stop()
    await served.stop()


async def test_deployment_from_apply_to_undo(shop):
    """Apply, rollout status, a new image, undo, scale: what a person types."""
    await shop("apply -f -", MANIFEST)
    assert "successfully rolled out" in await shop("rollout status deployment/web --timeout=20s")
    await shop("set image deployment/web c=app:2")
    await shop("rollout status deployment/web --timeout=20s")
    await shop("rollout undo deployment/web")
    await shop("rollout status deployment/web --timeout=20s")
    images = await shop("get pods -o jsonpath={.items[*].spec.containers[0].image}")
    assert set(images.split()) == {"app:1"}
    await shop("scale deployment/web --replicas=5")
    await shop("wait deployment/web --for=jsonpath={.status.availableReplicas}=5 --timeout=20s")


async def test_service_has_address_and_endpoints(shop):
    """The load balancer's address and three endpoints are there once rolled out."""
    await shop("apply -f -", MANIFEST)
    await shop("rollout status deployment/web --timeout=20s")
    address = await shop("get service web -o jsonpath={.status.loadBalancer.ingress[0].ip}")
    assert address == "127.9.1.1"
    line = "get endpointslices -l kubernetes.io/service-name=web -o jsonpath={.items[0].endpoints}"
    assert (await shop(line)).count('"ready":true') == 3


async def test_deleting_the_namespace_returns_when_all_is_gone(shop):
    """`kubectl delete namespace` waits until nothing is left."""
    await shop("apply -f -", MANIFEST)
    line = "create configmap late --dry-run=client -o yaml"
    late = await shop(line)
    await shop("delete namespace shop --wait=false")
    with pytest.raises(AssertionError, match="because it is being terminated"):
        await shop("create -f -", late)
    await shop("wait namespace/shop --for=delete --timeout=20s")
    assert "shop" not in await shop("get namespaces -o name")


async def test_drain_moves_pods_and_leaves_a_cordoned_node(shop):
    """After drain no pod is on the node, and all run elsewhere."""
    await shop("apply -f -", MANIFEST)
    await shop("rollout status deployment/web --timeout=20s")
    await shop("drain node-1 --timeout=20s")
    await shop("rollout status deployment/web --timeout=20s")
    nodes = await shop("get pods -o jsonpath={.items[*].spec.nodeName}")
    assert "node-1" not in nodes
    assert "SchedulingDisabled" in await shop("get node node-1")


async def test_objects_survive_stop_and_start(shop):
    """A cluster that was stopped serves what it had, at the same address."""
    await shop("apply -f -", MANIFEST)
    await shop("rollout status deployment/web --timeout=20s")
    await shop.cluster.stop()
    await shop.cluster.start()
    assert "deployment.apps/web" in await shop("get deployments -o name")
    await shop("scale deployment/web --replicas=4")
    await shop("rollout status deployment/web --timeout=20s")

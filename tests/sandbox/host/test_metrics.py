"""What pods use, from their processes to the autoscaler and `kubectl top`."""

import asyncio
import contextlib
import datetime as dt
import io
import sys
import tarfile
import time
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.host import addresses, metrics as host_metrics
from azrunbook.sandbox.kube import cluster as kube_cluster, metrics
from azrunbook.sandbox.kube.controllers import assembly
from azrunbook.sandbox.node import agent, api, config, images, usage
from azrunbook.sandbox.node.usage import Sample

START = Sample(100.0, 0.0, 0, is_start=True)
KUBECTLS = [
    str(path)
    for path in (Path(sys.executable).with_name("kubectl"), Path("/usr/bin/kubectl"))
    if path.exists()
]
IMAGE = "registry.example/burner:1"
# Uses about a third of a core, in a child of the container's first process.
BURN = """
import time
while True:
    until = time.process_time() + 0.01
    while time.process_time() < until:
        pass
    time.sleep(0.02)
"""


@pytest.mark.parametrize(
    ("samples", "cores"),
    [
        ([], None),
        ([START], None),
        ([START, Sample(105.0, 3.0, 7)], None),
        ([START, Sample(110.0, 3.0, 7)], 0.3),
        ([START, Sample(104.0, 3.0, 7), Sample(106.0, 4.0, 7)], 0.5),
        ([Sample(100.0, 5.0, 7), Sample(100.5, 5.2, 7)], None),
        ([Sample(100.0, 5.0, 7), Sample(102.0, 5.0, 7)], 0.0),
        ([Sample(100.0, 5.0, 7), Sample(102.0, 4.0, 7)], 0.0),
    ],
)
def test_cpu_is_the_rate_between_two_samples(samples, cores):
    """The start counts as a sample after ten seconds; a rate is never negative."""
    found = usage.compute_usage(samples)
    assert (found and found.cpu_cores) == cores


@pytest.mark.parametrize(
    ("pid", "group", "leader"),
    [
        (10, 10, 10),
        (11, 10, 10),
        (12, 12, 10),
        (13, 10, 10),
        (20, 20, 20),
        (21, 20, 20),
        (5, 5, None),
    ],
)
def test_a_process_belongs_to_its_nearest_leader(pid, group, leader):
    """Also one in a group of its own (12), and an orphan that stayed in the group (13)."""
    parents = {10: 1, 11: 10, 12: 11, 13: 1, 20: 10, 21: 20, 5: 1, 1: 0}
    assert usage.find_leader(pid, group, parents, {10, 20}) == leader


def reading(cpu, memory, seconds=15):
    at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    return metrics.Reading(
        at, seconds, {"main": {"cpu": Fraction(cpu), "memory": Fraction(memory)}}
    )


@pytest.mark.parametrize(
    ("cpu", "memory", "quantities"),
    [
        ("0.25", 2048, {"cpu": "250000000n", "memory": "2Ki"}),
        ("0", 0, {"cpu": "0", "memory": "0"}),
    ],
)
def test_a_reading_is_written_as_metrics_server_writes_it(cpu, memory, quantities):
    """Nanocores and kibibytes, with the instant and the window."""
    pod = {"metadata": {"name": "web", "namespace": "shop", "uid": "1", "labels": {"app": "web"}}}
    found = metrics.describe_pod(pod, reading(cpu, memory))
    assert found["containers"] == [{"name": "main", "usage": quantities}]
    assert (found["timestamp"], found["window"]) == ("2026-01-02T03:04:05Z", "15.000s")
    assert "uid" not in found["metadata"]


class OneCluster:
    """A served cluster with one node; what the host makes of one, quick to scale."""

    def __init__(self, folder):
        self.folder, self.authority = folder, tls.Authority()
        self.block, self.supervisor = addresses.claim_block(), processes.Supervisor()
        self.agents = {}
        settings = kube_cluster.ClusterConfig(
            name="aks",
            location="westeurope",
            version="1.36.2",
            address=self.block.server,
            port=6443,
            service_addresses=self.block.services,
            load_balancer_addresses=self.block.load_balancers,
            timing=assembly.Timing(autoscaler_period_seconds=0.5),
        )
        source = host_metrics.AgentMetrics(self.agents)
        self.cluster = kube_cluster.Cluster(settings, self.authority, source)
        self.kubeconfig = folder / "kubeconfig"

    async def start(self):
        await self.supervisor.start()
        await self.cluster.start()
        admin = self.cluster.kubeconfig("admin", ["system:masters"], "aks")
        self.kubeconfig.write_text(yaml.safe_dump(admin))
        address = self.block.node(0)
        node = config.NodeConfig(
            name="node-0",
            address=address,
            pod_addresses=self.block.pods(0),
            labels={},
            taints=[],
            capacity={"cpu": "2", "memory": "8Gi", "pods": "9", "ephemeral-storage": "9Gi"},
            kubelet_version="v1.36.2",
            log_dir=self.folder / "logs",
            provider_id="azure://node-0",
            server_context=self.authority.server_context(address, ask_client_certificate=True),
        )
        store = images.ImageStore(self.folder / "images")
        await store.build(context(), "Dockerfile", [IMAGE], lambda _: None)
        pair = self.authority.issue_client("system:node:node-0", ["system:nodes"])
        access = api.ApiAccess(self.cluster.url, self.authority.client_context(pair))
        self.agents["node-0"] = agent.NodeAgent(node, access, store, self.supervisor)
        await self.agents["node-0"].start()

    async def stop(self):
        for node in self.agents.values():
            await node.stop()
        await self.cluster.stop()
        await self.supervisor.stop()
        self.block.release()

    async def kubectl(self, program, *line):
        process = await asyncio.create_subprocess_exec(
            program,
            f"--kubeconfig={self.kubeconfig}",
            *line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=-1,
            stderr=asyncio.subprocess.STDOUT,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, out.decode()
        return out.decode()

    def replicas(self):
        registry = self.cluster.registry
        found = registry.get(registry.resources.get("apps", "deployments"), "default", "burner")
        return found["spec"]["replicas"]

    def create(self, group, plural, body):
        registry = self.cluster.registry
        registry.create(registry.resources.get(group, plural), "default", body)


def context():
    files = {"Dockerfile": f"FROM python:3.12\nCOPY . .\nCMD {MAIN}\n", "burn.py": BURN}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


MAIN = '["sh", "-c", "python burn.py & wait"]'
POD = {"name": "main", "image": IMAGE, "resources": {"requests": {"cpu": "100m"}}}
LABELS = {"app": "burner"}
DEPLOYMENT = {
    "metadata": {"name": "burner"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": {"containers": [POD]}},
    },
}
SCALER = {
    "metadata": {"name": "burner"},
    "spec": {
        "minReplicas": 1,
        "maxReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "burner"},
    },
}


@pytest.fixture
async def one(tmp_path):
    """The cluster, running."""
    made = OneCluster(tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(made.stop)
        await made.start()
        yield made


async def test_a_busy_process_is_seen_by_kubectl_top_and_scaled(one):
    """CPU of a child process reaches the autoscaler, and both kubectls by the metrics API."""
    one.create("apps", "deployments", DEPLOYMENT)
    one.create("autoscaling", "horizontalpodautoscalers", SCALER)
    deadline = time.monotonic() + 30
    while one.replicas() != 2:
        assert time.monotonic() < deadline, "not scaled within 30 s"
        await asyncio.sleep(0.1)
    for program in KUBECTLS:
        pods = await one.kubectl(program, "top", "pods", "-A", "--no-headers", "--sort-by=cpu")
        namespace, name, cpu, memory = pods.splitlines()[0].split()
        assert (namespace, name.partition("-")[0]) == ("default", "burner")
        assert 50 <= int(cpu.removesuffix("m")) <= 1000
        assert int(memory.removesuffix("Mi")) >= 1
        nodes = await one.kubectl(program, "top", "nodes", "--no-headers")
        assert nodes.split()[0] == "node-0"


async def test_an_idle_node_is_not_measured(one):
    """Nobody asks, so nobody looks at the process table."""
    meter = one.agents["node-0"].meter
    assert meter._sampled_at_seconds < 0
    answer = await one.kubectl(KUBECTLS[0], "get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods")
    assert '"items":[]' in answer
    assert meter._sampled_at_seconds > 0

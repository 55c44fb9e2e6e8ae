"""A cluster whose nodes simulate every image, and each helm to try charts on it."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

from azrunbook import binaries
from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.host import addons, addresses, grants
from azrunbook.sandbox.kube import cluster as clusters
from azrunbook.sandbox.node import agent, api, config, images

CHARTS = Path(__file__).parent / "charts"
NODES = 2
CAPACITY = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}


class ChartCluster:
    """One cluster in a background thread, as a person's shell reaches it."""

    def __init__(self, folder):
        self.kubeconfig = folder / "kubeconfig"
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._ends = []
        self._run(self._start())

    async def _start(self):
        authority, block = tls.Authority(), addresses.claim_block()
        supervisor = processes.Supervisor()
        await supervisor.start()
        settings = clusters.ClusterConfig(
            name="charts",
            location="westeurope",
            version="1.36.2",
            address=block.server,
            port=addresses.API_SERVER_PORT,
            service_addresses=block.services,
            load_balancer_addresses=block.load_balancers,
        )
        cluster = clusters.Cluster(settings, authority)
        await cluster.start()
        addons.install(cluster.registry)
        grants.let_nodes_label_pods(cluster.registry)
        self._ends = [cluster.stop, supervisor.stop]
        for number in range(NODES):
            await self._start_node(number, cluster, authority, supervisor, block)
        admin = cluster.kubeconfig("admin", ["system:masters"], "charts")
        self.kubeconfig.write_text(yaml.safe_dump(admin))
        self.kubeconfig.chmod(0o600)

        async def release():
            block.release()

        self._ends.append(release)

    async def _start_node(self, number, cluster, authority, supervisor, block):
        name, address = f"node-{number}", block.node(number)
        node = config.NodeConfig(
            name=name,
            address=address,
            pod_addresses=block.pods(number),
            labels={"kubernetes.io/os": "linux", "kubernetes.io/hostname": name},
            taints=[],
            capacity=CAPACITY,
            kubelet_version="v1.36.2",
            log_dir=self._folder / name,
            disks_dir=self._folder / "disks",
            provider_id=f"azure:///{name}",
            server_context=authority.server_context(address, ask_client_certificate=True),
            unrunnable="simulate",
        )
        pair = authority.issue_client(f"system:node:{name}", ["system:nodes"])
        access = api.ApiAccess(cluster.url, authority.client_context(pair))
        store = images.ImageStore(self._folder / "images")
        started = agent.NodeAgent(node, access, store, supervisor)
        await started.start()
        self._ends.insert(0, started.stop)

    def stop(self):
        for end in self._ends:
            self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        gc.collect()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


@pytest.fixture(scope="session")
def chart_cluster(tmp_path_factory):
    cluster = ChartCluster(tmp_path_factory.mktemp("charts"))
    yield cluster
    cluster.stop()


class Shell:
    """A namespace of the test's own, one helm, and kubectl."""

    def __init__(self, cluster, helm, namespace, home):
        self.namespace = namespace
        self.version = helm.version
        self.is_old = helm.version.startswith("3.")
        self._helm = str(helm.path)
        self._kubectl = str(Path(sys.executable).with_name("kubectl"))
        self._env = {
            "HOME": str(home), "PATH": os.defpath, "KUBECONFIG": str(cluster.kubeconfig)
        }  # fmt: skip

    def try_helm(self, *arguments):
        """Run helm; the finished process, whatever its exit status."""
        return self._try([self._helm, *arguments, "-n", self.namespace])

    def helm(self, *arguments):
        """Run helm, which must succeed; what it printed."""
        done = self.try_helm(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def try_kubectl(self, *arguments, text=None):
        return self._try([self._kubectl, *arguments, "-n", self.namespace], text)

    def kubectl(self, *arguments, text=None):
        done = self.try_kubectl(*arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def find(self, kind, name):
        """One object, or None."""
        return json.loads(
            self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found") or "null"
        )

    def names(self, kind):
        return set(self.kubectl("get", kind, "-o", "name").split())

    def history(self, release):
        """(status, description) of each revision."""
        rows = json.loads(self.helm("history", release, "-o", "json"))
        return [(row["status"], row["description"]) for row in rows]

    def _try(self, command, text=None):
        return subprocess.run(
            command,
            env=self._env,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="session", params=["3.17.2", "4.1.4", "4.3.1"])
def each_helm(request):
    return binaries.install("helm", request.param)


@pytest.fixture
def shell(chart_cluster, each_helm, request, tmp_path):
    """A shell with one of the helms; its namespace does not exist yet."""
    name = f"{request.node.originalname}-{each_helm.version}"
    namespace = name.removeprefix("test_").replace("_", "-").replace(".", "-")[-60:].strip("-")
    return Shell(chart_cluster, each_helm, namespace, tmp_path)


@pytest.fixture
def charts():
    """The folder of the charts that were written for these tests."""
    return CHARTS

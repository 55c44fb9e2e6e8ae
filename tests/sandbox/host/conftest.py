"""Sandboxes in state folders of the test's own, and the processes that belong to them."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from azure.identity import ClientSecretCredential

from azrunbook import arm, binaries, connection, documents
from azrunbook.sandbox import lifecycle


@pytest.fixture
def make_sandbox(tmp_path):
    """Start sandboxes in folders below the test's own; all of them end with it."""
    homes = []

    def make(name="home", **options):
        home = tmp_path / name
        homes.append(home)
        lifecycle.start(home, **{"owner_pid": os.getpid(), "timing": "immediate", **options})
        return home

    yield make
    for home in homes:
        lifecycle.stop(home)


@pytest.fixture
def wait_for():
    """Look until something is so; a deadline of 15 s fails the test."""

    def wait(look, what):
        deadline = time.monotonic() + 15
        while not (seen := look()):
            assert time.monotonic() < deadline, f"not seen within 15 s: {what}"
            time.sleep(0.02)
        return seen

    return wait


@pytest.fixture
def list_family():
    """The sandbox's process and everything below it, as psutil processes."""

    def find(home):
        sandbox = psutil.Process(lifecycle.status(home)["pid"])
        return [sandbox, *sandbox.children(recursive=True)]

    return find


@pytest.fixture
def kill():
    """``kill -9``, as a machine short of memory does it."""
    return lambda pid: os.kill(pid, signal.SIGKILL)


@dataclass
class Subscription:
    """The subscription of one sandbox through the real clients, and kubectl on its kubeconfig."""

    home: Path
    arm: arm.ArmClient
    id: str
    token: str

    def cluster_id(self, location):
        return (
            f"/subscriptions/{self.id}/resourceGroups/rg-{location}/providers"
            "/Microsoft.ContainerService/managedClusters/aks"
        )

    def put_cluster(self, location, *, role, count=1):
        """A cluster with one pool; made or scaled, and waited for."""
        group = f"/subscriptions/{self.id}/resourceGroups/rg-{location}"
        self._put(group, "2025-04-01", {"location": location})
        pool = {"name": "pool", "count": count, "vmSize": "Standard_D2s_v3", "mode": "System"}
        body = {
            "location": location,
            "tags": {"role": role},
            "identity": {"type": "SystemAssigned"},
            "properties": {
                "kubernetesVersion": "1.36",
                "dnsPrefix": "demo",
                "agentPoolProfiles": [pool],
            },
        }
        self._put(self.cluster_id(location), _AKS_API, body)

    def change_pools(self, verb, location, names):
        """Put or delete pools of one node all at once, and wait for every one."""
        body = {"properties": {"count": 1, "vmSize": "Standard_D2s_v3"}}
        begin = {
            "put": lambda id_: self.arm.begin_put(id_, _AKS_API, body),
            "delete": lambda id_: self.arm.begin_delete(id_, _AKS_API),
        }[verb]
        for poller in [begin(f"{self.cluster_id(location)}/agentPools/{name}") for name in names]:
            self.arm.wait(poller, what=f"{verb} pools", timeout=60)

    def delete_cluster(self, location):
        poller = self.arm.begin_delete(self.cluster_id(location), _AKS_API)
        self.arm.wait(poller, what="delete cluster", timeout=60)

    def turn(self, verb, location):
        """Stop or start a cluster."""
        poller = self.arm.begin_post(f"{self.cluster_id(location)}/{verb}", _AKS_API)
        self.arm.wait(poller, what=verb, timeout=60)

    def kubectl(self, *arguments, check=True):
        return subprocess.run(
            [binaries.require("kubectl").path, *arguments],
            env={
                **os.environ,
                "KUBECONFIG": str(lifecycle.kubeconfig_path(self.home)),
                "KUBECACHEDIR": str(self.home / "kubectl"),
            },
            check=check,
            text=True,
            capture_output=True,
            timeout=60,
        ).stdout

    def run_pod(self, name="web"):
        """A pod that runs Traefik, waited for until it is ready."""
        self.kubectl("run", name, "--image=traefik:v3.7.15")
        self.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=30s")

    def _put(self, resource_id, api_version, body):
        self.arm.wait(
            self.arm.begin_put(resource_id, api_version, body), what=resource_id, timeout=60
        )


_AKS_API = "2026-08-01"


@pytest.fixture
def subscribe():
    """Sign in to a sandbox with what stands in its connection file."""
    clients = []

    def connect(home):
        found = documents.read(connection.Connection, lifecycle.connection_path(home))
        credential = ClientSecretCredential(
            found.tenant_id,
            found.credential.client_id,
            found.credential.client_secret_file.read_text(),
            authority=found.authority,
            disable_instance_discovery=True,
            connection_verify=str(found.ca_bundle),
        )
        client = arm.ArmClient(
            credential,
            found.resource_manager,
            ca_bundle=found.ca_bundle,
            polling_interval_seconds=0.1,
        )
        clients.append(client)
        token = credential.get_token(f"{found.resource_manager}/.default").token
        return Subscription(home, client, found.subscription_id, token)

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory):
    """One sandbox for all tests of a module that leave it empty."""
    home = tmp_path_factory.mktemp("shared")
    lifecycle.start(home, owner_pid=os.getpid(), timing="immediate")
    yield home
    lifecycle.stop(home)


@pytest.fixture
def rack(shared_home, subscribe):
    """The shared sandbox's subscription, emptied afterwards."""
    subscription = subscribe(shared_home)
    yield subscription
    for cluster in lifecycle.status(shared_home)["clusters"]:
        subscription.delete_cluster(cluster["location"])

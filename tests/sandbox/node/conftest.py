"""A cluster with nodes of its own, on a block of loopback addresses of its own."""

import asyncio
import contextlib
import io
import ipaddress
import json
import os
import subprocess
import tarfile
import textwrap
import time

import pytest

from azrunbook import binaries
from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.host import addresses
from azrunbook.sandbox.kube import cluster as clusters
from azrunbook.sandbox.node import agent, api, config, images, logs, proxy

SERVER = """
import http.server, json, os, signal, sys, threading
state = {"status": 200}
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/exit":
            os._exit(3)
        if self.path.startswith("/set/"):
            state["status"] = int(self.path[5:])
        status = state["status"] if self.path == "/health" else 200
        body = json.dumps({"path": self.path, "env": dict(os.environ)}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, text, *args):
        print(text % args, flush=True)
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
def end(*_):
    print("terminating", flush=True)
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, end)
print("serving", flush=True)
server.serve_forever()
"""
DOCKERFILE = (
    'FROM python:3.12-slim\nWORKDIR /app\nCOPY . .\nUSER 1000\nCMD ["python", "server.py"]\n'
)
IMAGE = "registry.example/server:1"


def make_tar(files):
    """Pack a build context."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            data = textwrap.dedent(text).encode()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def until():
    """Await until a condition holds; fails, naming it, after the given seconds."""

    async def watch(condition, *, seconds=15.0):
        deadline = time.monotonic() + seconds
        while not (seen := condition()):
            assert time.monotonic() < deadline, f"not seen within {seconds} s: {condition}"
            await asyncio.sleep(0.01)
        return seen

    return watch


class World:
    """One cluster, its nodes, and short ways to ask about them."""

    def __init__(self, cluster, authority, supervisor, store, folder):
        self.cluster, self.registry = cluster, cluster.registry
        self.authority, self.supervisor, self.store = authority, supervisor, store
        self.folder = folder
        self.prefix = cluster.config.address.rsplit(".", 2)[0]
        self.agents = []

    def access(self, user="system:node:node-0", group="system:nodes"):
        pair = self.authority.issue_client(user, [group])
        return api.ApiAccess(self.cluster.url, self.authority.client_context(pair))

    def node_config(self, number=0, **changes):
        address = f"{self.prefix}.{10 + number}.1"
        return config.NodeConfig(
            name=f"node-{number}",
            address=address,
            pod_addresses=ipaddress.ip_network(f"{self.prefix}.{10 + number}.0/24"),
            labels={"agentpool": "system"},
            taints=[],
            capacity={
                "cpu": "2",
                "memory": "8Gi",
                "pods": "110",
                "ephemeral-storage": "100Gi",
            },
            kubelet_version="v1.36.2",
            log_dir=self.folder / f"node-{number}",
            provider_id=f"azure:///subscriptions/x/node-{number}",
            server_context=self.authority.server_context(address, ask_client_certificate=True),
            **changes,
        )

    async def start_node(self, number=0, **changes):
        node = self.node_config(number, **changes)
        started = agent.NodeAgent(
            node, self.access(f"system:node:{node.name}"), self.store, self.supervisor
        )
        self.agents.append(started)
        await started.start()
        return started

    def resource(self, plural, group=""):
        return self.registry.resources.get(group, plural)

    def create(self, plural, body, *, group="", namespace="default"):
        return self.registry.create(self.resource(plural, group), namespace, body)

    def create_pod(self, name="web", *, node="node-0", spec=None, **container):
        main = {"name": "main", "image": IMAGE, **container}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
            "spec": {"nodeName": node, "containers": [main], **(spec or {})},
        }
        return self.create("pods", body)

    def pod(self, name="web"):
        return self.registry.find(self.resource("pods"), "default", name)

    def condition(self, kind, name="web"):
        pod = self.pod(name) or {}
        found = [c for c in pod.get("status", {}).get("conditions", ()) if c["type"] == kind]
        return found[0]["status"] if found else None

    def is_ready(self, name="web"):
        return self.condition("Ready", name) == "True"

    def container(self, name="web"):
        statuses = (self.pod(name) or {}).get("status", {}).get("containerStatuses") or [{}]
        return statuses[0]

    def log_text(self, name="web", container="main"):
        """What a container has said, without asking the API server."""
        found = [
            worker.runners[container].find_log(previous=False)
            for agent_ in self.agents
            for worker in agent_.workers.values()
            if worker.pod["metadata"]["name"] == name and container in worker.runners
        ]
        return logs.read_tail(found[0], lines=1000, limit_bytes=10_000) if found else ""

    def reasons(self, name="web"):
        events = self.registry.list(self.resource("events"), "default")
        return {e["reason"] for e in events if e["involvedObject"]["name"] == name}

    def delete_pod(self, name="web", grace=None):
        options = {} if grace is None else {"gracePeriodSeconds": grace}
        self.registry.delete(self.resource("pods"), "default", name, options=options)

    def write_kubeconfig(self, user="admin", groups=("system:masters",)):
        path = self.folder / f"kubeconfig-{user.replace(':', '-')}"
        path.write_text(json.dumps(self.cluster.kubeconfig(user, groups, "test")))
        return path

    async def run_kubectl(self, *arguments, given=None, user=("admin", ("system:masters",))):
        """Run the real kubectl; its exit code, output and error output."""
        process = await asyncio.create_subprocess_exec(
            binaries.require("kubectl").path,
            *arguments,
            env={
                **os.environ,
                "KUBECONFIG": str(self.write_kubeconfig(*user)),
                "KUBECACHEDIR": str(self.folder / "kubectl"),
            },
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                out, problem = await process.communicate(given)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode, out.decode(), problem.decode()

    async def kubectl(self, *arguments, given=None):
        """Run kubectl, which must succeed; its output."""
        code, out, problem = await self.run_kubectl(*arguments, given=given)
        assert code == 0, problem
        return out

    @contextlib.asynccontextmanager
    async def watched(self):
        """Every state of every pod while this lasts."""
        seen = []

        async def collect():
            async for event in self.registry.watch(self.resource("pods")):
                seen.append(event.object)  # noqa: PERF401 - is read before the watch ends

        watching = asyncio.create_task(collect())
        yield seen
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def ask(self, address, path="/", port=8080):
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@pytest.fixture
async def world(tmp_path, until):
    """A started cluster without nodes, and a store with one image in it."""
    authority = tls.Authority()
    supervisor = processes.Supervisor()
    await supervisor.start()
    block = addresses.claim_block()
    settings = clusters.ClusterConfig(
        name="test",
        location="westeurope",
        version="1.36.2",
        address=block.server,
        port=addresses.API_SERVER_PORT,
        service_addresses=block.services,
        load_balancer_addresses=block.load_balancers,
    )
    cluster = clusters.Cluster(settings, authority)
    await cluster.start()
    store = images.ImageStore(tmp_path / "images")
    context = make_tar({"Dockerfile": DOCKERFILE, "server.py": SERVER})
    await store.build(context, "Dockerfile", [IMAGE], lambda _: None)
    made = World(cluster, authority, supervisor, store, tmp_path)
    accounts = made.resource("serviceaccounts")
    await until(lambda: made.registry.find(accounts, "default", "default"))
    yield made
    for each in made.agents:
        with contextlib.suppress(RuntimeError, AttributeError):
            await each.stop()
    await cluster.stop()
    await supervisor.stop()
    block.release()


@pytest.fixture
async def node(world):
    """One started node, quick to start containers again."""
    quick = config.BackOff(first_seconds=0.2, limit_seconds=1.0)
    return await world.start_node(backoff=quick, memory_sample_seconds=0.1)


@pytest.fixture
async def services(world):
    """The service proxy of the cluster."""
    started = proxy.ServiceProxy(world.access("system:kube-proxy", "system:nodes"))
    await started.start()
    yield started
    await started.stop()

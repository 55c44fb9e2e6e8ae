"""Scale and cost of the sandbox: `python tests/benchmarks/kube.py`. Prints; asserts nothing.

Law: figures of one run on this machine, with its load beside them. The server runs in a process of
its own, so that its memory is not that of the clients; pods here are objects without a process.
The real control plane's figures were measured on two cores: kube-apiserver, controller-manager,
scheduler and etcd 1.36, and Helm's installation of a chart whose pods become ready at once.
"""

import argparse
import asyncio
import itertools
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil
import yaml

from azrunbook import binaries
from azrunbook.sandbox import lifecycle, tls
from azrunbook.sandbox.host import addresses
from azrunbook.sandbox.kube import cluster as kube_cluster, times
from azrunbook.sandbox.kube.controllers import assembly

REAL_MEMORY_MB, REAL_READY_SECONDS = 583, 5.5
REAL_INSTALL_SECONDS = {"3": 2.29, "4": 0.33}
WATCHERS, CLIENTS, PATCHES = 100, 16, 1000
SCHEDULED = 500
TARGET_IDLE_PERCENT, TARGET_IDLE_MB = 2, 250
NEVER_SECONDS = 1e9
MEGABYTE = 1e6
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: one\nversion: 1.0.0\n",
    "templates/web.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
""",
}


def say(what, value, unit, ratio=""):
    sys.stdout.write(f"{what:<58}{value:>12} {unit:<14}{ratio}\n")
    sys.stdout.flush()


def compare(ours, real):
    return f"{ours / real:.2f} of the real one's {real}"


def node(index):
    amounts = {"cpu": "32", "memory": "128Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"node-{index}",
            "labels": {"kubernetes.io/hostname": f"node-{index}"},
        },
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


def pod(index, nodes):
    container = {"name": "main", "image": "app:1", "resources": {"requests": {"cpu": "100m"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{index}", "labels": {"app": f"app-{index % 100}"}},
        "spec": {"nodeName": f"node-{index % nodes}", "containers": [container]},
    }


async def serve(folder):
    """Be the server: one cluster, and a kubelet that only says that pods are ready."""
    authority, block = tls.Authority(), addresses.claim_block()
    config = kube_cluster.ClusterConfig(
        name="big",
        location="westeurope",
        version="1.36.2",
        address=block.server,
        port=addresses.API_SERVER_PORT,
        service_addresses=block.services,
        load_balancer_addresses=block.load_balancers,
        timing=assembly.Timing(
            node_grace_seconds=NEVER_SECONDS, orphan_quarantine_seconds=NEVER_SECONDS
        ),
    )
    cluster = kube_cluster.Cluster(config, authority)
    await cluster.start()
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    pair = authority.issue_client("admin", ["system:masters"])
    (folder / "client.pem").write_bytes(pair.certificate_pem + pair.key_pem)
    admin = cluster.kubeconfig("admin", ["system:masters"], "big")
    (folder / "kubeconfig").write_text(yaml.safe_dump(admin))
    sys.stdout.write(cluster.url + "\n")
    sys.stdout.flush()
    registry, pods = cluster.registry, cluster.registry.resources.get("", "pods")
    async for event in registry.watch(pods, namespace="installed"):
        found = event.object
        if event.type != "DELETED" and found["spec"].get("nodeName"):
            make_ready(registry, pods, found)


def make_ready(registry, pods, found):
    """What a kubelet writes about a pod that runs."""
    status = found.get("status") or {}
    if status.get("phase") == "Running" or "deletionTimestamp" in found["metadata"]:
        return
    stamp = times.stamp()
    kinds = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    said = [{"type": kind, "status": "True", "lastTransitionTime": stamp} for kind in kinds]
    body = {"status": {"phase": "Running", "conditions": said, "podIP": "127.0.0.1"}}
    name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
    registry.patch(pods, namespace, name, body, subresource="status")


class Client:
    """Requests to the server, so many at a time."""

    def __init__(self, url, folder):
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "client.pem")
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        timeout = aiohttp.ClientTimeout(total=None)
        self.session = aiohttp.ClientSession(
            url, connector=connector, timeout=timeout, read_bufsize=int(MEGABYTE)
        )

    async def send(self, method, path, body, content_type="application/json"):
        headers = {"Content-Type": content_type}
        async with self.session.request(
            method, path, data=json.dumps(body), headers=headers
        ) as answer:
            answer.raise_for_status()
            await answer.read()

    async def send_all(self, requests):
        """Send all; requests a second."""
        listed = list(requests)
        pending = iter(listed)

        async def work():
            for request in pending:
                await self.send(*request)

        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(CLIENTS)))
        return len(listed) / (time.perf_counter() - begun)

    async def read(self, path):
        """Read an answer; seconds, and the body."""
        begun = time.perf_counter()
        async with self.session.get(path) as answer:
            answer.raise_for_status()
            body = await answer.read()
        return time.perf_counter() - begun, body


PODS = "/api/v1/namespaces/default/pods"
MERGE = "application/merge-patch+json"


def patches(round_name, count):
    for index in range(count):
        body = {"metadata": {"labels": {"round": round_name}}}
        yield "PATCH", f"{PODS}/pod-{index}", body, MERGE


async def watch(client, version, wanted, ready):
    """One watcher: open, say so, read until all wanted events have come."""
    path = f"{PODS}?watch=true&resourceVersion={version}"
    seen = 0
    async with client.session.get(path) as answer:
        ready.release()
        async for chunk in answer.content.iter_any():
            seen += chunk.count(b"\n")
            if seen >= wanted:
                return


async def measure_watchers(client):
    """Patch with all watchers open; until the last of them has seen the last change."""
    _, body = await client.read(f"{PODS}?limit=1")
    version = json.loads(body)["metadata"]["resourceVersion"]
    count = min(PATCHES, 500)
    ready = asyncio.Semaphore(0)
    watchers = [asyncio.create_task(watch(client, version, count, ready)) for _ in range(WATCHERS)]
    for _ in watchers:
        await ready.acquire()
    begun = time.perf_counter()
    rate = await client.send_all(patches("watched", count))
    patched = time.perf_counter()
    await asyncio.gather(*watchers)
    ended = time.perf_counter()
    say(f"patches with {WATCHERS} watchers", f"{rate:.0f}", "a second")
    say("events delivered", f"{count * WATCHERS / (ended - begun):.0f}", "a second")
    say("last event after the last patch", f"{ended - patched:.3f}", "s")


async def measure_scheduling(client):
    """Scale a Deployment up; until the last of its pods is scheduled, and said to be ready."""
    group = "/apis/apps/v1/namespaces/installed/deployments"
    spec = {"containers": [{"name": "main", "image": "app:1"}]}
    labels = {"app": "many"}
    await client.send("POST", group, {
        "metadata": {"name": "many"},
        "spec": {
            "replicas": SCHEDULED,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    })  # fmt: skip
    begun = time.perf_counter()
    path = f"{group}?watch=true&fieldSelector=metadata.name%3Dmany"
    async with client.session.get(path) as answer:
        async for line in answer.content:
            status = json.loads(line)["object"].get("status") or {}
            if status.get("readyReplicas") == SCHEDULED:
                break
    rate = SCHEDULED / (time.perf_counter() - begun)
    say(f"{SCHEDULED} pods of a Deployment scheduled and ready", f"{rate:.0f}", "a second")


async def measure_objects(client, process, nodes, pods):
    rate = await client.send_all(("POST", "/api/v1/nodes", node(i)) for i in range(nodes))
    say(f"{nodes} nodes created", f"{rate:.0f}", "a second")
    rate = await client.send_all(("POST", PODS, pod(i, nodes)) for i in range(pods))
    say(f"{pods} pods created", f"{rate:.0f}", "a second")
    seconds = [(await client.read(PODS)) for _ in range(3)]
    say("list of all pods", f"{statistics.median(s for s, _ in seconds):.2f}", "s")
    say("its size", f"{len(seconds[0][1]) / MEGABYTE:.1f}", "MB")
    took, _ = await client.read(f"{PODS}?limit=500")
    say("list of 500 pods", f"{took:.3f}", "s")
    took, _ = await client.read(f"{PODS}?labelSelector=app%3Dapp-7")
    say(f"list of {pods // 100} pods by label", f"{took:.3f}", "s")
    rate = await client.send_all(patches("alone", min(PATCHES, pods)))
    say("patches", f"{rate:.0f}", "a second")
    if pods >= PATCHES:
        await measure_watchers(client)
        await measure_scheduling(client)
    used = process.memory_info().rss / MEGABYTE
    ratio = compare(used, REAL_MEMORY_MB) + " (empty)"
    say(f"memory with {nodes} nodes and {pods} pods", f"{used:.0f}", "MB", ratio)


def measure_helm(folder):
    """Time `helm install --wait` of one Deployment with every helm that is here."""
    chart = folder / "one"
    for name, text in CHART.items():
        path = chart / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    env = {"HOME": str(folder), "PATH": os.defpath, "KUBECONFIG": str(folder / "kubeconfig")}
    found = {one.version: one.path for one in binaries.list_candidates("helm") if one.version}
    for (version, path), number in zip(sorted(found.items()), itertools.count()):
        took = []
        for turn in range(3):
            line = [path, "install", f"web{number}{turn}", chart, "--wait", "-n", "installed"]
            begun = time.perf_counter()
            subprocess.run(
                [*line, "--create-namespace"], env=env, check=True, stdout=subprocess.DEVNULL
            )
            took.append(time.perf_counter() - begun)
            gone = [path, "uninstall", f"web{number}{turn}", "-n", "installed"]
            subprocess.run(gone, env=env, check=True, stdout=subprocess.DEVNULL)
        best = statistics.median(took)
        real = REAL_INSTALL_SECONDS.get(str(version).partition(".")[0])
        say(
            f"helm {version} install --wait",
            f"{best:.2f}",
            "s",
            compare(best, real) if real else "",
        )


async def measure_cluster(folder, nodes, pods):
    begun = time.perf_counter()
    server = subprocess.Popen(  # noqa: ASYNC220 - returns at exec
        [sys.executable, __file__, "--serve", str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        url = (await asyncio.to_thread(server.stdout.readline)).strip()
        client = Client(url, folder)
        async with client.session:
            await client.read("/readyz")
            ready = time.perf_counter() - begun
            say("control plane ready, process included", f"{ready:.2f}", "s",
                compare(ready, REAL_READY_SECONDS))  # fmt: skip
            process = psutil.Process(server.pid)
            used = process.memory_info().rss / MEGABYTE
            say("its memory", f"{used:.0f}", "MB", compare(used, REAL_MEMORY_MB))
            one = node("first")
            await client.send("POST", "/api/v1/nodes", one)
            await asyncio.to_thread(measure_helm, folder)
            await measure_objects(client, process, nodes, pods)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def measure_sandbox(home, seconds):
    """CPU and memory of a two-region sandbox that nobody asks anything."""
    lifecycle.start(home, owner_pid=os.getpid(), timing="immediate")
    try:
        azrunbook = [Path(sys.executable).with_name("azrunbook"), "run", "01_provision_estate"]
        done = subprocess.run(
            [*azrunbook, "-p", "apply=true", "--reports", home / "reports"],
            env={**os.environ, "AZRUNBOOK_HOME": str(home)},
            cwd=Path(__file__).parents[2],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            sys.exit(f"no estate to be idle: {done.stderr}")
        process = psutil.Process(lifecycle.status(home)["pid"])
        children = process.children(recursive=True)
        before = sum(process.cpu_times()[:2])
        time.sleep(seconds)
        used = sum(process.cpu_times()[:2]) - before
        percent = 100 * used / seconds
        target = f"target < {TARGET_IDLE_PERCENT}"
        say("idle sandbox, two clusters: CPU", f"{percent:.2f}", "% of a core", target)
        memory = process.memory_info().rss / MEGABYTE
        ratio = f"{compare(memory, 2 * REAL_MEMORY_MB)}; target < {TARGET_IDLE_MB}"
        say("idle sandbox: memory", f"{memory:.0f}", "MB", ratio)
        others = sum(child.memory_info().rss for child in children) / MEGABYTE
        say(f"its {len(children)} child processes: memory", f"{others:.0f}", "MB")
    finally:
        lifecycle.stop(home)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve is not None:
        asyncio.run(serve(asked.serve))
        return
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    say("cores", psutil.cpu_count(), "", f"load {load} before")
    with tempfile.TemporaryDirectory(prefix="azrunbook-benchmark-") as folder:
        asyncio.run(measure_cluster(Path(folder), asked.nodes, asked.pods))
        measure_sandbox(Path(folder) / "home", asked.idle_seconds)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    say("cores", psutil.cpu_count(), "", f"load {load} after")


if __name__ == "__main__":
    main()

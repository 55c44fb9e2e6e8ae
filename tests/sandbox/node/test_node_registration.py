"""A node in the API: its object, its lease, and its kubelet endpoint."""

import contextlib

import aiohttp
import pytest

from azrunbook.sandbox.node import clock


async def test_a_node_registers_with_all_that_clients_read(world, node):
    """Addresses, capacity, labels, port, provider."""
    found = world.registry.get(world.resource("nodes"), None, "node-0")
    status = found["status"]
    assert {"type": "InternalIP", "address": node.config.address} in status["addresses"]
    assert status["capacity"]["cpu"] == "2"
    assert status["allocatable"]["cpu"] == "1900m"
    assert status["daemonEndpoints"]["kubeletEndpoint"]["Port"] == 10250
    assert found["metadata"]["labels"]["kubernetes.io/hostname"] == "node-0"
    assert found["spec"]["providerID"] == node.config.provider_id
    ready = [c for c in status["conditions"] if c["type"] == "Ready"]
    assert ready[0]["status"] == "True"


async def test_the_lease_is_renewed(world, until):
    """Each renewal is later than the one before."""
    await world.start_node(lease_seconds=0.05)
    leases = world.resource("leases", "coordination.k8s.io")

    def renewed_at():
        lease = world.registry.find(leases, "kube-node-lease", "node-0")
        return lease and clock.from_text(lease["spec"]["renewTime"])

    first = await until(renewed_at)
    await until(lambda: renewed_at() > first)


async def test_a_node_that_comes_back_is_ready_again(world, node):
    """Registering over an old object repairs its status and keeps its taints."""
    nodes = world.resource("nodes")
    await node.stop()
    conditions = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
    found = world.registry.get(nodes, None, "node-0")
    changed = {**found, "status": {**found["status"], "conditions": conditions}}
    world.registry.update(nodes, None, "node-0", changed, subresource="status")
    await node.start()
    found = world.registry.get(nodes, None, "node-0")
    [ready] = [c for c in found["status"]["conditions"] if c["type"] == "Ready"]
    assert ready["status"] == "True"


async def test_the_kubelet_endpoint_wants_a_certificate(world, node):
    """Health is open, everything else is refused without one."""
    base = f"https://{node.config.address}:10250"
    trusting = world.authority.client_context()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/healthz", ssl=trusting) as answer:
            assert await answer.text() == "ok"
        async with session.get(f"{base}/pods", ssl=trusting) as answer:
            assert answer.status == 401
        async with session.get(f"{base}/pods", ssl=world.access().ssl_context) as answer:
            assert (await answer.json())["items"] == []


@contextlib.asynccontextmanager
async def get(url, context):
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
        yield answer


async def read_log(world, query="", pod="web"):
    access = world.access("admin", "system:masters")
    url = f"{access.url}/api/v1/namespaces/default/pods/{pod}/log?{query}"
    async with get(url, access.ssl_context) as answer:
        return answer.status, await answer.text()


async def test_logs_come_through_the_api_server(world, node, until):
    """All, the tail, and with instants."""
    world.create_pod(command=["sh", "-c", "echo one; echo two >&2; echo three; sleep 300"])
    await until(world.is_ready)
    [worker] = node.workers.values()
    path = worker.runners["main"].find_log(previous=False)
    await until(lambda: b"three" in path.read_bytes())
    assert await read_log(world) == (200, "one\ntwo\nthree\n")
    assert await read_log(world, "tailLines=1") == (200, "three\n")
    _, text = await read_log(world, "timestamps=true&tailLines=1")
    stamp, _, rest = text.partition(" ")
    assert rest == "three\n"
    assert clock.from_text(stamp).tzinfo is not None


async def test_a_followed_log_ends_with_its_container(world, node, until):
    """What is written later arrives, and the end of the container is the end of the answer."""
    script = "echo one; while [ ! -e $HOME/go ]; do sleep 0.1; done; echo two"
    world.create_pod(command=["sh", "-c", script], spec={"restartPolicy": "Never"})
    await until(world.is_ready)
    access = world.access("admin", "system:masters")
    url = f"{access.url}/api/v1/namespaces/default/pods/web/log?follow=true"
    home = node.config.log_dir / "pods" / world.pod()["metadata"]["uid"] / "containers/main/home"
    async with get(url, access.ssl_context) as answer:
        assert await answer.content.readline() == b"one\n"
        (home / "go").touch()
        assert await answer.content.read() == b"two\n"


@pytest.mark.usefixtures("node")
async def test_the_previous_log_is_kept(world, until):
    """After a restart both runs can be read."""
    world.create_pod(command=["sh", "-c", "echo run; exit 1"])
    await until(lambda: world.container().get("restartCount", 0) >= 1)
    status, text = await read_log(world, "previous=true")
    assert (status, text) == (200, "run\n")


async def test_the_summary_counts_memory_and_cpu(world, node, until):
    """The figures are of the processes themselves."""
    world.create_pod(
        command=["python", "-c", "import time; x = bytearray(30_000_000); time.sleep(300)"]
    )
    await until(world.is_ready)
    url = f"https://{node.config.address}:10250/stats/summary"

    async def ask():
        async with get(url, world.access().ssl_context) as answer:
            return (await answer.json())["pods"][0]

    [container] = (await ask())["containers"]
    while container["memory"]["workingSetBytes"] < 30_000_000:
        [container] = (await ask())["containers"]
    assert container["cpu"]["usageCoreNanoSeconds"] > 0


@pytest.mark.parametrize("path", ["/containerLogs/default/none/main", "/containerLogs/x/y/z"])
async def test_a_log_of_nothing_is_not_found(world, node, path):
    """A pod that is not here is a 404."""
    url = f"https://{node.config.address}:10250{path}"
    async with get(url, world.access().ssl_context) as answer:
        assert answer.status == 404

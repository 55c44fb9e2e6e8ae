"""Service addresses: who is listened for, and where connections go."""

import asyncio
import sys
from pathlib import Path

import pytest

from azrunbook.sandbox.node import proxy

READY = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}


def create_service(world, port, **spec):
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"tier": "web"},
            "ports": [{"port": port, "targetPort": 8080}],
            **spec,
        },
    }
    world.create("services", body)


def create_backend(world, name):
    container = {
        "name": "main",
        "image": "registry.example/server:1",
        "readinessProbe": READY,
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"tier": "web"}},
        "spec": {"nodeName": "node-0", "containers": [container]},
    }
    world.create("pods", body)


async def ask_who(world, where):
    return (await world.ask(where[0], port=where[1]))[1]["env"]["HOSTNAME"]


@pytest.mark.usefixtures("node")
async def test_connections_go_round_the_ready_pods(world, services, until):
    """Each of two pods gets every second connection; one that turns unready gets none."""
    ip = f"{world.prefix}.2.50"
    create_service(world, 8000, clusterIP=ip, clusterIPs=[ip])
    assert services.find_listener(ip, 8000) is None
    create_backend(world, "one")
    create_backend(world, "two")
    await until(lambda: world.is_ready("one") and world.is_ready("two"))
    where = await until(lambda: services.find_listener(ip, 8000))
    await until(lambda: len(services._listeners[where].forwarder.backends) == 2)
    assert {await ask_who(world, where) for _ in range(4)} == {"one", "two"}
    await world.ask(world.pod("one")["status"]["podIP"], "/set/503")
    await until(lambda: len(services._listeners[where].forwarder.backends) == 1)
    assert {await ask_who(world, where) for _ in range(4)} == {"two"}


@pytest.mark.usefixtures("node")
async def test_without_a_ready_pod_the_connection_is_refused(world, services, until):
    """The listener goes with the last ready endpoint."""
    ip = f"{world.prefix}.2.50"
    create_service(world, 8000, clusterIP=ip, clusterIPs=[ip])
    create_backend(world, "one")
    where = await until(lambda: services.find_listener(ip, 8000))
    world.delete_pod("one")
    await until(lambda: services.find_listener(ip, 8000) is None)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*where)


@pytest.mark.usefixtures("node")
async def test_a_load_balancer_address_is_listened_on(world, services, until):
    """Also at a low port, which may be another one for an ordinary user."""
    create_service(world, 80, type="LoadBalancer")
    create_backend(world, "one")
    resource = world.resource("services")

    def find_address():
        status = world.registry.get(resource, "default", "web")["status"]
        ingress = status.get("loadBalancer", {}).get("ingress")
        return ingress and ingress[0]["ip"]

    ip = await until(find_address)
    where = await until(lambda: services.find_listener(ip, 80))
    assert await ask_who(world, where) == "one"


LOW_PORT = """
import asyncio, os
from azrunbook.sandbox.node import endpoints, forward, proxy
async def main():
    if os.geteuid() == 0:
        os.seteuid(65534)
    address = endpoints.Address("127.77.1.2", 80)
    server = await proxy._listen(address, forward.Forwarder(()))
    print(*server.sockets[0].getsockname())
asyncio.run(main())
"""


async def test_an_ordinary_user_gets_another_port_for_a_low_one():
    """On the same address; where the system allows low ports, it is the low one itself."""
    source = str(Path(proxy.__file__).parents[3])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LOW_PORT, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": source}
    )
    output, _ = await process.communicate()
    ip, port = output.decode().split()
    allowed = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()  # noqa: ASYNC240
    assert ip == "127.77.1.2"
    assert (port == "80") is (int(allowed) <= 80)

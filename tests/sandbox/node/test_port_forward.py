"""Connections through the API server to a pod's port, by kubectl and the Python client."""

import asyncio
import contextlib
import json
import os
import re
import subprocess

import pytest
from kubernetes import client, config as client_config, stream

from azrunbook import binaries

READY = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1}


@contextlib.asynccontextmanager
async def forwarding(world, *arguments):
    """Run kubectl port-forward; the process, and the local port that it took."""
    process = await asyncio.create_subprocess_exec(
        *(binaries.require("kubectl").path, "port-forward", *arguments),
        env={**os.environ, "KUBECONFIG": str(world.write_kubeconfig())},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        match = re.search(r"127\.0\.0\.1:(\d+) ->", line)
        assert match, line
        yield process, int(match[1])
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.usefixtures("node")
async def test_kubectl_forwards_many_connections_at_once(world, until):
    """Each with streams of its own in one tunnel, also to a named port of a service."""
    ports = [{"containerPort": 8080, "name": "web"}]
    world.create_pod(readinessProbe=READY, ports=ports)
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "web"}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    world.create("services", service)
    await until(world.is_ready)
    async with forwarding(world, "service/web", ":80") as (_, port):
        asked = (world.ask("127.0.0.1", f"/{n}", port) for n in range(12))
        answers = await asyncio.gather(*asked)
    assert [answer["path"] for _, answer in answers] == [f"/{n}" for n in range(12)]


@pytest.mark.usefixtures("node")
async def test_a_large_answer_comes_through_whole(world, until):
    """Megabytes, in order, and the end of the connection is passed on."""
    code = (
        "import socket; s = socket.create_server(('0.0.0.0', 8080)); c, _ = s.accept(); "
        "c.sendall(b'0123456789' * 300_000); c.close(); s.close(); import time; time.sleep(300)"
    )
    world.create_pod(command=["python", "-c", code], readinessProbe={"exec": {"command": ["true"]}})
    await until(world.is_ready)
    async with forwarding(world, "web", ":8080") as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read(-1) == b"0123456789" * 300_000
        writer.close()


@pytest.mark.usefixtures("node")
async def test_a_port_where_nobody_listens_is_an_error(world, until):
    """Kubectl says so, and the client's connection ends."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    async with forwarding(world, "web", ":9999") as (process, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        async with asyncio.timeout(20):
            while "inside the pod" not in (line := (await process.stderr.readline()).decode()):
                assert line
    assert "error forwarding port 9999 to pod web" in line


@pytest.mark.usefixtures("node")
async def test_the_python_client_forwards_ports(world, until):
    """Its channels: one connection to each port that it names."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    kubeconfig = world.write_kubeconfig()

    def ask():
        api = client_config.new_client_from_config(str(kubeconfig))
        core = client.CoreV1Api(api)
        forward = stream.portforward(
            core.connect_get_namespaced_pod_portforward, "web", "default", ports="8080"
        )
        connection = forward.socket(8080)
        connection.settimeout(20)
        connection.sendall(b"GET /here HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while data := connection.recv(65536):
            answer += data
        forward.close()
        api.close()
        return answer

    answer = await asyncio.to_thread(ask)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["path"] == "/here"

"""Streams under pressure: a watcher that never reads, many watchers, logs from a kubelet."""

import asyncio
import json
import resource
import ssl

import aiohttp
import pytest
from aiohttp import web

from azrunbook.sandbox.kube import store


def client_context(api):
    return api.authority.client_context(api.authority.issue_client("admin", ["system:masters"]))


async def until(check):
    while not check():  # noqa: ASYNC110 - the server has no event for a test to wait for
        await asyncio.sleep(0.01)


@pytest.fixture
def many_files():
    """Both ends of a thousand connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def create_many(api, ns, count, size=20_000):
    config_maps = api.registry.resources.get("", "configmaps")
    for number in range(count):
        body = {"metadata": {"name": f"c{number}"}, "data": {"x": "y" * size}}
        api.registry.create(config_maps, ns, body)
        if not number % 50:
            await asyncio.sleep(0)


def test_watcher_that_never_reads_stalls_nobody(kube_api, ns):
    """Others are answered while its socket is full."""

    async def scenario():
        context = client_context(kube_api)
        reader, writer = await asyncio.open_connection(
            "127.86.0.1", kube_api.server._port, ssl=context, limit=1024
        )
        path = f"/api/v1/namespaces/{ns}/configmaps?watch=true&resourceVersion=1"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: k\r\n\r\n".encode())
        await writer.drain()
        reader._transport.pause_reading()
        await create_many(kube_api, ns, 600)
        async with aiohttp.ClientSession() as session:
            url = f"{kube_api.server.url}/api/v1/namespaces/{ns}/configmaps/c1"
            timeout = aiohttp.ClientTimeout(total=5)
            async with session.get(url, ssl=context, timeout=timeout) as answer:
                assert answer.status == 200
        writer.transport.abort()

    kube_api.run(scenario())


def test_watcher_that_never_reads_is_told_that_it_is_late(kube_api, ns, monkeypatch):
    """What it has missed is not kept for it: when it reads at last, the watch ends with 410."""
    monkeypatch.setattr(store, "HISTORY_MINIMUM", 10)
    monkeypatch.setattr(store, "HISTORY_MAXIMUM", 20)
    monkeypatch.setattr(store, "HISTORY_SECONDS", 0)
    collection = kube_api.registry.store.collection("configmaps")

    async def scenario():
        context = client_context(kube_api)
        reader, writer = await asyncio.open_connection(
            "127.86.0.1", kube_api.server._port, ssl=context, limit=1024
        )
        version = kube_api.registry.store.revision
        path = f"/api/v1/namespaces/{ns}/configmaps?watch=true&resourceVersion={version}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: k\r\n\r\n".encode())
        await writer.drain()
        reader._transport.pause_reading()
        await create_many(kube_api, ns, 600)
        assert len(collection.history) <= 21
        reader._transport.resume_reading()
        text = b""
        while b"ERROR" not in text[-2000:]:
            text += await reader.read(65536)
        writer.transport.abort()
        return text

    text = kube_api.run(scenario())
    assert b"too old resource version" in text[-2000:]


@pytest.mark.usefixtures("many_files")
def test_thousand_watchers_are_served_and_leave_nothing(kube_api, ns):
    """Each is told of an event; those who leave without a word are forgotten."""
    collection = kube_api.registry.store.collection("configmaps")

    async def open_one(context):
        reader, writer = await asyncio.open_connection(
            "127.86.0.1", kube_api.server._port, ssl=context
        )
        version = kube_api.registry.store.revision
        path = f"/api/v1/namespaces/{ns}/configmaps?watch=true&resourceVersion={version}"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: k\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        return reader, writer

    async def scenario():
        context = client_context(kube_api)
        before = len(collection._sleepers)
        opened = []
        for _ in range(20):
            opened += await asyncio.gather(*[open_one(context) for _ in range(50)])
        await until(lambda: len(collection._sleepers) >= before + 1000)
        await create_many(kube_api, ns, 1, size=10)
        lines = await asyncio.gather(*[reader.readuntil(b"}\n") for reader, _ in opened])
        for _, writer in opened:
            writer.transport.abort()
        await until(lambda: len(collection._sleepers) <= before)
        return lines

    lines = kube_api.run(scenario())
    assert sum(b'"ADDED"' in line for line in lines) == 1000


def test_hundred_watchers_see_every_event(kube_api, ns):
    """Each in order, each of them all."""

    async def one(session, context, version):
        url = f"{kube_api.server.url}/api/v1/namespaces/{ns}/configmaps"
        query = {"watch": "true", "resourceVersion": str(version), "timeoutSeconds": "20"}
        names = []
        async with session.get(url, params=query, ssl=context) as answer:
            async for line in answer.content:
                names.append(json.loads(line)["object"]["metadata"]["name"])
                if len(names) == 20:
                    return names
        return names

    async def scenario():
        context = client_context(kube_api)
        connector = aiohttp.TCPConnector(limit=200)
        version = kube_api.registry.store.revision
        async with aiohttp.ClientSession(connector=connector) as session:
            watchers = [asyncio.create_task(one(session, context, version)) for _ in range(100)]
            await create_many(kube_api, ns, 20, size=10)
            return await asyncio.gather(*watchers)

    expected = [f"c{number}" for number in range(20)]
    assert all(names == expected for names in kube_api.run(scenario()))


def test_log_is_passed_through_from_the_kubelet(kube_api, core, ns):
    """With the query, and the cluster's own certificate."""
    asked = []

    async def answer(request):
        peer = request.transport.get_extra_info("peercert")
        asked.append((request.path, dict(request.query), bool(peer)))
        return web.Response(text="one\ntwo\n")

    async def start():
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        context = kube_api.authority.server_context("127.86.0.2", ask_client_certificate=True)
        assert context.verify_mode is ssl.CERT_OPTIONAL
        await web.TCPSite(runner, "127.86.0.2", 0, ssl_context=context).start()
        return runner

    runner = kube_api.run(start())
    port = runner.addresses[0][1]
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.86.0.2"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    core.create_node({"metadata": {"name": "log-node"}, "status": status})
    spec = {"nodeName": "log-node", "containers": [{"name": "c", "image": "i"}]}
    core.create_namespaced_pod(ns, {"metadata": {"name": "p"}, "spec": spec})
    text = core.read_namespaced_pod_log("p", ns, tail_lines=2)
    kube_api.run(runner.cleanup())
    assert text == "one\ntwo\n"
    assert asked == [(f"/containerLogs/{ns}/p/c", {"tailLines": "2"}, True)]

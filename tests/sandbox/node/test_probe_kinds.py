"""What probes ask, by every kind of handler, and the words for what went wrong."""

import asyncio
import contextlib
import struct

import aiohttp
import pytest
from aiohttp import web

from azrunbook.sandbox import tls
from azrunbook.sandbox.node import grpc_health, probes

HOST = "127.0.0.1"


async def answer(request):
    match request.path:
        case "/header":
            is_right = request.headers.get("X-Probe") == "yes" and request.host == "shop.example"
            return web.Response(status=200 if is_right else 400)
        case "/broken":
            return web.Response(status=503)
        case "/slow":
            await asyncio.sleep(30)
        case "/away":
            raise web.HTTPFound("http://elsewhere.example/")
        case "/moved":
            raise web.HTTPMovedPermanently("/broken")
        case "/round":
            raise web.HTTPFound("/round")
    return web.Response()


@contextlib.asynccontextmanager
async def serving(ssl_context=None):
    server = web.Server(answer)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0, ssl_context=ssl_context).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def check(handler, port, *, seconds=5.0):
    async def run(argv, _timeout):
        return (0, "") if argv == ["true"] else (1, "no such file\n")

    container = {"ports": [{"name": "web", "containerPort": port}]}
    async with aiohttp.ClientSession() as session:
        return await probes.Prober(session, container, HOST, run).check(handler, seconds)


HEADERS = [{"name": "X-Probe", "value": "yes"}, {"name": "Host", "value": "shop.example"}]


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ({"path": "/"}, None),
        ({"path": "header", "httpHeaders": HEADERS}, None),
        ({"path": "/header"}, "HTTP probe failed with statuscode: 400"),
        ({"path": "/broken"}, "HTTP probe failed with statuscode: 503"),
        ({"path": "/moved"}, "HTTP probe failed with statuscode: 503"),
        ({"path": "/away"}, None),
        ({"path": "/round"}, 'Get "http://127.0.0.1:{port}/round": '),
        ({"path": "/", "port": "other"}, "couldn't find port: other"),
        ({"path": "/", "scheme": "HTTPS"}, 'Get "https://127.0.0.1:{port}/": '),
        ({"path": "/", "host": "127.0.0.2"}, 'Get "http://127.0.0.2:{port}/": dial tcp 127.0.0.2'),
    ],
)
async def test_http_probes_ask_as_the_kubelet_asks(action, problem):
    """Path, headers, named port, scheme, host, and redirections on the same host."""
    async with serving() as port:
        said = await check({"httpGet": {"port": "web", **action}}, port)
    if problem is None:
        assert said is None
    else:
        assert said.startswith(problem.replace("{port}", str(port)))


async def test_a_certificate_is_not_verified():
    """HTTPS probes work with any certificate, as in a cluster."""
    context = tls.Authority().server_context("elsewhere.example")
    async with serving(context) as port:
        assert await check({"httpGet": {"port": port, "scheme": "HTTPS"}}, port) is None


async def test_a_slow_answer_is_a_failure():
    """After timeoutSeconds, in the words of Go's client."""
    async with serving() as port:
        said = await check({"httpGet": {"port": port, "path": "/slow"}}, port, seconds=0.2)
    assert said.endswith(
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    )


async def test_connections_and_commands_are_probes_too():
    """A port that is open or not, a command that ends with 0 or not."""
    async with serving() as port:
        assert await check({"tcpSocket": {"port": "web"}}, port) is None
    said = await check({"tcpSocket": {"port": port}}, port)
    assert said == f"dial tcp {HOST}:{port}: connect: connection refused"
    assert await check({"exec": {"command": ["true"]}}, port) is None
    assert await check({"exec": {"command": ["cat", "x"]}}, port) == "no such file\n"


def frame(kind, flags, body, stream=1):
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


@contextlib.asynccontextmanager
async def serving_grpc(message, asked):
    """A server that answers one call with this message, or with none."""

    async def serve(reader, writer):
        asked.append(await reader.readexactly(len(grpc_health.encode_call(address, "shop"))))
        writer.write(frame(4, 0, b"", 0) + frame(6, 0, b"12345678", 0))
        asked.append(await reader.readexactly(9 + 17))
        if message is not None:
            writer.write(frame(1, 4, b"\x88"))
            writer.write(frame(0, 0, struct.pack(">BI", 0, len(message)) + message))
        writer.write(frame(1, 5, b"\x88"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    address = f"{HOST}:{port}"
    async with server:
        yield port


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b"\x08\x01", None),
        (b"\x08\x02", 'service unhealthy (responded with "NOT_SERVING")'),
        (b"", 'service unhealthy (responded with "UNKNOWN")'),
        (None, "error: health rpc probe failed: no answer: this server does not know the service"),
    ],
)
async def test_grpc_probes_call_the_health_service(message, problem):
    """The answer decides; settings and pings of the server are acknowledged."""
    asked = []
    async with serving_grpc(message, asked) as port:
        said = await check({"grpc": {"port": port, "service": "shop"}}, port)
    assert asked[0].endswith(b"\x0a\x04shop")
    assert asked[1] == frame(4, 1, b"", 0) + frame(6, 1, b"12345678", 0)
    assert said is None if problem is None else said.startswith(problem)


async def test_a_grpc_probe_of_something_else_fails():
    """Nobody listens; a server that speaks HTTP/1.1."""
    async with serving() as port:
        said = await check({"grpc": {"port": port}}, port)
        assert said.startswith("error: health rpc probe failed: ")
    said = await check({"grpc": {"port": port}}, port)
    assert said.startswith(f'timeout: failed to connect service "{HOST}:{port}" within 5s: ')


@pytest.mark.usefixtures("node")
async def test_events_have_the_kubelets_words(world, until):
    """Unhealthy and Killing; the probe's own grace ends a container that ignores SIGTERM."""
    script = "trap '' TERM; echo up; while :; do sleep 1; done"
    probe = {
        "exec": {"command": ["sh", "-c", "echo not yet; exit 1"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
        "terminationGracePeriodSeconds": 1,
    }
    world.create_pod(
        command=["sh", "-c", script],
        livenessProbe=probe,
        readinessProbe={"httpGet": {"port": 9, "path": "/"}},
    )
    await until(lambda: world.container().get("restartCount", 0) >= 1)
    assert world.container()["lastState"]["terminated"]["exitCode"] == 137
    address = world.pod()["status"]["podIP"]
    refused = f'Get "http://{address}:9/": dial tcp {address}:9: connect: connection refused'
    expected = {
        "Liveness probe failed: not yet\n",
        "Container main failed liveness probe, will be restarted",
        f"Readiness probe failed: {refused}",
    }

    def messages():
        events = world.registry.list(world.resource("events"), "default")
        return {event["message"] for event in events}

    await until(lambda: expected <= messages())

"""A Front Door as ARM resources, origins that do what a test says, and a client of the edge."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import yarl
from aiohttp import web

from azrunbook.sandbox.edge import config, server

HOST = "shop.z01.azurefd.net"
PROFILE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Cdn/profiles/fd"
GROUP = f"{PROFILE}/originGroups/og"
INTERVAL_SECONDS = 0.1


@dataclass
class Origin:
    """A web server of a region; what it answers can be changed while it runs."""

    name: str
    handler: Callable[[web.BaseRequest], object]
    health: int = 200
    seen: list[web.BaseRequest] = field(default_factory=list)
    probes: list[web.BaseRequest] = field(default_factory=list)
    port: int = 0
    is_up: bool = True
    runner: web.ServerRunner | None = None

    async def start(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self.runner = web.ServerRunner(
            web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0.1
        )
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port, ssl_context=ssl_context).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()
            self.runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("X-FD-HealthProbe"):
            self.probes.append(request)
            return web.Response(status=self.health)
        self.seen.append(request)
        return await self.handler(request)


@dataclass
class Site:
    """The edge under test, its origins by host name, and a client that trusts it."""

    edge: server.EdgeServer
    client: aiohttp.ClientSession
    origins: dict[str, Origin]

    def url(self, path="/", *, scheme="https"):
        port = self.edge.https_port if scheme == "https" else self.edge.http_port
        return f"{scheme}://127.0.0.1:{port}{path}"

    def request(self, method="GET", path="/", *, host=HOST, scheme="https", headers=None, **more):
        return self.client.request(
            method,
            yarl.URL(self.url(path, scheme=scheme), encoded=True),
            headers={"Host": host, **(headers or {})},
            server_hostname=HOST if scheme == "https" else None,
            allow_redirects=False,
            **more,
        )

    async def serving(self):
        """Which origin serves one request, or the status of an error."""
        async with self.request() as answer:
            return await answer.text() if answer.status == 200 else answer.status

    def origin_status(self, name):
        return next(o for o in self.edge.status()["origins"] if o["origin"] == name)

    async def until_healthy(self, name, *, healthy=True):
        await wait_until(lambda: self.origin_status(name)["is_healthy"] is healthy)


async def wait_until(condition, *, timeout_seconds=10.0):
    """Poll until the condition holds; fails the test at the deadline."""
    async with asyncio.timeout(timeout_seconds):
        while not condition():  # noqa: ASYNC110  what is awaited has no event to wait for
            await asyncio.sleep(0.005)


async def until_steady(read, *, seconds=0.3):
    """Wait until a value has stopped changing for some time; returns it."""
    async with asyncio.timeout(10):
        before, now = None, read()
        while before != now:
            await asyncio.sleep(seconds)
            before, now = now, read()
    return now


def region(name, **properties):
    """An origin resource for a region called `name`."""
    return {
        "id": f"{GROUP}/origins/{name}",
        "name": name,
        "type": "Microsoft.Cdn/profiles/originGroups/origins",
        "properties": {
            "hostName": f"{name}.example",
            "httpPort": 80,
            "priority": 1,
            "weight": 1000,
            "enabledState": "Enabled",
            "provisioningState": "Succeeded",
            **properties,
        },
    }


def estate(*origins, probe=None, balancing=None, route=None, timeout_seconds=30):
    """The resources of one Front Door with these origins."""
    accepted = {"provisioningState": "Succeeded", "enabledState": "Enabled"}
    probe_settings = {
        "probePath": "/health",
        "probeRequestType": "HEAD",
        "probeProtocol": "Http",
        "probeIntervalInSeconds": INTERVAL_SECONDS,
        **(probe or {}),
    }
    return [
        {
            "id": PROFILE,
            "name": "fd",
            "type": "Microsoft.Cdn/profiles",
            "properties": {
                **accepted,
                "frontDoorId": "11111111-2222-3333-4444-555555555555",
                "originResponseTimeoutSeconds": timeout_seconds,
            },
        },
        {
            "id": f"{PROFILE}/afdEndpoints/shop",
            "name": "shop",
            "type": "Microsoft.Cdn/profiles/afdEndpoints",
            "properties": {**accepted, "hostName": HOST},
        },
        {
            "id": GROUP,
            "name": "og",
            "type": "Microsoft.Cdn/profiles/originGroups",
            "properties": {
                **accepted,
                "loadBalancingSettings": {
                    "sampleSize": 4,
                    "successfulSamplesRequired": 3,
                    "additionalLatencyInMilliseconds": 1000,
                    **(balancing or {}),
                },
                "healthProbeSettings": probe_settings,
            },
        },
        {
            "id": f"{PROFILE}/afdEndpoints/shop/routes/all",
            "name": "all",
            "type": "Microsoft.Cdn/profiles/afdEndpoints/routes",
            "properties": {
                **accepted,
                "originGroup": {"id": GROUP},
                "supportedProtocols": ["Http", "Https"],
                "patternsToMatch": ["/*"],
                "forwardingProtocol": "HttpOnly",
                "httpsRedirect": "Enabled",
                "linkToDefaultDomain": "Enabled",
                **(route or {}),
            },
        },
        *origins,
    ]


def configured(*origins, **settings):
    return config.edge_config(estate(*origins, **settings))

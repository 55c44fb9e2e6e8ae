"""An edge in front of origins that do what a test tells them to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import aiohttp
import edge_site
import pytest
from aiohttp import web

from azrunbook.sandbox import tls
from azrunbook.sandbox.edge import server


@pytest.fixture
def authority():
    return tls.Authority()


@pytest.fixture
async def make_origin() -> AsyncIterator[Callable[..., object]]:
    """Starts origins; all are stopped at the end."""
    started: list[edge_site.Origin] = []

    async def make(name, handler=None, *, ssl_context=None):
        async def answer_name(_request):
            return web.Response(text=name)

        origin = edge_site.Origin(name, handler or answer_name)
        started.append(origin)
        await origin.start(ssl_context)
        return origin

    yield make
    for origin in started:
        await origin.stop()


@pytest.fixture
async def make_raw_origin() -> AsyncIterator[Callable[..., object]]:
    """Starts listeners that read a request's head, remember it, and send these bytes back."""
    servers, writers = [], []

    async def make(answer=b""):
        heads = []

        async def serve(reader, writer):
            writers.append(writer)
            heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(answer)

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        return servers[-1].sockets[0].getsockname()[1], heads

    yield make
    for server_ in servers:
        server_.close()
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def make_site(authority) -> AsyncIterator[Callable[..., object]]:
    """Starts an edge in front of origins; `resolve` knows them as <name>.example."""
    started: list[edge_site.Site] = []

    async def make(*origins, propagation_seconds=0.0, links=None):
        known = {f"{origin.name}.example": origin for origin in origins}
        known |= {link: known[f"{name}.example"] for link, name in (links or {}).items()}

        def resolve(host, _port):
            origin = known.get(host)
            return ("127.0.0.1", origin.port) if origin and origin.is_up else None

        edge = server.EdgeServer(
            address="127.0.0.1",
            https_port=0,
            http_port=0,
            ssl_context=authority.server_context(edge_site.HOST),
            resolve=resolve,
            propagation_seconds=propagation_seconds,
            authority_pem=authority.certificate_pem.decode(),
        )
        await edge.start()
        client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=authority.client_context()), auto_decompress=False
        )
        site = edge_site.Site(edge, client, {origin.name: origin for origin in origins})
        started.append(site)
        return site

    yield make
    for site in started:
        await site.client.close()
        await site.edge.stop()

"""The edge's listener: takes a request, finds route and origin, streams both ways.

Bodies are not held, but for a copy in the cache: reading stops while the other side does not take
more. What the edge answers by itself (no such site, redirect to HTTPS, origin unreachable) carries
`X-Azure-Ref` as all its answers do; with `X-Azure-DebugInfo: 1` in the request it also says why in
`X-Azure-ExternalError`, as Front Door does (the numbers in the real header are not published; here
it is the token of the access log). A request is never moved to another origin: until the probes
have spoken, clients of a dead origin get 503, on Azure too.

A new configuration acts `propagation_seconds` after it was given. On Azure that is minutes, and
nothing tells when it is done; whoever relies on it must watch the traffic.

A copy that the edge keeps (:mod:`.cache`) is served without asking an origin, healthy or not.

Not emulated: HTTP/2 and WebSockets towards clients, compression.
"""

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import aiohttp
from aiohttp import hdrs, web

from azrunbook.sandbox.edge import cache, config, forward, headers, health, pages, routing

_HTTPS_PORT = 443


class EdgeServer:
    """One edge site in front of every Front Door endpoint of the sandbox."""

    def __init__(
        self,
        *,
        address: str,
        https_port: int,
        http_port: int,
        ssl_context: ssl.SSLContext,
        resolve: forward.Resolve,
        propagation_seconds: float,
        authority_pem: str | None = None,
    ) -> None:
        """Take where to listen and how to find origins; port 0 means any free one.

        Args:
            address: the loopback address of both listeners.
            https_port: for TLS.
            http_port: for redirects and routes that accept HTTP.
            ssl_context: holds the certificate of the endpoints' host names.
            resolve: the listener behind an origin's host (or its private link) and port, None if
                there is none.
            propagation_seconds: from `configure` until a configuration acts.
            authority_pem: trusted for HTTPS origins; without it, the machine's own authorities.
        """
        self.https_port = https_port
        self.http_port = http_port
        self._address = address
        self._ssl_context = ssl_context
        self._propagation_seconds = propagation_seconds
        self._forwarder = forward.Forwarder(resolve, authority_pem=authority_pem)
        self._monitor = health.Monitor(self._forwarder)
        self._config = config.EdgeConfig()
        self._latest = self._config
        self._copies = cache.Cache(time.monotonic)
        self._rotations: dict[str, routing.Rotation] = {}
        self._pending: set[asyncio.TimerHandle] = set()
        self._runners: list[web.ServerRunner] = []

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: a port is taken or may not be bound.
        """
        await self._forwarder.start()
        try:
            self.https_port = await self._listen(self.https_port, self._ssl_context)
            self.http_port = await self._listen(self.http_port, None)
        except OSError:
            await self.stop()
            raise
        self._monitor.configure(self._config.groups.values())

    async def stop(self) -> None:
        """Close the listeners, end the probes and drop what has not propagated."""
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        await self._monitor.stop()
        await self._forwarder.stop()

    def configure(self, edge: config.EdgeConfig) -> None:
        """Let a configuration act once it has propagated; needs a running loop.

        An edge that does not listen takes it too, and probes from `start` on.
        """
        if edge == self._latest:
            return
        self._latest = edge
        if not self._propagation_seconds:
            self._activate(edge)
            return
        loop = asyncio.get_running_loop()

        def arrive() -> None:
            self._pending.discard(handle)
            self._activate(edge)

        handle = loop.call_later(self._propagation_seconds, arrive)
        self._pending.add(handle)

    def purge(self, hosts: Iterable[str], paths: Iterable[str]) -> None:
        """Drop the copies of paths of these host names; ``*`` at an end stands for anything."""
        self._copies.purge(hosts, paths)

    def status(self) -> dict[str, Any]:
        """What the edge does now, as JSON: listeners, hosts, origins' health, transitions."""
        return pages.status(
            self._config,
            self._monitor,
            address=self._address,
            ports={"https": self.https_port, "http": self.http_port},
            is_propagating=bool(self._pending),
        )

    def _activate(self, edge: config.EdgeConfig) -> None:
        self._config = edge
        self._rotations = {
            key: self._rotations.get(key) or routing.Rotation() for key in edge.groups
        }
        if self._runners:
            self._monitor.configure(edge.groups.values())

    async def _listen(self, port: int, ssl_context: ssl.SSLContext | None) -> int:
        # Bodies pass as they are; a client that went away takes its request to the origin with it.
        server = web.Server(
            self._handle, handler_cancellation=True, auto_decompress=False, access_log=None
        )
        runner = web.ServerRunner(server, shutdown_timeout=1)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._address, port, ssl_context=ssl_context).start()
        return int(runner.addresses[0][1])

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        reference = headers.new_reference()
        host = request.host.rpartition("]")[2].partition(":")[0].lower()
        edge, is_https = self._config, request.secure
        match = routing.find_route(
            edge, host=host, path=request.rel_url.raw_path, is_https=is_https
        )
        if match is None:
            return pages.not_found(reference, is_known_host=routing.is_known_host(edge, host))
        if match.route.redirects_to_https and not is_https:
            port = "" if self.https_port == _HTTPS_PORT else f":{self.https_port}"
            return pages.redirect(f"https://{host}{port}{request.rel_url.raw_path_qs}", reference)
        key = cache.find_key(
            match.route,
            method=request.method,
            host=host,
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            headers=request.headers,
        )
        if key is not None and (copy := self._copies.find(key)) is not None:
            return await _serve(request, copy, reference)
        return await self._fetch(request, match, key, reference)

    async def _fetch(
        self,
        request: web.BaseRequest,
        match: routing.Match,
        key: cache.Key | None,
        reference: str,
    ) -> web.StreamResponse:
        group = self._config.groups[match.route.group_id]
        candidates = routing.select_candidates(group, self._monitor.health)
        origin = self._rotations[group.id].pick(candidates)
        if origin is None:
            return pages.unavailable(request, reference, reason="OriginError, no enabled origin")
        outgoing = _outgoing(request, match, origin, reference)
        await _invite_body(request)
        try:
            answer = await self._forwarder.ask(origin, outgoing)
        except forward.OriginError as error:
            return pages.unavailable(request, reference, reason=str(error), status=error.status)
        async with answer:
            given = tuple(headers.end_to_end(answer.headers.items()))
            if key is None:
                return await _pass_on(request, answer, reference, cache.NOT_CONFIGURED)
            if not cache.find_lifetime(answer.status, given):
                is_refused = answer.status == HTTPStatus.OK
                status = cache.NOT_STORED if is_refused else cache.MISS
                return await _pass_on(request, answer, reference, status)
            keep = functools.partial(self._copies.keep, key, given)
            is_whole = request.method == "GET"
            return await _pass_on(
                request, answer, reference, cache.MISS, keep if is_whole else None
            )


class _Passed(web.StreamResponse):
    """An answer that carries the origin's headers and none of this server's own."""

    async def _prepare_headers(self) -> None:
        given = {name.lower() for name in self.headers}
        await super()._prepare_headers()
        for name in (hdrs.SERVER, hdrs.CONTENT_TYPE):
            if name.lower() not in given:
                self.headers.pop(name, None)


def _outgoing(
    request: web.BaseRequest, match: routing.Match, origin: config.Origin, reference: str
) -> forward.Outgoing:
    path = routing.forward_path(match, request.rel_url.raw_path)
    query = request.rel_url.raw_query_string
    wishes = cache.WISHES if match.route.caching else frozenset()
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return forward.Outgoing(
        method=request.method,
        path=f"{path}?{query}" if query else path,
        is_https=routing.uses_https(match.route, is_https=request.secure),
        headers=headers.to_origin(
            [(n, v) for n, v in request.headers.items() if n.lower() not in wishes],
            host=request.host,
            origin_host=origin.host_header or request.host,
            socket_address=str(peer[0]) if peer else "",
            scheme="https" if request.secure else "http",
            http_version=f"{request.version.major}.{request.version.minor}",
            reference=reference,
            front_door_id=match.route.front_door_id,
        ),
        timeout_seconds=match.route.response_timeout_seconds,
        body=request.content if request.body_exists else None,
    )


async def _invite_body(request: web.BaseRequest) -> None:
    """Tell a client that waits for it (curl with a large body) to send the body."""
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _serve(request: web.BaseRequest, copy: cache.Copy, reference: str) -> web.StreamResponse:
    """Answer with a copy; a client that has it already is told so."""
    known = {tag.strip() for tag in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")}
    is_known = copy.find_header("etag") in known - {""}
    response = _Passed(status=HTTPStatus.NOT_MODIFIED if is_known else HTTPStatus.OK)
    for name, value in headers.to_client(copy.headers, reference=reference, cache_status=cache.HIT):
        if not (is_known and name.lower() == "content-length"):
            response.headers.add(name, value)
    await response.prepare(request)
    if not is_known and request.method == "GET":
        await response.write(copy.body)
    await response.write_eof()
    return response


async def _pass_on(
    request: web.BaseRequest,
    answer: aiohttp.ClientResponse,
    reference: str,
    cache_status: str,
    keep: Callable[[bytes], None] | None = None,
) -> web.StreamResponse:
    """Stream an origin's answer to the client, at the pace of the slower of the two."""
    response = _Passed(status=answer.status, reason=answer.reason)
    copied = bytearray()
    given = answer.headers.items()
    for name, value in headers.to_client(given, reference=reference, cache_status=cache_status):
        response.headers.add(name, value)
    if pages.wants_debug(request):
        response.headers["X-Azure-OriginStatusCode"] = str(answer.status)
    try:
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            if keep is not None and len(copied) <= cache.MAX_BYTES:
                copied += chunk
            await response.write(chunk)
        await response.write_eof()
        if keep is not None:
            keep(bytes(copied))
    except (aiohttp.ClientError, TimeoutError, ConnectionResetError):
        # The head is out: all that is left to say "this is not the whole body" is to hang up.
        if request.transport is not None:
            request.transport.abort()
    return response

"""Exec, attach and port-forward: a client's WebSocket, carried to the kubelet of the pod's node.

Law: what is inside the frames is the kubelet's; this side checks, connects and carries. The
subprotocol is the one that the kubelet chooses of those that the client offers. A connection that
is upgraded to bare SPDY (kubectl before 1.31, or after a refused WebSocket) is answered with a
Status; so is every error that is known before the connection is made.
"""

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

import aiohttp
from aiohttp import web

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.access.authorization import Action, Authorizer
from azrunbook.sandbox.kube.http import kubelets as kubelet_clients, options
from azrunbook.sandbox.kube.http.context import Call
from azrunbook.sandbox.kube.http.logs import container_of

Object = dict[str, Any]
PATHS = {"exec": "exec", "attach": "attach", "portforward": "portForward"}
KUBELET_NAMES = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


class StreamProxy:
    """Carries the streams of one cluster."""

    def __init__(self, kubelets: kubelet_clients.Kubelets, authorizer: Authorizer) -> None:
        self._kubelets = kubelets
        self._authorizer = authorizer

    async def answer(self, call: Call) -> web.StreamResponse:
        """Answer a request for ``pods/exec``, ``attach`` or ``portforward``."""
        subresource = call.target.subresource or ""
        self._require_create(call, subresource)
        pods = call.registry.resources.get("", "pods")
        pod = call.registry.get(pods, call.target.namespace, call.name)
        url = _locate(call, pod, subresource)
        if call.request.headers.get("Upgrade", "").lower() != "websocket":
            await self._require_kubelet(url)  # kubectl shows this answer, whatever the first was
            raise errors.bad_request(
                "Upgrade request required: a WebSocket, as kubectl opens it from 1.31 on. SPDY "
                "without one is not emulated: azrunbook/sandbox/kube/http/streams.py"
            )
        offered = call.request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = [name.strip() for name in offered.split(",") if name.strip()]
        query = read_query(call.request.query.items(), subresource)
        try:
            async with self._kubelets.session.ws_connect(
                url, params=query, ssl=self._kubelets.context, protocols=protocols, max_msg_size=0
            ) as inner:
                return await _carry(call, inner)
        except aiohttp.WSServerHandshakeError as error:
            raise errors.bad_request(f"unable to upgrade connection: {error.message}") from None
        except aiohttp.ClientConnectionError as error:
            raise errors.internal(f"error dialing backend: {error}") from None

    async def _require_kubelet(self, url: str) -> None:
        health = urljoin(url, "/healthz")
        try:
            async with self._kubelets.session.get(health, ssl=self._kubelets.context):
                pass
        except aiohttp.ClientConnectionError as error:
            raise errors.internal(f"error dialing backend: {error}") from None

    def _require_create(self, call: Call, subresource: str) -> None:
        """A WebSocket begins with GET, and does what only ``create`` may (KEP 5633)."""
        action = Action(
            verb="create",
            resource="pods",
            subresource=subresource,
            namespace=call.target.namespace or "",
            name=call.name,
        )
        self._authorizer.require(call.user, action)


def read_query(asked: Iterable[tuple[str, str]], subresource: str) -> list[tuple[str, str]]:
    """The kubelet's names for what a client asks for. Pure."""
    if subresource == "portforward":
        return [(name, value) for name, value in asked if name == "ports"]
    found = []
    for name, value in asked:
        if name == "command":
            found.append((name, value))
        elif name in KUBELET_NAMES and options.flag({name: value}, name):
            found.append((KUBELET_NAMES[name], "1"))
    return found


def _locate(call: Call, pod: Object, subresource: str) -> str:
    node = pod["spec"].get("nodeName")
    if not node:
        raise errors.bad_request(f"pod {call.name} does not have a host assigned")
    parts = [PATHS[subresource], call.target.namespace or "", call.name]
    if subresource != "portforward":
        parts.append(container_of(pod, call.query.get("container", "")))
    return "/".join([kubelet_clients.find_endpoint(call, node), *parts])


async def _carry(call: Call, inner: aiohttp.ClientWebSocketResponse) -> web.StreamResponse:
    protocols = (inner.protocol,) if inner.protocol else ()
    outer = web.WebSocketResponse(protocols=protocols, compress=False, max_msg_size=0)
    await outer.prepare(call.request)
    pumps = [asyncio.create_task(_pump(outer, inner)), asyncio.create_task(_pump(inner, outer))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        await inner.close()
        await outer.close()
    return outer


Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: Socket, target: Socket) -> None:
    async for message in source:
        if message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)

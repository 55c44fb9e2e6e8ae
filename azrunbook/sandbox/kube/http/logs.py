"""Pod logs: passed through from the kubelet endpoint of the pod's node."""

import ssl
from typing import Any

import aiohttp
from aiohttp import web

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.http.context import Call

Object = dict[str, Any]
PASSED = (
    "follow",
    "tailLines",
    "previous",
    "timestamps",
    "sinceSeconds",
    "sinceTime",
    "limitBytes",
)


def container_of(pod: Object, asked: str) -> str:
    """The container whose log is meant; raises StatusError 400."""
    spec = pod["spec"]
    names = [part["name"] for part in spec.get("containers") or []]
    init = [part["name"] for part in spec.get("initContainers") or []]
    name = pod["metadata"]["name"]
    if asked:
        if asked not in [*names, *init]:
            raise errors.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names) > 1:
        message = (
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        )
        if init:
            message += f" or one of the init containers: [{' '.join(init)}]"
        raise errors.bad_request(message)
    return str(names[0])


def _endpoint(call: Call, node_name: str) -> str:
    nodes = call.registry.resources.get("", "nodes")
    status = call.registry.get(nodes, None, node_name).get("status") or {}
    addresses = {part["type"]: part["address"] for part in status.get("addresses") or []}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port", 10250)
    if "InternalIP" not in addresses:
        raise errors.internal(f"no preferred addresses found; known addresses: {addresses}")
    return f"https://{addresses['InternalIP']}:{port}"


class LogProxy:
    """Asks kubelets with the cluster's own client certificate."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._session: aiohttp.ClientSession | None = None

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)
        return self._session

    async def log(self, call: Call) -> web.StreamResponse:
        """Answer GET pods/{name}/log."""
        pods = call.registry.resources.get("", "pods")
        namespace = call.target.namespace or ""
        pod = call.registry.get(pods, namespace, call.name)
        container = container_of(pod, call.query.get("container", ""))
        node = pod["spec"].get("nodeName")
        response = web.StreamResponse()
        response.content_type = "text/plain"
        if not node:
            await response.prepare(call.request)
            await response.write_eof()
            return response
        url = f"{_endpoint(call, node)}/containerLogs/{namespace}/{call.name}/{container}"
        query = {key: call.query[key] for key in PASSED if key in call.query}
        try:
            async with self._client().get(url, params=query, ssl=self._context) as answer:
                return await _pass(call, answer, response)
        except aiohttp.ClientConnectionError as error:
            raise errors.internal(f'Get "{url}": {error}') from None


async def _pass(
    call: Call, answer: aiohttp.ClientResponse, response: web.StreamResponse
) -> web.StreamResponse:
    if answer.status >= 400:  # noqa: PLR2004 - the range of HTTP errors
        text = (await answer.text()).strip()
        if answer.status == 400:  # noqa: PLR2004 - passed on as it is
            raise errors.bad_request(text)
        if answer.status == errors.NOT_FOUND:
            raise errors.StatusError(404, "NotFound", text)
        raise errors.internal(text)
    await response.prepare(call.request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response

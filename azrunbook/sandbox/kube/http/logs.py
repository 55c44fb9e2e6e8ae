"""Pod logs: passed through from the kubelet endpoint of the pod's node."""

from typing import Any

import aiohttp
from aiohttp import web

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.http import kubelets as kubelet_clients
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
    debugging = [part["name"] for part in spec.get("ephemeralContainers") or []]
    name = pod["metadata"]["name"]
    if asked:
        if asked not in [*names, *init, *debugging]:
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


class LogProxy:
    """Passes logs through."""

    def __init__(self, kubelets: kubelet_clients.Kubelets) -> None:
        self._kubelets = kubelets

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
        endpoint = kubelet_clients.find_endpoint(call, node)
        url = f"{endpoint}/containerLogs/{namespace}/{call.name}/{container}"
        query = {key: call.query[key] for key in PASSED if key in call.query}
        context = self._kubelets.context
        try:
            async with self._kubelets.session.get(url, params=query, ssl=context) as answer:
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

"""The way from the API server to a node: where its kubelet listens, and one HTTP session for all.

The cluster's own client certificate is what a kubelet knows the API server by.
"""

import ssl

import aiohttp

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.http.context import Call


class Kubelets:
    """Asks kubelets. The session is made when it is first needed."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
            self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)
        return self._session

    async def stop(self) -> None:
        """End the session and what goes through it."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def find_endpoint(call: Call, node_name: str) -> str:
    """The URL of a node's kubelet; raises StatusError 404 or 500."""
    nodes = call.registry.resources.get("", "nodes")
    status = call.registry.get(nodes, None, node_name).get("status") or {}
    addresses = {part["type"]: part["address"] for part in status.get("addresses") or []}
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port", 10250)
    if "InternalIP" not in addresses:
        raise errors.internal(f"no preferred addresses found; known addresses: {addresses}")
    return f"https://{addresses['InternalIP']}:{port}"

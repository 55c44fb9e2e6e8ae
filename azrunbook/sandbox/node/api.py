"""The API server over HTTPS: plain requests. One session for all that one node asks.

The law: nothing here knows what a pod is. The reason: what the node decides can then be read
without the wire in the way.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from azrunbook.sandbox.node import config

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
_REQUEST_SECONDS = 30
_NOT_FOUND = 404
_CONFLICT = 409


@dataclass(frozen=True)
class ApiAccess:
    """Where the API server is, and the TLS context with the client's certificate in it."""

    url: str
    ssl_context: ssl.SSLContext


class ApiError(Exception):
    """The API server refused; ``status`` is its HTTP status, ``message`` its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message

    @property
    def is_not_found(self) -> bool:
        return self.status == _NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        return self.status == _CONFLICT


# What a request can fail with: a refusal, or no answer at all.
FAILURES = (ApiError, aiohttp.ClientError, TimeoutError, OSError)


class ApiClient:
    """Requests to one API server. Open it inside the running loop, close it when done."""

    def __init__(self, access: ApiAccess) -> None:
        self.access = access
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The node's one HTTP session; probes and hooks use it too."""
        if self._session is None:
            raise RuntimeError("the API client is not open. This is a bug. Please report.")
        return self._session

    def open(self) -> None:
        """Make the session; nothing is sent yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=_REQUEST_SECONDS),
            headers={"User-Agent": "kubelet"},
            auto_decompress=True,
        )

    async def close(self) -> None:
        """End the session and its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> config.Object:
        """Read one object, or a list of them.

        Raises:
            ApiError: the server answered with an error (so do all the others).
        """
        return await self._ask("GET", path, params=params)

    async def create(self, path: str, body: config.Object) -> config.Object:
        """POST an object to its collection (or to a subresource such as ``token``)."""
        return await self._ask("POST", path, json=body)

    async def replace(self, path: str, body: config.Object) -> config.Object:
        """PUT an object; a stale resourceVersion is a conflict."""
        return await self._ask("PUT", path, json=body)

    async def patch(
        self, path: str, body: config.Object, *, content_type: str = STRATEGIC
    ) -> config.Object:
        """PATCH an object."""
        return await self._ask("PATCH", path, json=body, headers={"Content-Type": content_type})

    async def delete(self, path: str, options: config.Object) -> config.Object:
        """DELETE an object with DeleteOptions."""
        return await self._ask("DELETE", path, json=options)

    async def _ask(self, method: str, path: str, **rest: Any) -> config.Object:
        async with self.session.request(
            method, self.access.url + path, ssl=self.access.ssl_context, **rest
        ) as response:
            if response.ok:
                answer: config.Object = await response.json(content_type=None)
                return answer
            raise await read_error(response)


async def read_error(response: aiohttp.ClientResponse) -> ApiError:
    """Make an error of the Status object in a refusal (or of its text)."""
    try:
        message = str((await response.json(content_type=None)).get("message", ""))
    except (ValueError, AttributeError):
        message = await response.text()
    return ApiError(response.status, message or response.reason or "")

"""List and watch: a local copy of a collection that is kept in step with the API server.

Reads like client-go's reflector: list, watch from the list's version, list again when the version
is gone (410) or the connection was lost for long. The handler is called once for each change, in
order, and never for an object that did not change.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping

import aiohttp

from azrunbook.sandbox.node import api, config

_LOG = logging.getLogger(__name__)
_WATCH_SECONDS = 540
_GONE = 410
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0

Handler = Callable[[str, config.Object | None], None]


class Informer:
    """Follows one collection. ``objects`` is keyed by uid; the handler gets None for a removal."""

    def __init__(
        self, client: api.ApiClient, path: str, handler: Handler, *, field_selector: str = ""
    ) -> None:
        self.objects: dict[str, config.Object] = {}
        self.synced = asyncio.Event()
        self._client = client
        self._path = path
        self._handler = handler
        self._selector = {"fieldSelector": field_selector} if field_selector else {}
        self._version = ""

    async def run(self) -> None:
        """Follow until cancelled; an API server that is away is asked again, ever more slowly."""
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                if not self._version:
                    await self._list()
                    delay = _FIRST_DELAY_SECONDS
                await self._watch()
            except api.FAILURES as error:
                if isinstance(error, api.ApiError) and error.status == _GONE:
                    self._version = ""
                    continue
                _LOG.debug("following %s: %r; again in %s s", self._path, error, delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    async def _list(self) -> None:
        answer = await self._client.get(self._path, self._selector)
        found = {item["metadata"]["uid"]: item for item in answer.get("items") or ()}
        for uid in self.objects.keys() - found.keys():
            self._change(uid, None)
        for uid, item in found.items():
            self._change(uid, item)
        self._version = answer["metadata"]["resourceVersion"]
        self.synced.set()

    async def _watch(self) -> None:
        params = {
            **self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async for event in self._stream(params):
            item = event["object"]
            if event["type"] == "ERROR":
                raise api.ApiError(item.get("code", _GONE), item.get("message", ""))
            self._version = item["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                removed = event["type"] == "DELETED"
                self._change(item["metadata"]["uid"], None if removed else item)

    async def _stream(self, params: Mapping[str, str]) -> AsyncIterator[config.Object]:
        async with self._client.session.get(
            self._client.access.url + self._path,
            params=params,
            ssl=self._client.access.ssl_context,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        ) as response:
            if not response.ok:
                raise await api.read_error(response)
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)

    def _change(self, uid: str, item: config.Object | None) -> None:
        known = self.objects.get(uid)
        if item is None:
            if known is None:
                return
            del self.objects[uid]
        else:
            if known is not None and _version(known) == _version(item):
                return
            self.objects[uid] = item
        self._handler(uid, item)


def _version(item: config.Object) -> str:
    return str(item["metadata"]["resourceVersion"])

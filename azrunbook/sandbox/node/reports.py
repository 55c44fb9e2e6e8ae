"""Writes a pod's status to the API server: changes that come together go together."""

import asyncio
import logging
from collections.abc import Callable

from azrunbook.sandbox.node import api, config

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


class StatusReporter:
    """Sends what ``describe`` says whenever it was marked as changed."""

    def __init__(
        self,
        client: api.ApiClient,
        pod: config.Object,
        describe: Callable[[], config.Object],
    ) -> None:
        meta = pod["metadata"]
        self._client = client
        self._path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        self._uid = meta["uid"]
        self._describe = describe
        self._changed = asyncio.Event()
        self._sent: config.Object | None = None
        self._lock = asyncio.Lock()

    def mark_changed(self) -> None:
        """Say that the status is no longer what was sent."""
        self._changed.set()

    async def run(self) -> None:
        """Send until cancelled; a server that is away is tried again."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not await self.send():
                self._changed.set()
                await asyncio.sleep(_RETRY_SECONDS)

    async def send(self) -> bool:
        """Send now; False when it should be tried again (not for a pod that is gone)."""
        async with self._lock:
            status = self._describe()
            if status == self._sent:
                return True
            body = {"metadata": {"uid": self._uid}, "status": status}
            try:
                await self._client.patch(f"{self._path}/status", body)
            except api.FAILURES as error:
                _LOG.debug("status of %s: %r", self._path, error)
                return isinstance(error, api.ApiError) and (error.is_not_found or error.is_conflict)
            self._sent = status
            return True

    async def remove(self) -> None:
        """Remove the pod's object for good: its containers are gone."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": self._uid},
        }
        while True:
            try:
                await self._client.delete(self._path, options)
            except api.FAILURES as error:
                if isinstance(error, api.ApiError) and (error.is_not_found or error.is_conflict):
                    return
                _LOG.debug("removing %s: %r", self._path, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

"""The cluster's kube-proxy: service addresses that lead to ready pods.

Real service addresses exist only in the kernel's tables; here they are listeners. An address
without a ready endpoint is not listened on, so a client sees "connection refused" at once.
A port below 1024 that may not be taken gets a free port on the same address instead;
``find_listener`` says which.
"""

import asyncio
import logging
from dataclasses import dataclass

from azrunbook.sandbox.node import api, config, endpoints, forward, informers

_LOG = logging.getLogger(__name__)
_PRIVILEGED_BELOW = 1024
_BACKLOG = 512
_RETRY_SECONDS = 1.0


@dataclass
class _Listener:
    server: asyncio.Server
    forwarder: forward.Forwarder
    port: int


class ServiceProxy:
    """Follows services and endpoint slices of one cluster and listens accordingly."""

    def __init__(self, access: api.ApiAccess) -> None:
        self._client = api.ApiClient(access)
        self._listeners: dict[endpoints.Address, _Listener] = {}
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: list[forward.Forwarder] = []

    async def start(self) -> None:
        """Begin to follow; listeners appear as services get ready endpoints."""
        self._client.open()
        self._services = self._follow("/api/v1/services")
        self._slices = self._follow("/apis/discovery.k8s.io/v1/endpointslices")
        loops = (self._services.run(), self._slices.run(), self._synchronize())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """Close every listener and every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for listener in self._listeners.values():
            listener.server.close()
            self._closing.append(listener.forwarder)
        self._listeners.clear()
        await asyncio.gather(*(forwarder.close() for forwarder in self._closing))
        self._closing.clear()
        await self._client.close()

    def find_listener(self, ip: str, port: int) -> tuple[str, int] | None:
        """Return where a service's address is really listened on, or None if it is not."""
        listener = self._listeners.get(endpoints.Address(ip, port))
        return None if listener is None else (ip, listener.port)

    def _follow(self, path: str) -> informers.Informer:
        def note(_uid: str, _object: config.Object | None) -> None:
            self._changed.set()

        return informers.Informer(self._client, path, note)

    async def _synchronize(self) -> None:
        # Endpoints without their services (or the other way round) say nothing.
        await self._services.synced.wait()
        await self._slices.synced.wait()
        while True:
            await self._changed.wait()
            self._changed.clear()
            plan = endpoints.plan_listeners(
                self._services.objects.values(), self._slices.objects.values()
            )
            for address in self._listeners.keys() - plan.keys():
                self._close(address)
            for address, backends in plan.items():
                await self._open(address, backends)

    async def _open(
        self, address: endpoints.Address, backends: tuple[endpoints.Address, ...]
    ) -> None:
        known = self._listeners.get(address)
        if known is not None:
            known.forwarder.backends = backends
            return
        forwarder = forward.Forwarder(backends)
        try:
            server = await _listen(address, forwarder)
        except OSError as error:
            _LOG.warning("service address %s:%s cannot be taken: %s", *address, error)
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._changed.set)
            return
        port = int(server.sockets[0].getsockname()[1])
        self._listeners[address] = _Listener(server, forwarder, port)

    def _close(self, address: endpoints.Address) -> None:
        """Take no new connections; those that are open live on, as with a real proxy."""
        listener = self._listeners.pop(address)
        listener.server.close()
        listener.forwarder.backends = ()
        open_ones = [forwarder for forwarder in self._closing if not forwarder.is_idle]
        self._closing = [*open_ones, listener.forwarder]


async def _listen(address: endpoints.Address, forwarder: forward.Forwarder) -> asyncio.Server:
    try:
        return await asyncio.start_server(forwarder.accept, *address, backlog=_BACKLOG)
    except PermissionError:
        if address.port >= _PRIVILEGED_BELOW:
            raise
        return await asyncio.start_server(forwarder.accept, address.ip, 0, backlog=_BACKLOG)

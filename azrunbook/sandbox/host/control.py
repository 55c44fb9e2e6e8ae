"""The sandbox's own control socket: status, faults, shutdown.

A Unix socket in the state folder: only the user who started the sandbox can ask. No client of
Azure sees it; it is what ``azrunbook sandbox`` and the failure tests talk to.
"""

import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from azrunbook.sandbox import sockets


class ControlServer:
    """Answers ``GET /status``, ``POST /faults`` and ``POST /shutdown``."""

    def __init__(
        self,
        path: Path,
        *,
        status: Callable[[], dict[str, Any]],
        inject: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
        shutdown: Callable[[], None],
    ) -> None:
        self._path = path
        self._status = status
        self._inject = inject
        self._shutdown = shutdown
        application = web.Application()
        application.add_routes(
            [
                web.get("/status", self._get_status),
                web.post("/faults", self._post_faults),
                web.post("/shutdown", self._post_shutdown),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        await self._runner.setup()
        listener = socket.socket(socket.AF_UNIX)
        with sockets.reach(self._path) as name:
            listener.bind(name)
        self._path.chmod(0o600)
        await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _get_status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status())

    async def _post_faults(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(await self._inject(await request.json()))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _post_shutdown(self, _request: web.Request) -> web.Response:
        self._shutdown()
        return web.json_response({"pid": os.getpid()})

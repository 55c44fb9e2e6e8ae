"""A listening address of a data service: its connections end with it. Knows no protocol."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from azrunbook.sandbox.data import errors, relay


class Listener:
    """Listens at one address and port, with TLS from the first byte if ``context`` is given."""

    def __init__(
        self,
        address: str,
        port: int,
        serve: Callable[[relay.Streams], Awaitable[None]],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.address = address
        self.port = port
        self._context = context
        self._connections = relay.Connections(serve)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            DataError: the port is in use.
        """
        try:
            self._server = await asyncio.start_server(
                self._connections.accept, self.address, self.port, ssl=self._context
            )
        except OSError as error:
            raise errors.DataError(
                "PortInUse",
                f"a data service cannot listen on {self.address}:{self.port} ({error.strerror}); "
                "end what listens there (ss -ltnp), then create it again",
            ) from error

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        await self.drop()

    async def drop(self) -> None:
        """Cut every connection; clients may connect again."""
        await self._connections.drop()

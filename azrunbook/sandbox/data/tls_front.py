"""A TLS listener in front of a server that has none. Knows no protocol.

The Valkey of the wheel is built without TLS, so it listens on a Unix socket of the sandbox's user
and this takes the clients. A client without TLS gets no further than the handshake.
"""

import asyncio
import ssl

from azrunbook.sandbox.data import errors, relay


class TlsFront:
    """Listens at one address and port and passes each connection on to ``connect``."""

    def __init__(
        self, address: str, port: int, context: ssl.SSLContext, connect: relay.Connect
    ) -> None:
        self.address = address
        self.port = port
        self._context = context
        self._connect = connect
        self._connections = relay.Connections(self._serve)
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            DataError: the port is in use.
        """
        try:
            self._listener = await asyncio.start_server(
                self._connections.accept, self.address, self.port, ssl=self._context
            )
        except OSError as error:
            raise errors.DataError(
                "CachePortInUse",
                f"a cache cannot listen on {self.address}:{self.port} ({error.strerror}); "
                "end what listens there (ss -ltnp), then create it again",
            ) from error

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        await self.drop()

    async def drop(self) -> None:
        """Cut every connection; clients that reconnect are led to where ``connect`` leads now."""
        await self._connections.drop()

    async def _serve(self, client: relay.Streams) -> None:
        await relay.join(client, await self._connect())

"""A TLS listener in front of a server that has none. Knows no protocol.

The Valkey of the wheel is built without TLS, so it listens on a Unix socket of the sandbox's user
and this takes the clients. A client without TLS gets no further than the handshake.
"""

import ssl

from azrunbook.sandbox.data import listener, relay


class TlsFront(listener.Listener):
    """Passes each connection on to where ``connect`` leads at that moment."""

    def __init__(
        self, address: str, port: int, context: ssl.SSLContext, connect: relay.Connect
    ) -> None:
        super().__init__(address, port, self._pass_on, context)
        self._connect = connect

    async def _pass_on(self, client: relay.Streams) -> None:
        await relay.join(client, await self._connect())

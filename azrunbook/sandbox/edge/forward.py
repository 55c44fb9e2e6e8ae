"""Asks one origin one thing: where it listens, with TLS or without, and what went wrong.

The only part of the edge that opens connections. Connections are kept and used again, by the
address that really listens, so a listener that moved never gets a request over an old connection.
A kept connection may have died unnoticed; a request that may be repeated is then sent once more
over a new one, so that a restart of the origin between two requests is not an error.

An origin by private link is reached through that and never by its public name. Until its owner has
approved the connection nothing answers there: what Front Door's client gets is a timeout, here
without the wait for it.

The reasons are the tokens of Front Door's access log (`ErrorInfo`, "monitor metrics and logs").
"""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
import yarl
from aiohttp import hdrs

from azrunbook.sandbox.edge import config

Resolve = Callable[[str, int], tuple[str, int] | None]

_CONNECT_TIMEOUT_SECONDS = 5.0
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
# Otherwise aiohttp would add these to what the client sent.
_NOT_ADDED = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE)


class OriginError(Exception):
    """An origin gave no answer; `status` is what the edge answers instead."""

    def __init__(self, reason: str, detail: str, *, status: HTTPStatus) -> None:
        super().__init__(f"{reason}, {detail}")
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Outgoing:
    """A request to an origin: `path` with query, encoded as the client sent it."""

    method: str
    path: str
    is_https: bool
    headers: Iterable[tuple[str, str]]
    timeout_seconds: float
    body: aiohttp.StreamReader | None = None


class Forwarder:
    """The edge's connections to its origins; use between `start` and `stop`."""

    def __init__(self, resolve: Resolve, *, authority_pem: str | None = None) -> None:
        """Take where origins listen, and which authority their certificates must be from.

        Args:
            resolve: the listener behind a host, or the id of what a private link leads to, and a
                port; None if there is none.
            authority_pem: trusted for HTTPS origins; without it, the machine's own authorities.
        """
        self._resolve = resolve
        self._verify = ssl.create_default_context(cadata=authority_pem)
        self._verify_chain_only = ssl.create_default_context(cadata=authority_pem)
        self._verify_chain_only.check_hostname = False
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._kept = _session(aiohttp.TCPConnector(limit=0, keepalive_timeout=60))
        self._fresh = _session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def stop(self) -> None:
        for session in (self._kept, self._fresh):
            if session is not None:
                await session.close()
        self._kept = self._fresh = None

    async def ask(
        self, origin: config.Origin, outgoing: Outgoing, *, is_fresh: bool = False
    ) -> aiohttp.ClientResponse:
        """Send a request; returns when the head of the answer is in.

        The caller reads the body and closes the response.

        Args:
            origin: who is asked.
            outgoing: what is asked.
            is_fresh: over a connection of its own that nobody uses again.

        Raises:
            OriginError: no answer; its status says which error the client is to get.
        """
        if self._kept is None or self._fresh is None:
            raise RuntimeError("the edge's forwarder is not started. This is a bug. Please report.")
        listener = self._find_listener(origin, origin.port(is_https=outgoing.is_https))
        try:
            if is_fresh:
                return await self._send(self._fresh, listener, origin, outgoing)
            try:
                return await self._send(self._kept, listener, origin, outgoing)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if isinstance(error, aiohttp.ClientConnectorError) or not _is_repeatable(outgoing):
                    raise
                return await self._send(self._fresh, listener, origin, outgoing)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise _origin_error(error, outgoing) from error

    def _find_listener(self, origin: config.Origin, port: int) -> tuple[str, int]:
        link = origin.link
        if link is not None and not link.is_open:
            raise OriginError(
                "OriginTimeout",
                f"the private link to {link.target} is {link.status}",
                status=HTTPStatus.GATEWAY_TIMEOUT,
            )
        place = link.target if link else origin.host
        listener = self._resolve(place, port)
        if listener is None:
            raise OriginError(
                "OriginConnectionError" if link else "DNSNameNotResolved",
                f"{place}:{port} has no listener",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
            )
        return listener

    async def _send(
        self,
        session: aiohttp.ClientSession,
        listener: tuple[str, int],
        origin: config.Origin,
        outgoing: Outgoing,
    ) -> aiohttp.ClientResponse:
        address, port = listener
        scheme = "https" if outgoing.is_https else "http"
        host = f"[{address}]" if ":" in address else address
        verify = self._verify if origin.checks_certificate_name else self._verify_chain_only
        return await session.request(
            outgoing.method,
            yarl.URL(f"{scheme}://{host}:{port}{outgoing.path}", encoded=True),
            headers=list(outgoing.headers),
            skip_auto_headers=_NOT_ADDED,
            data=outgoing.body,
            allow_redirects=False,
            ssl=verify if outgoing.is_https else True,
            server_hostname=origin.host if outgoing.is_https else None,
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=min(_CONNECT_TIMEOUT_SECONDS, outgoing.timeout_seconds),
                sock_read=outgoing.timeout_seconds,
            ),
        )


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    """A session that passes things on: no cookies kept, no bodies unpacked."""
    session = aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    )
    # aiohttp repeats a failed request by itself, over any kept connection, which may be just as
    # dead, and probes too; this module decides what is repeated, and over which connection.
    session._retry_connection = False  # noqa: SLF001  there is no public switch
    return session


def _is_repeatable(outgoing: Outgoing) -> bool:
    """Whether sending twice does no more than sending once; a body is gone once it was sent."""
    return outgoing.method in _REPEATABLE and outgoing.body is None


def _origin_error(error: Exception, outgoing: Outgoing) -> OriginError:
    if isinstance(error, TimeoutError):
        return OriginError(
            "OriginTimeout",
            f"no answer in {outgoing.timeout_seconds:g} s",
            status=HTTPStatus.GATEWAY_TIMEOUT,
        )
    reason = next(
        (token for kind, token in _REASONS if isinstance(error, kind)), "OriginConnectionError"
    )
    return OriginError(
        reason, str(error) or type(error).__name__, status=HTTPStatus.SERVICE_UNAVAILABLE
    )


# First match wins: the more special error stands before the more general one.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorCertificateError, "CertificateError"),
    (aiohttp.ClientSSLError, "SSLHandshakeError"),
    (aiohttp.ClientConnectorError, "OriginConnectionRefused"),
    (aiohttp.ServerDisconnectedError, "OriginConnectionAborted"),
    (aiohttp.ClientOSError, "OriginConnectionAborted"),
    (aiohttp.ClientResponseError, "OriginInvalidResponse"),
    (aiohttp.ClientPayloadError, "OriginInvalidResponse"),
    (ValueError, "OriginInvalidRequest"),
)

"""The headers the edge adds and takes away; pure.

From the "protocol support for HTTP headers" article. Hop-by-hop headers (RFC 9110, 7.6.1) belong
to one connection and are never passed on, nor are those that `Connection` names. `X-FD-*` is
reserved: what a client sends of it is dropped, so that no client can pass for a health probe.
"""

import datetime as dt
import secrets
from collections.abc import Iterable

Headers = list[tuple[str, str]]

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Set by the edge itself on the way to the origin: whatever a client sent of them is replaced.
_OWN = frozenset(
    {
        "expect",  # answered by the edge
        "host",
        "x-azure-clientip",
        "x-azure-fdid",
        "x-azure-ref",
        "x-azure-requestchain",
        "x-azure-socketip",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "via",
    }
)


def new_reference() -> str:
    """A value for X-Azure-Ref: names one request, in answers, at origins and in logs."""
    return f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(10)}"


def end_to_end(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers that may travel on, repeated ones (Set-Cookie) in their order."""
    pairs = list(headers)
    named = {
        token.strip().lower()
        for name, value in pairs
        if name.lower() == "connection"
        for token in value.split(",")
    }
    return [(n, v) for n, v in pairs if n.lower() not in _HOP_BY_HOP | named]


def to_origin(
    headers: Iterable[tuple[str, str]],
    *,
    host: str,
    origin_host: str,
    socket_address: str,
    scheme: str,
    http_version: str,
    reference: str,
    front_door_id: str,
) -> Headers:
    """What the origin gets: the client's own headers and what Front Door says about the request.

    Args:
        headers: as the client sent them.
        host: the Host the client asked for, with its port if it named one.
        origin_host: the Host the origin gets.
        socket_address: the address the client's connection came from.
        scheme: http or https, as the client spoke to the edge.
        http_version: the client's, such as 1.1.
        reference: this request's X-Azure-Ref.
        front_door_id: the profile's, by which an origin may refuse other Front Doors.
    """
    pairs = list(headers)
    forwarded_for = [v for n, v in pairs if n.lower() == "x-forwarded-for"]
    via = [v for n, v in pairs if n.lower() == "via"]
    passed = [
        (n, v)
        for n, v in end_to_end(pairs)
        if n.lower() not in _OWN and not n.lower().startswith("x-fd-")
    ]
    client = forwarded_for[0].split(",")[0].strip() if forwarded_for else socket_address
    return [
        ("Host", origin_host),
        *passed,
        ("Via", ", ".join([*via, f"{http_version} Azure"])),
        ("X-Azure-ClientIP", client),
        ("X-Azure-SocketIP", socket_address),
        ("X-Azure-Ref", reference),
        ("X-Azure-RequestChain", "hops=1"),
        ("X-Azure-FDID", front_door_id),
        ("X-Forwarded-For", ", ".join([*forwarded_for, socket_address])),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Proto", scheme),
    ]


def to_client(headers: Iterable[tuple[str, str]], *, reference: str, cache_status: str) -> Headers:
    """What the client gets: the origin's headers, the request's name, the cache status."""
    own = {"x-azure-ref", "x-cache"}
    passed = [(n, v) for n, v in end_to_end(headers) if n.lower() not in own]
    return [*passed, ("X-Azure-Ref", reference), ("X-Cache", cache_status)]

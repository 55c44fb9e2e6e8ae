"""The gRPC health check, as a kubelet asks it: one call over one plain HTTP/2 connection.

As much of HTTP/2 as one unary call needs (RFC 9113), with headers that are never compressed;
the answer's headers are not read: the message says what counts, and a call that ends without a
message has failed. Source of the messages: ``grpc.health.v1``; of the words: the kubelet's prober.
"""

import asyncio
import struct

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACK = _END_STREAM = 0x1
_END_HEADERS, _PADDED = 0x4, 0x8
_STREAM = 1
_LARGEST_FRAME_BYTES = 16_384
_ENVELOPE_BYTES = 5
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_SERVING = 1


class HealthError(Exception):
    """The call failed; the words are the kubelet's."""


async def check(host: str, port: int, service: str, timeout_seconds: float) -> str | None:
    """Ask a server; None if the service is SERVING, else what is wrong."""
    target = f"{host}:{port}"
    is_connected = False
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(host, port)
            is_connected = True
            try:
                writer.write(encode_call(target, service))
                message = await _read_message(reader, writer)
            finally:
                writer.close()
    except TimeoutError:
        if is_connected:
            return f"timeout: health rpc did not complete within {timeout_seconds:g}s"
        return _describe_unreached(target, timeout_seconds, "context deadline exceeded")
    except (OSError, EOFError, HealthError) as error:
        if is_connected:
            return f"error: health rpc probe failed: {error or 'the connection was closed'}"
        return _describe_unreached(target, timeout_seconds, str(error))
    status = read_status(message)
    if status == _SERVING:
        return None
    name = _STATUSES[status] if status < len(_STATUSES) else str(status)
    return f'service unhealthy (responded with "{name}")'


def encode_call(authority: str, service: str) -> bytes:
    """Return the whole request: preface, settings, headers, message. Pure."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
        "user-agent": "kube-probe/1.36",
    }
    block = b"".join(_literal(word) for word in headers.items())
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    envelope = struct.pack(">BI", 0, len(message)) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, b"", stream=0)
        + _frame(_HEADERS, _END_HEADERS, block)
        + _frame(_DATA, _END_STREAM, envelope)
    )


def read_status(message: bytes) -> int:
    """Return the status in a HealthCheckResponse; an empty one is UNKNOWN. Pure."""
    return message[1] if message[:1] == b"\x08" and len(message) > 1 else 0


async def _read_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    received = b""
    while True:
        head = await reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        if length > _LARGEST_FRAME_BYTES:
            raise HealthError("the server does not speak HTTP/2")
        body = await reader.readexactly(length)
        if kind in {_SETTINGS, _PING} and not flags & _ACK:
            writer.write(_frame(kind, _ACK, body if kind == _PING else b"", stream=0))
        elif kind in {_RESET, _GOAWAY}:
            raise HealthError("the server ended the call")
        elif kind == _DATA:
            received += body[1 : length - sum(body[:1])] if flags & _PADDED else body
            wanted = _ENVELOPE_BYTES + int.from_bytes(received[1:_ENVELOPE_BYTES], "big")
            if len(received) >= max(wanted, _ENVELOPE_BYTES):
                return received[_ENVELOPE_BYTES:wanted]
        if kind in {_DATA, _HEADERS} and flags & _END_STREAM:
            raise HealthError(
                "no answer: this server does not know the service, or does not implement the grpc "
                "health protocol (grpc.health.v1.Health)"
            )


def _describe_unreached(target: str, timeout_seconds: float, why: str) -> str:
    return f'timeout: failed to connect service "{target}" within {timeout_seconds:g}s: {why}'


def _frame(kind: int, flags: int, body: bytes, *, stream: int = _STREAM) -> bytes:
    return len(body).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + body


def _literal(pair: tuple[str, str]) -> bytes:
    """A header that is neither indexed nor compressed; its words are shorter than 127 bytes."""
    return b"\0" + b"".join(bytes([len(word)]) + word.encode() for word in pair)


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])

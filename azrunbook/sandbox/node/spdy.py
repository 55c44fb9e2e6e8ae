"""The framing of SPDY/3.1, as far as ``kubectl port-forward`` speaks it. Pure: bytes in and out.

Source: draft-mbelshe-httpbis-spdy-00 with the 3.1 amendments. Not kept: flow control (the client's
library, moby/spdystream, neither sends nor heeds window updates) and priorities. Headers are
compressed with one state for the whole connection and a dictionary that the protocol fixes.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_VERSION = 3
_CONTROL = 0x8000
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING = 1, 2, 3, 6
_FIN = 0x01
_HEAD_BYTES = 8
_NUMBER_BYTES = 4
_LARGEST_FRAME_BYTES = 1 << 20

_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base content-encoding "
    "content-language content-length content-location content-md5 content-range content-type date "
    "etag expect expires from host if-match if-modified-since if-none-match if-range "
    "if-unmodified-since last-modified location max-forwards pragma proxy-authenticate "
    "proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status"
)
_PHRASES = ("200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin")
_WORDS = (*_NAMES.split(), *_PHRASES)
_REST = (
    b"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    b"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    b"401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    b"503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    b"Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    b"application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,"
    b"deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.encode() for word in _WORDS) + _REST


class ProtocolError(Exception):
    """The peer does not speak SPDY/3.1."""


@dataclass(frozen=True)
class Opened:
    """The peer has opened a stream."""

    stream: int
    headers: dict[str, str]


@dataclass(frozen=True)
class Received:
    """Data of a stream; ``is_last``: the peer sends no more of it."""

    stream: int
    data: bytes
    is_last: bool


@dataclass(frozen=True)
class Reset:
    """The peer has given a stream up."""

    stream: int


@dataclass(frozen=True)
class Pinged:
    """The peer wants these bytes back."""

    answer: bytes


Event = Opened | Received | Reset | Pinged


class Connection:
    """The server's side of one connection."""

    def __init__(self) -> None:
        self._rest = b""
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take what came, cut anywhere.

        Raises:
            ProtocolError: it is not SPDY/3.1, or a frame is larger than a megabyte.
        """
        self._rest += data
        while len(self._rest) >= _HEAD_BYTES:
            first, second, length = struct.unpack(">HHI", self._rest[:_HEAD_BYTES])
            flags, length = length >> 24, length & 0xFFFFFF
            if length > _LARGEST_FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes")
            if len(self._rest) < _HEAD_BYTES + length:
                return
            body = self._rest[_HEAD_BYTES : _HEAD_BYTES + length]
            self._rest = self._rest[_HEAD_BYTES + length :]
            if not first & _CONTROL:
                stream = (first << 16) | second
                yield Received(stream, body, is_last=bool(flags & _FIN))
                continue
            if first & ~_CONTROL != _VERSION:
                raise ProtocolError(f"version {first & ~_CONTROL}")
            yield from self._read_control(second, flags, body)

    def _read_control(self, kind: int, flags: int, body: bytes) -> Iterator[Event]:
        if kind == _PING:
            yield Pinged(_control(_PING, body))
        elif kind in {_SYN_STREAM, _RST_STREAM}:
            if len(body) < _NUMBER_BYTES:
                raise ProtocolError("a stream without its number")
            (stream,) = struct.unpack(">I", body[:_NUMBER_BYTES])
            if kind == _RST_STREAM:
                yield Reset(stream)
                return
            yield Opened(stream, self._read_headers(body[10:]))
            if flags & _FIN:
                yield Received(stream, b"", is_last=True)

    def _read_headers(self, packed: bytes) -> dict[str, str]:
        try:
            block = self._inflate.decompress(packed)
            (count,) = struct.unpack_from(">I", block)
            position, words = 4, []
            for _ in range(2 * count):
                (length,) = struct.unpack_from(">I", block, position)
                words.append(block[position + 4 : position + 4 + length].decode())
                position += 4 + length
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise ProtocolError(f"unreadable headers: {error}") from error
        return dict(zip(words[::2], words[1::2], strict=True))

    def accept(self, stream: int) -> bytes:
        """Answer an opened stream: go on, no headers."""
        packed = self._deflate.compress(struct.pack(">I", 0))
        packed += self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control(_SYN_REPLY, struct.pack(">I", stream) + packed)

    @staticmethod
    def send(stream: int, data: bytes, *, is_last: bool = False) -> bytes:
        """Frame data of a stream; at most 16 MiB."""
        return struct.pack(">II", stream, (_FIN if is_last else 0) << 24 | len(data)) + data

    @staticmethod
    def reset(stream: int) -> bytes:
        """Give a stream up (CANCEL)."""
        return _control(_RST_STREAM, struct.pack(">II", stream, 5))


def _control(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", _CONTROL | _VERSION, kind, len(body)) + body

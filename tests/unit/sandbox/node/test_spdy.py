"""The framing of port-forward: what a client of the protocol sends, cut anywhere."""

import struct
import zlib

import pytest

from azrunbook.sandbox.node import spdy


def control(kind, body, flags=0):
    return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body


def open_stream(number, headers, packer):
    block = struct.pack(">I", len(headers))
    for word in (word for pair in headers.items() for word in pair):
        block += struct.pack(">I", len(word)) + word.encode()
    packed = packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH)
    return control(1, struct.pack(">IIH", number, 0, 0) + packed, flags=0)


def test_the_dictionary_is_the_protocols():
    """A client names it by its checksum, and cannot be read with another one."""
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_frames_are_read_however_they_are_cut(size):
    """Two streams with one compression, data with its end, a ping, a reset."""
    packer = zlib.compressobj(zdict=spdy.DICTIONARY)
    data = open_stream(1, {"streamtype": "error", "port": "80"}, packer)
    data += open_stream(3, {"streamtype": "data", "port": "80"}, packer)
    ping = control(6, b"\0\0\0\1")
    data += struct.pack(">II", 3, 1 << 24 | 5) + b"hello" + ping
    data += control(3, struct.pack(">II", 3, 5)) + control(4, b"\0\0\0\0")
    connection = spdy.Connection()
    events = [
        event
        for start in range(0, len(data), size)
        for event in connection.feed(data[start : start + size])
    ]
    assert events == [
        spdy.Opened(1, {"streamtype": "error", "port": "80"}),
        spdy.Opened(3, {"streamtype": "data", "port": "80"}),
        spdy.Received(3, b"hello", is_last=True),
        spdy.Pinged(ping),
        spdy.Reset(3),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">HHI", 0x8002, 1, 0),
        struct.pack(">HHI", 0x8003, 1, 0xFFFFFF),
        control(1, b"\0" * 10 + b"not compressed"),
        control(3, b""),
    ],
)
def test_what_is_no_spdy_is_refused(data):
    """Another protocol or version, a frame too large, unreadable headers, a frame too short."""
    with pytest.raises(spdy.ProtocolError):
        list(spdy.Connection().feed(data))

"""Protobuf bodies of requests: kubectl and helm send some kinds in this form only.

Law: pure. Types come from the shapes, the numbers of the fields from `protobuf.json`: names in the
order of their numbers, `N:name` where a number is skipped, `@(a,b)` for an inlined message.
Answers are never protobuf; what is not in the table is refused with 415.
"""

import base64
import datetime as dt
import functools
import json
import re
import struct
from collections.abc import Iterator, Mapping
from importlib import resources as package_files
from typing import Any

from azrunbook.sandbox.kube import definitions, errors, shapes
from azrunbook.sandbox.kube.shapes import Form, Shape

Object = dict[str, Any]
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
Numbers = Mapping[int, Any]
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


def _numbers(text: str, separator: str = " ") -> Numbers:
    found: dict[int, Any] = {}
    number = 0
    for part in re.findall(r"@\([^)]*\)|[^ ]+", text) if separator == " " else text.split(","):
        prefix, colon, name = part.partition(":")
        if colon and prefix.isdigit():
            number = int(prefix)
            found[number] = name
            continue
        number += 1
        found[number] = _numbers(part[2:-1], ",") if part.startswith("@") else part
    return found


@functools.cache
def _tables() -> Mapping[str, Numbers]:
    text = package_files.files(__package__).joinpath("protobuf.json").read_text()
    return {name: _numbers(row) for name, row in json.loads(text).items()}


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a varint
            return value, position


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and raw value of each field: a number, or bytes."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
        elif kind == BYTES:
            size, position = _varint(data, position)
            if position + size > len(data):
                raise errors.bad_request("the protobuf body is cut off")
            yield key >> 3, data[position : position + size]
            position += size
        elif kind == FIXED64:
            yield key >> 3, struct.unpack("<d", data[position : position + 8])[0]
            position += 8
        elif kind == FIXED32:
            yield key >> 3, struct.unpack("<f", data[position : position + 4])[0]
            position += 4
        else:
            raise errors.bad_request("the protobuf body is malformed")


def _unsupported(what: str) -> errors.StatusError:
    error = errors.unsupported_media_type()
    error.message = (
        f"{what} is not read from protobuf by this server; send JSON, or add its field numbers "
        "to azrunbook/sandbox/kube/http/protobuf.json"
    )
    return error


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _time(data: bytes) -> str | None:
    found = dict(_fields(data))
    seconds = _signed(found.get(1, 0))
    if not found:
        return None
    at = dt.datetime.fromtimestamp(seconds, dt.UTC)
    nanos = found.get(2, 0)
    text = at.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if nanos else text + "Z"


def _int_or_string(data: bytes) -> int | str:
    found = dict(_fields(data))
    if found.get(1, 0) == 1:
        return bytes(found.get(3, b"")).decode()
    return _signed(found.get(2, 0))


def _scalar(shape: Shape, value: Any) -> Any:  # noqa: PLR0911 - one line per form
    form = shape.form
    if form is Form.STRING:
        return bytes(value).decode()
    if form is Form.BYTES:
        return base64.b64encode(value).decode()
    if form is Form.INTEGER:
        return _signed(value)
    if form is Form.BOOLEAN:
        return bool(value)
    if form is Form.TIME:
        return _time(value)
    if form is Form.INT_OR_STRING:
        return _int_or_string(value)
    if form is Form.QUANTITY:
        return bytes(dict(_fields(value)).get(1, b"0")).decode()
    if form is Form.NUMBER:
        return value
    raw = dict(_fields(value)).get(1, b"")
    return json.loads(raw) if raw else {}


def _value(shape: Shape, value: Any) -> Any:
    return _struct(shape, value) if shape.form is Form.STRUCT else _scalar(shape, value)


def _put(found: Object, shape: Shape, name: str, value: Any) -> None:
    field = shape.fields[name]
    element = field.element or shapes.ANY
    if field.form is Form.LIST:
        found.setdefault(name, []).append(_value(element, value))
    elif field.form is Form.MAP:
        pair = dict(_fields(value))
        key = bytes(pair.get(1, b"")).decode()
        found.setdefault(name, {})[key] = _value(element, pair.get(2, b""))
    else:
        found[name] = _value(field, value)


def _struct(shape: Shape, data: bytes) -> Object:
    short = definitions.short_name(shape.name)
    numbers = _tables().get(short)
    if numbers is None:
        raise _unsupported(short)
    found: Object = {}
    for number, value in _fields(data):
        name = numbers.get(number)
        if name is None and short.endswith("Status"):
            continue  # clients send the zeros of a status that this endpoint resets anyway
        if name is None:
            raise _unsupported(f"field {number} of {short}")
        if isinstance(name, str):
            _put(found, shape, name, value)
            continue
        for inner, part in _fields(value):
            if inner not in name:
                raise _unsupported(f"field {number}.{inner} of {short}")
            _put(found, shape, name[inner], part)
    return found


def decode(body: bytes) -> Object:
    """The object in a body; raises StatusError 400 or 415."""
    if not body.startswith(MAGIC):
        raise errors.bad_request("provided data does not appear to be a protobuf message")
    try:
        outer = dict(_fields(body[len(MAGIC) :]))
        kind_parts = dict(_fields(outer.get(1, b"")))
        api_version = bytes(kind_parts.get(1, b"")).decode()
        kind = bytes(kind_parts.get(2, b"")).decode()
        found = _struct(_shape(api_version, kind), outer.get(2, b""))
    except (IndexError, struct.error, UnicodeDecodeError, TypeError):
        raise errors.bad_request("the protobuf body is malformed") from None
    return {"apiVersion": api_version, "kind": kind, **found}


def _shape(api_version: str, kind: str) -> Shape:
    if kind == "DeleteOptions":
        return shapes.defined(META + kind)
    shape = shapes.for_kind(api_version, kind)
    if shape.form is not Form.STRUCT:
        raise _unsupported(f"{kind} of {api_version}")
    return shape

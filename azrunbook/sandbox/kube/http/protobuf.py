"""Request bodies in Kubernetes' protobuf encoding, for the kinds that typed Go clients send.

Law: pure. Answers are JSON, which every client that may send protobuf accepts too; but a body
cannot be negotiated, and client-go (helm 4's release storage, leader elections, evictions) writes
built-in kinds in protobuf. The envelope and the field numbers are those of ``generated.proto`` in
k8s.io/api and k8s.io/apimachinery; a kind that is not in the table is refused with 415.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

Kind = Literal["text", "bytes", "int", "bool", "time", "micro_time", "json", "message", "map"]


class DecodeError(ValueError):
    """Not the encoding, or not a kind that is known."""


@dataclass(frozen=True)
class Field:
    """One field: its JSON name, what it is, and the message or map value inside."""

    name: str
    kind: Kind = "text"
    inner: str = ""
    is_repeated: bool = False


Message = Mapping[int, Field]

_MESSAGES: Mapping[str, Message] = {
    "ObjectMeta": {
        1: Field("name"),
        2: Field("generateName"),
        3: Field("namespace"),
        4: Field("selfLink"),
        5: Field("uid"),
        6: Field("resourceVersion"),
        7: Field("generation", "int"),
        8: Field("creationTimestamp", "time"),
        9: Field("deletionTimestamp", "time"),
        10: Field("deletionGracePeriodSeconds", "int"),
        11: Field("labels", "map"),
        12: Field("annotations", "map"),
        13: Field("ownerReferences", "message", "OwnerReference", is_repeated=True),
        14: Field("finalizers", is_repeated=True),
        17: Field("managedFields", "message", "ManagedFieldsEntry", is_repeated=True),
    },
    "OwnerReference": {
        1: Field("kind"),
        3: Field("name"),
        4: Field("uid"),
        5: Field("apiVersion"),
        6: Field("controller", "bool"),
        7: Field("blockOwnerDeletion", "bool"),
    },
    "ManagedFieldsEntry": {
        1: Field("manager"),
        2: Field("operation"),
        3: Field("apiVersion"),
        4: Field("time", "time"),
        6: Field("fieldsType"),
        7: Field("fieldsV1", "json"),
        8: Field("subresource"),
    },
    "Secret": {
        1: Field("metadata", "message", "ObjectMeta"),
        2: Field("data", "map", "bytes"),
        3: Field("type"),
        4: Field("stringData", "map"),
        5: Field("immutable", "bool"),
    },
    "ConfigMap": {
        1: Field("metadata", "message", "ObjectMeta"),
        2: Field("data", "map"),
        3: Field("binaryData", "map", "bytes"),
        4: Field("immutable", "bool"),
    },
    "Namespace": {1: Field("metadata", "message", "ObjectMeta")},
    "ServiceAccount": {1: Field("metadata", "message", "ObjectMeta")},
    "Lease": {
        1: Field("metadata", "message", "ObjectMeta"),
        2: Field("spec", "message", "LeaseSpec"),
    },
    "LeaseSpec": {
        1: Field("holderIdentity"),
        2: Field("leaseDurationSeconds", "int"),
        3: Field("acquireTime", "micro_time"),
        4: Field("renewTime", "micro_time"),
        5: Field("leaseTransitions", "int"),
    },
    "Eviction": {
        1: Field("metadata", "message", "ObjectMeta"),
        2: Field("deleteOptions", "message", "DeleteOptions"),
    },
    "DeleteOptions": {
        1: Field("gracePeriodSeconds", "int"),
        2: Field("preconditions", "message", "Preconditions"),
        3: Field("orphanDependents", "bool"),
        4: Field("propagationPolicy"),
        5: Field("dryRun", is_repeated=True),
    },
    "Preconditions": {1: Field("uid"), 2: Field("resourceVersion")},
}
_TYPE_META: Message = {1: Field("apiVersion"), 2: Field("kind")}


def decode(body: bytes) -> dict[str, Any]:
    """Read an object as its JSON form.

    Raises:
        DecodeError: not this encoding, cut off, or of a kind that no known client sends.
    """
    if not body.startswith(_MAGIC):
        raise DecodeError("provided data does not appear to be a protobuf message")
    envelope = dict(_list_fields(body[len(_MAGIC) :]))
    meta = _read(_TYPE_META, _bytes(envelope.get(1, b"")))
    message = _MESSAGES.get(str(meta.get("kind", "")))
    if message is None:
        raise DecodeError(f"no protobuf schema for kind {meta.get('kind')!r}")
    return {**meta, **_read(message, _bytes(envelope.get(2, b"")))}


def _list_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers with their wire values: numbers, or the bytes of what has a length."""
    place = 0
    while place < len(data):
        key, place = _read_varint(data, place)
        wire = key & 7
        value: int | bytes
        if wire == _VARINT:
            value, place = _read_varint(data, place)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}.get(wire)
            if wire == _LENGTH:
                size, place = _read_varint(data, place)
            if size is None or place + size > len(data):
                raise DecodeError(f"cut off or unknown wire type {wire}")
            value, place = data[place : place + size], place + size
        yield key >> 3, value


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise DecodeError("cut off in a number")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return number, place
    raise DecodeError("a number of more than 64 bits")


def _read(message: Message, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _list_fields(data):
        known = message.get(number)
        if known is None:
            continue
        if known.kind == "map":
            found.setdefault(known.name, {}).update(_read_pair(known, value))
            continue
        item = _convert(known, value)
        if known.is_repeated:
            found.setdefault(known.name, []).append(item)
        elif item not in ("", None):  # proto2 of Go writes empty strings; JSON leaves them out
            found[known.name] = item
    return found


def _read_pair(known: Field, value: int | bytes) -> dict[str, str]:
    pair = dict(_list_fields(_bytes(value)))
    content = _bytes(pair.get(2, b""))
    shown = base64.b64encode(content).decode() if known.inner == "bytes" else content.decode()
    return {_bytes(pair.get(1, b"")).decode(): shown}


def _convert(known: Field, value: int | bytes) -> Any:
    match known.kind:
        case "int":
            number = int.from_bytes(value, "little") if isinstance(value, bytes) else value
            return number - 2**64 if number >= 2**63 else number
        case "bool":
            return bool(value)
        case "time" | "micro_time":
            return _convert_time(_bytes(value), is_micro=known.kind == "micro_time")
        case "json":
            raw = dict(_list_fields(_bytes(value))).get(1, b"")
            return json.loads(_bytes(raw) or b"null")
        case "message":
            return _read(_MESSAGES[known.inner], _bytes(value))
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case _:
            return _bytes(value).decode()


def _convert_time(data: bytes, *, is_micro: bool) -> str | None:
    parts = dict(_list_fields(data))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int) or seconds >= 2**63:
        return None  # Go's zero time, which JSON shows as null
    instant = dt.datetime.fromtimestamp(seconds, dt.UTC)
    text = instant.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{nanos // 1000:06d}Z" if is_micro else f"{text}Z"


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise DecodeError("a number where a text or a message was expected")

"""Decoding: what a client sent becomes an object as the real server's Go types would hold it.

Law: pure. Unknown fields go (and are reported), wrong types are refused, zero values that Go leaves
out vanish, structs that Go always writes appear. Nothing is defaulted or validated here.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from azrunbook.sandbox.kube import errors, quantities, shapes
from azrunbook.sandbox.kube.bodies import RepeatedKeys
from azrunbook.sandbox.kube.shapes import Form, Shape

Object = dict[str, Any]
QUANTITY = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?")


class DecodeError(ValueError):
    """The value does not fit the type; the text is the Go decoder's.

    `converted` is what the server says when the object comes from its own patching and not from
    text: there, types are converted without a decoder.
    """

    def __init__(self, why: str, converted: str = "") -> None:
        super().__init__(why)
        self.converted = converted or why


class UnreadableError(errors.StatusError):
    """400: an object that does not fit its kind, or not strictly. `why` is without the kind."""

    def __init__(self, kind: str, version: str, why: str, converted: str = "") -> None:
        start = f'{kind} in version "{version}" cannot be handled as a {kind}: '
        super().__init__(400, "BadRequest", start + why)
        self.why = why
        self.converted = converted or why


@dataclass
class Report:
    """What strict decoding would refuse, in the order in which it was met."""

    complaints: list[str] = field(default_factory=list)

    def unknown(self, path: str) -> None:
        self.complaints.append(f'unknown field "{path}"')

    def repeated(self, path: str) -> None:
        self.complaints.append(f'duplicate field "{path}"')


@dataclass
class _Place:
    """Where in the object the walk is: for messages."""

    path: str
    owner: str


GO_NAMES = {
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
    list: "array",
    dict: "object",
}
GO_TYPES = {
    Form.STRING: "string",
    Form.INTEGER: "int32",
    Form.NUMBER: "float64",
    Form.BOOLEAN: "bool",
    Form.BYTES: "[]uint8",
    Form.LIST: "[]interface {}",
    Form.MAP: "map[string]string",
}


def _go_type(shape: Shape) -> str:
    if shape.form is Form.STRUCT:
        return "v1." + shape.name.rpartition(".")[2]
    if shape.form is Form.LIST and shape.element is not None:
        return "[]" + _go_type(shape.element)
    if shape.form is Form.MAP and shape.element is not None:
        return "map[string]" + _go_type(shape.element)
    if shape.form is Form.INTEGER and shape.format:
        return shape.format
    return GO_TYPES.get(shape.form, "string")


def _mismatch(value: Any, shape: Shape, place: _Place) -> DecodeError:
    kind = GO_NAMES.get(type(value), "object")
    if isinstance(value, float):
        kind = f"number {value}"
    owner = place.owner.rpartition(".")[2]
    path = re.sub(r"\[\d+\]", "", place.path)
    where = f"Go struct field {owner}.{path}" if path else "Go value"
    return DecodeError(
        f"json: cannot unmarshal {kind} into {where} of type {_go_type(shape)}",
        _converted(value, shape),
    )


RESTORED = {Form.STRUCT: "struct", Form.MAP: "map", Form.LIST: "slice"}
KINDS = {str: "string", bool: "bool", int: "int64", float: "float64", list: "slice", dict: "map"}


def _converted(value: Any, shape: Shape) -> str:
    """What the converter of patched objects says of a value of the wrong type."""
    given = KINDS.get(type(value), "map")
    if shape.form in RESTORED:
        return f"cannot restore {RESTORED[shape.form]} from: {given}"
    if shape.form is Form.STRING and given == "int64":
        return "cannot convert int64 to string"
    return f"unrecognized type: {_go_type(shape)}"


class Decoder:
    """One decoding. `fill` writes what Go would write for absent fields."""

    def __init__(self, report: Report, *, fill: bool = True) -> None:
        self.report = report
        self.fill = fill

    def decode(self, shape: Shape, value: Any, path: str = "", owner: str = "") -> Any:
        """The value as the type holds it; raises DecodeError."""
        walk = _WALKS.get(shape.form)
        if walk is None:
            return value
        return walk(self, shape, value, _Place(path, owner))

    def struct(self, shape: Shape, value: Any, place: _Place) -> Object:
        if value is None:
            value = {}
        self._require_object(shape, value, place)
        found: Object = {}
        fields, go = shape.fields, shape.go
        required: frozenset[str] = go.required if go else frozenset()
        dropped: frozenset[str] = go.dropped if go else frozenset()
        for key, part in value.items():
            known = fields.get(key)
            if known is None:
                if not shape.keeps_unknown:
                    self.report.unknown(_join(place.path, key))
                continue
            if part is None and (key not in required or _is_pointer(known, key, go)):
                if key in required:
                    found[key] = None
                continue
            decoded = self.decode(known, part, _join(place.path, key), shape.name)
            if not (key in dropped and _is_zero(decoded)):
                found[key] = decoded
        if self.fill and go is not None:
            self._fill(shape, go, found)
        return found

    def _require_object(self, shape: Shape, value: Any, place: _Place) -> None:
        if not isinstance(value, dict):
            raise _mismatch(value, shape, place)
        if isinstance(value, RepeatedKeys):
            for name in value.names:
                self.report.repeated(_join(place.path, name))

    def _fill(self, shape: Shape, go: shapes.GoStruct, found: Object) -> None:
        for key in go.structs:
            if key not in found:
                found[key] = self.struct(shape.fields[key], {}, _Place("", ""))
        for key in go.written:
            if key not in found:
                found[key] = ZEROS.get(shape.fields[key].form)

    def map(self, shape: Shape, value: Any, place: _Place) -> Any:
        self._require_object(shape, value, place)
        element = shape.element or shapes.ANY
        if element.form is Form.STRING:
            for part in value.values():
                if not isinstance(part, str) and part is not None:
                    raise _mismatch(part, element, place)
            return {key: part or "" for key, part in value.items()}
        return {
            key: self.decode(element, part, _join(place.path, key), place.owner)
            for key, part in value.items()
        }

    def list(self, shape: Shape, value: Any, place: _Place) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise _mismatch(value, shape, place)
        element = shape.element or shapes.ANY
        return [
            self.decode(element, part, f"{place.path}[{index}]", place.owner)
            for index, part in enumerate(value)
        ]

    def string(self, shape: Shape, value: Any, place: _Place) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _mismatch(value, shape, place)
        return value

    def integer(self, shape: Shape, value: Any, place: _Place) -> int:
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int):
            if isinstance(value, float) and value.is_integer():
                return int(value)
            raise _mismatch(value, shape, place)
        return value

    def number(self, shape: Shape, value: Any, place: _Place) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _mismatch(value, shape, place)
        return value

    def boolean(self, shape: Shape, value: Any, place: _Place) -> bool:
        if value is None:
            return False
        if not isinstance(value, bool):
            raise _mismatch(value, shape, place)
        return value

    def bytes(self, shape: Shape, value: Any, place: _Place) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise _mismatch(value, shape, place)
        text = value.replace("\n", "").replace("\r", "")
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            bad = re.search(r"[^A-Za-z0-9+/=]", text)
            position = bad.start() if bad else len(text) - len(text) % 4
            raise DecodeError(f"illegal base64 data at input byte {position}") from None
        return text

    def quantity(self, shape: Shape, value: Any, place: _Place) -> str:
        if value is None:
            return "0"
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _mismatch(value, shape, place)
        text = str(value)
        if not QUANTITY.fullmatch(text):
            raise DecodeError(
                "quantities must match the regular expression "
                "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            )
        return quantities.canonical(text)

    def int_or_string(self, shape: Shape, value: Any, place: _Place) -> int | str:
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise _mismatch(value, shape, place)
        return value

    def time(self, shape: Shape, value: Any, place: _Place) -> str | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise _mismatch(value, shape, place)
        if not re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d", value):
            raise DecodeError(
                f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": '
                f'cannot parse "{value}" as "2006"'
            )
        return value


Walk = Callable[[Decoder, Shape, Any, _Place], Any]
_WALKS: dict[Form, Walk] = {
    Form.STRUCT: Decoder.struct,
    Form.MAP: Decoder.map,
    Form.LIST: Decoder.list,
    Form.STRING: Decoder.string,
    Form.INTEGER: Decoder.integer,
    Form.NUMBER: Decoder.number,
    Form.BOOLEAN: Decoder.boolean,
    Form.BYTES: Decoder.bytes,
    Form.QUANTITY: Decoder.quantity,
    Form.INT_OR_STRING: Decoder.int_or_string,
    Form.TIME: Decoder.time,
}
ZEROS = {Form.STRING: "", Form.BYTES: "", Form.INTEGER: 0, Form.NUMBER: 0, Form.BOOLEAN: False}


def _is_pointer(shape: Shape, key: str, go: shapes.GoStruct | None) -> bool:
    """Whether Go holds this struct by a pointer, which null leaves empty."""
    return shape.form is Form.STRUCT and (go is None or key not in go.structs)


def _is_zero(value: Any) -> bool:
    return not value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def strict_error(kind: str, version: str, complaints: Sequence[str]) -> UnreadableError:
    """The 400 of fieldValidation=Strict."""
    return UnreadableError(kind, version, f"strict decoding error: {', '.join(complaints)}")


def decode(
    shape: Shape, body: Any, *, kind: str, version: str, report: Report, fill: bool = True
) -> Object:
    """Decode a whole object; raises UnreadableError in the words of the real server."""
    try:
        decoded: Object = Decoder(report, fill=fill).decode(shape, body, "", shape.name)
    except DecodeError as error:
        raise UnreadableError(kind, version, str(error), error.converted) from None
    return decoded

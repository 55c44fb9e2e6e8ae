"""Bodies: the bytes of a request become JSON values, whatever somebody sends.

Law: pure. What comes out can be stored and written again: keys are text, numbers are finite, text
is Unicode, and nothing is nested deeper than the walks of this server (and the C stack under its
YAML parser) can follow. The real server takes 10,000 levels; a large schema of a custom resource
has 60.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from azrunbook.sandbox.kube import errors

DEEPEST = 200
"""Levels of objects and lists."""
MOST_NODES = 400_000
"""Values in a YAML document with its aliases written out."""
SURROGATE = re.compile("[\ud800-\udfff]")
ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
TOO_DEEP = "exceeded max depth"


class RepeatedKeys(dict[str, Any]):
    """A JSON object in which some keys came more than once (`names`); the last value wins."""

    names: list[str]


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    found = RepeatedKeys(plain)
    seen: set[str] = set()
    found.names = []
    for key, _ in pairs:
        if key in seen and key not in found.names:
            found.names.append(key)
        seen.add(key)
    return found


def repeated(value: Any, where: str = "") -> Iterator[str]:
    """The paths of all keys of a JSON value that came more than once."""
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from repeated(part, f"{where}[{index}]")
    elif isinstance(value, dict):
        start = f"{where}." if where else ""
        if isinstance(value, RepeatedKeys):
            yield from (f"{start}{name}" for name in value.names)
        for key, part in value.items():
            yield from repeated(part, f"{start}{key}")


def parse_json(text: bytes) -> Any:
    """Parse JSON, remembering repeated keys; raises StatusError 400."""
    said = text.decode("utf-8", "replace")
    try:
        value = json.loads(
            said, object_pairs_hook=_pairs, parse_float=_finite, parse_constant=_no_constant
        )
    except RecursionError:
        raise errors.bad_request(TOO_DEEP) from None
    except ValueError as error:
        raise errors.bad_request(_complaint(said, error)) from None
    if text.count(b"{") + text.count(b"[") > DEEPEST and _is_too_deep(value):
        raise errors.bad_request(TOO_DEEP)
    return _clean(value) if ESCAPED_SURROGATE.search(text) else value


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


SAID = {
    "Expecting value": "looking for beginning of value",
    "Extra data": "after top-level value",
    "Expecting ':' delimiter": "after object key",
    "Invalid control character at": "in string literal",
    "Invalid \\escape": "in string escape code",
}
"""Python's words for a syntax error to Go's."""


def _complaint(text: str, error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    if error.pos >= len(text) or error.msg.startswith("Unterminated"):
        return "unexpected end of JSON input"
    why = SAID.get(error.msg.partition(": ")[0], "looking for beginning of object key string")
    if error.msg == "Expecting ',' delimiter":
        is_list = _innermost(text[: error.pos]) == "["
        why = "after array element" if is_list else "after object key:value pair"
    return f"invalid character '{text[error.pos]}' {why}"


def _innermost(text: str) -> str:
    """The bracket that is still open at the end of a piece of JSON."""
    closed = 0
    for char in reversed(STRING.sub("", text)):
        if char in "]}":
            closed += 1
        elif char in "[{":
            if not closed:
                return char
            closed -= 1
    return ""


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [part for one in level for part in _parts(one) if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _clean(value: Any) -> Any:
    """Half of a surrogate pair is no character: Go reads it as U+FFFD."""
    if isinstance(value, str):
        return SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(part) for part in value]
    if not isinstance(value, dict):
        return value
    found = {_clean(key): _clean(part) for key, part in value.items()}
    if isinstance(value, RepeatedKeys):
        found = RepeatedKeys(found)
        found.names = [_clean(name) for name in value.names]
    return found


class YamlLoader(yaml.CSafeLoader):
    """YAML as JSON has it: a timestamp is text."""


YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: bytes) -> Any:
    """Parse YAML (JSON included); raises StatusError 400."""
    try:
        return parse_json(text)
    except errors.StatusError as error:
        if error.message == TOO_DEEP:
            raise
    try:
        _require_bounded(text)
        value = yaml.load(text, Loader=YamlLoader)  # noqa: S506 - a safe loader
        return _as_json(value)
    except (yaml.scanner.ScannerError, yaml.parser.ParserError) as error:
        raise errors.bad_request(f"{YAML_ERROR}yaml: {_located(error)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise errors.bad_request(f"error decoding YAML: {error}") from None


YAML_ERROR = "error decoding YAML: error converting YAML to JSON: "


def _located(error: yaml.MarkedYAMLError) -> str:
    """A syntax error with its line as Go's parser counts: one less where grammar is broken."""
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark is not None else 0
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    return f"line {line}: {error.problem}" if line else str(error.problem)


@dataclass
class _Node:
    """A mapping or sequence while it is read: what it holds with aliases written out."""

    anchor: str | None = None
    size: int = 1
    height: int = 0


def _require_bounded(text: bytes) -> None:
    """Look at a document's events before it is built; raises ValueError.

    Building follows the nesting on the C stack and multiplies what aliases repeat: either would
    end the process.
    """
    known: dict[str, _Node] = {}
    open_nodes: list[_Node] = [_Node()]
    for event in yaml.parse(text, Loader=YamlLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append(_Node(event.anchor))
            if len(open_nodes) > DEEPEST:
                raise ValueError(TOO_DEEP)
            continue
        node = _finished(event, open_nodes, known)
        if node is None:
            continue
        around = open_nodes[-1]
        around.size += node.size
        around.height = max(around.height, node.height + 1)
        if len(open_nodes) + node.height > DEEPEST:
            raise ValueError(TOO_DEEP)
        if around.size > MOST_NODES:
            raise ValueError("document contains excessive aliasing")


def _finished(event: Any, open_nodes: list[_Node], known: dict[str, _Node]) -> _Node | None:
    """The value that an event ends, if it ends one; raises ValueError for one within itself."""
    if isinstance(event, yaml.AliasEvent):
        if any(node.anchor == event.anchor for node in open_nodes):
            raise ValueError(f"anchor '{event.anchor}' value contains itself")
        return known.get(str(event.anchor)) or _Node()
    if isinstance(event, yaml.CollectionEndEvent):
        node = open_nodes.pop()
    elif isinstance(event, yaml.ScalarEvent):
        node = _Node(event.anchor)
    else:
        return None
    if node.anchor is not None:
        known[node.anchor] = node
    return node


def _as_json(value: Any) -> Any:
    """What YAML knows and JSON does not, as the real server's converter writes it."""
    if isinstance(value, dict):
        return {_key(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(part) for part in value]
    if isinstance(value, set):
        return dict.fromkeys(map(_key, value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"json: unsupported value: {value}")
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool | int | float):
        return json.dumps(key)
    raise ValueError(f"unsupported map key of type: {type(key).__name__}, key: {key!r}")

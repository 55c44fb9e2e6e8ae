"""Label and field selectors: text to a predicate over objects.

Law: pure. The grammar and the messages are those of apimachinery's `labels` and `fields`.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube import errors

Object = dict[str, Any]
Predicate = Callable[[Object], bool]


@dataclass(frozen=True)
class Requirement:
    """One condition on the labels: key, operator, values."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        return value is not None and _compare(value, self.operator, self.values[0])


def _compare(value: str, operator: str, bound: str) -> bool:
    try:
        left, right = int(value), int(bound)
    except ValueError:
        return False
    return left > right if operator == ">" else left < right


TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^=!(),<>\s]+)")
LONGEST = 63
NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
SYMBOLS = {"=", "==", "!=", "!", "(", ")", ",", "<", ">"}


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = TOKEN.findall(text)
        self.position = 0

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.position += 1
        return str(token)

    def fail(self, found: str, expected: str) -> errors.StatusError:
        return errors.bad_request(
            f"unable to parse requirement: found '{found}', expected: {expected}"
        )

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self.peek():
            if self.peek() == ",":
                raise self.fail(",", "!, identifier, or 'end of string'")
            found.append(self.requirement())
            separator = self.next()
            if separator not in ("", ","):
                raise self.fail(separator, "',' or 'end of string'")
            if separator == "," and not self.peek():
                raise self.fail("", "identifier after ','")
        return found

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.next()
            return Requirement(self.key(), "!")
        key = self.key()
        if self.peek() in ("", ","):
            return Requirement(key, "exists")
        operator = self.next()
        if operator in ("in", "notin"):
            return Requirement(key, operator, self.values())
        if operator in ("=", "=="):
            return Requirement(key, "in", (self.exact(),))
        if operator == "!=":
            return Requirement(key, "notin", (self.exact(),))
        if operator in ("<", ">"):
            return Requirement(key, operator, (self.number(operator),))
        raise self.fail(operator, "in, notin, =, ==, !=, gt, lt")

    def key(self) -> str:
        token = self.next()
        if token in SYMBOLS or not token:
            raise self.fail(token, "identifier")
        check_key(token)
        return token

    def exact(self) -> str:
        token = self.peek()
        if token in ("", ","):
            return ""
        if token in SYMBOLS:
            raise self.fail(token, "identifier")
        check_value(token)
        return self.next()

    def number(self, operator: str) -> str:
        token = self.next()
        if not re.fullmatch(r"-?\d+", token):
            verb = "Gt" if operator == ">" else "Lt"
            raise errors.bad_request(
                f"values[0][{token}]: Invalid value: \"{token}\": for '{verb}', "
                "'Lt' operators, the value must be an integer"
            )
        return token

    def values(self) -> tuple[str, ...]:
        opening = self.next()
        if opening != "(":
            raise self.fail(opening, "'('")
        found: list[str] = []
        while True:
            word = self.next()
            if word == ")":
                return tuple(found or [""])
            if word == "":
                raise self.fail("", "',', or ')'")
            if word == ",":
                continue
            if word in SYMBOLS:
                raise self.fail(word, "',', ')' or identifier")
            check_value(word)
            found.append(word)


def check_key(key: str) -> None:
    """Raise StatusError 400 unless the text may be a label's key."""
    prefix, slash, name = key.rpartition("/")
    is_good = bool(name) and len(name) <= LONGEST and bool(NAME.fullmatch(name))
    if slash and not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", prefix):
        is_good = False
    if not is_good:
        raise errors.bad_request(
            f'unable to parse requirement: <nil>: Invalid value: "{key}": name part must consist '
            "of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
            "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )


def check_value(value: str) -> None:
    """Raise StatusError 400 unless the text may be a label's value."""
    if len(value) > LONGEST or not NAME.fullmatch(value):
        raise errors.bad_request(
            f'unable to parse requirement: values[0][]: Invalid value: "{value}": a valid label '
            "must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
            "must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  "
            "or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?"
            "[A-Za-z0-9])?')"
        )


@functools.lru_cache(maxsize=1024)
def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse a label selector; raises StatusError 400."""
    return tuple(_Parser(text).requirements())


def match_labels(requirements: Sequence[Requirement], labels: Mapping[str, str]) -> bool:
    return all(requirement.matches(labels) for requirement in requirements)


def label_predicate(text: str) -> Predicate | None:
    """A predicate over objects; None when everything matches."""
    requirements = parse_labels(text)
    if not requirements:
        return None
    return lambda obj: match_labels(requirements, obj["metadata"].get("labels") or {})


OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def from_label_selector(selector: Mapping[str, Any] | None) -> tuple[Requirement, ...] | None:
    """A LabelSelector object as requirements: empty matches all, None (absent) matches nothing."""
    if selector is None:
        return None
    found = [
        Requirement(key, "in", (value,))
        for key, value in sorted((selector.get("matchLabels") or {}).items())
    ]
    found += [
        Requirement(part["key"], OPERATORS[part["operator"]], tuple(part.get("values") or ()))
        for part in selector.get("matchExpressions") or []
    ]
    return tuple(found)


def format_requirements(requirements: Sequence[Requirement]) -> str:
    """The text of a selector, as the scale subresource and tables show it."""
    return ",".join(_format(part) for part in sorted(requirements, key=lambda part: part.key))


def _format(part: Requirement) -> str:
    if part.operator == "exists":
        return part.key
    if part.operator == "!":
        return "!" + part.key
    if part.operator == "in" and len(part.values) == 1:
        return f"{part.key}={part.values[0]}"
    if part.operator in ("<", ">"):
        return f"{part.key}{part.operator}{part.values[0]}"
    return f"{part.key} {part.operator} ({','.join(sorted(part.values))})"

"""Bodies: what is no JSON or YAML, and what is but cannot be kept."""

import contextlib
import json

import pytest
from hypothesis import given, strategies as st

from azrunbook.sandbox.kube import bodies, errors

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


def refusal(parse, text):
    with pytest.raises(errors.StatusError) as raised:
        parse(text)
    assert raised.value.code == 400
    return raised.value.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b'{"a":"b', "unexpected end of JSON input"),
        (b"nope", "invalid character 'n' looking for beginning of value"),
        (b'{"a":}', "invalid character '}' looking for beginning of value"),
        (b"{} x", "invalid character 'x' after top-level value"),
        (b'{"a" "b"}', "invalid character '\"' after object key"),
        (b"{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a":[{}],"b":1 "c"}', "invalid character '\"' after object key:value pair"),
        (b'{"]":[1 2]}', "invalid character '2' after array element"),
        (b'{"a":NaN}', "invalid character 'N' looking for beginning of value"),
        (b"[1e999]", "json: cannot unmarshal number 1e999 into Go value of type float64"),
        (b"[" * 201 + b"]" * 201, "exceeded max depth"),
        (b"[" * 100_000, "exceeded max depth"),
    ],
)
def test_what_is_no_json_is_refused_in_gos_words(text, why):
    """A client shows these to people."""
    assert refusal(bodies.parse_json, text) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            b"a: b: c",
            (
                "error decoding YAML: error converting YAML to JSON: yaml: "
                "mapping values are not allowed in this context"
            ),
        ),
        (b"a: b\n  c: d", "yaml: line 2: mapping values are not allowed in this context"),
        (b"a: b\nc: [d\n", "yaml: line 2: did not find expected ',' or ']'"),
        (b"!!python/object:os.system x", "could not determine a constructor"),
        (b"? [a]\n: b", "unhashable key"),
        (b"? !!null\n: b", "unsupported map key of type"),
        (b"a: !!timestamp 2026-99-99", "month must be in"),
        (b"a: .nan", "json: unsupported value: nan"),
        (b"a: &a {b: *a}", "anchor 'a' value contains itself"),
        (b"a: b\n---\nc: d", "expected a single document"),
        (b"\x00", "control characters are not allowed"),
        (b"{a: " * 100_000, "exceeded max depth"),
        (b"- " * 100_000, "exceeded max depth"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "exceeded max depth"),
    ],
)
def test_what_is_no_yaml_is_refused(text, why):
    """And nothing of it runs, loops, or ends the process."""
    assert why in refusal(bodies.parse_yaml, text)


@pytest.mark.parametrize("repeat", ["- *{0}", "- <<: *{0}"])
def test_aliases_that_multiply_are_refused_before_they_are_written_out(repeat):
    """Nine times nine times nine..., as items and as merges."""
    lines = ["a: &a {x: y}"]
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        lines += [f"{name}: &{name}", *[repeat.format(before)] * 9]
    assert "excessive aliasing" in refusal(bodies.parse_yaml, "\n".join(lines).encode())


def test_aliases_that_are_nested_too_deep_are_refused():
    """Each is shallow, one within the other is not."""
    lines = ["a: &a0 " + "[" * 90 + "]" * 90]
    lines += [f"b{n}: &a{n} " + "[" * 90 + f"*a{n - 1}" + "]" * 90 for n in (1, 2)]
    assert "exceeded max depth" in refusal(bodies.parse_yaml, "\n".join(lines).encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{2: a, true: b, 1.5: c}", {"2": "a", "true": "b", "1.5": "c"}),
        (b"a: 2026-01-01", {"a": "2026-01-01"}),
        (b"a: !!binary aGk=", {"a": "hi"}),
        (b"a: !!set {b}", {"a": {"b": None}}),
        (b"a: !!pairs [b: c]", {"a": [["b", "c"]]}),
        (b"a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
    ],
)
def test_yaml_becomes_json(text, value):
    """Keys are text, and types that JSON has not become those that it has."""
    assert bodies.parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'["\ud800"]', ["\ufffd"]),
        (rb'{"a\udc00":"b\ud83d"}', {"a\ufffd": "b\ufffd"}),
        (rb'["\ud83d\ude00"]', ["\U0001f600"]),
        (b'["\xff"]', ["\ufffd"]),
    ],
)
def test_what_is_no_unicode_becomes_the_replacement_character(text, value):
    """As in Go, so that it can be written again."""
    assert bodies.parse_json(text) == value


def test_repeated_keys_survive_a_bad_character():
    """Strict field validation wants to hear of both."""
    found = bodies.parse_json(rb'{"a":1,"a":2,"b":"\ud800"}')
    assert found.names == ["a"]


@given(st.binary(max_size=40))
def test_any_bytes_are_parsed_or_refused(text):
    """And what is parsed can be written."""
    for parse in (bodies.parse_json, bodies.parse_yaml):
        with contextlib.suppress(errors.StatusError):
            json.dumps(parse(text), allow_nan=False, ensure_ascii=False).encode()


@given(VALUES)
def test_json_is_read_as_it_was_written(value):
    """By either parser: JSON is YAML."""
    text = json.dumps(value).encode()
    assert bodies.parse_json(text) == value
    assert bodies.parse_yaml(text) == value

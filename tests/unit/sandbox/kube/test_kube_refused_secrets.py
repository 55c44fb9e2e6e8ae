"""Secrets whose content does not fit their type."""

import base64

import pytest


@pytest.mark.parametrize("key", [".dockerconfigjson", ".dockercfg"])
def test_logins_that_are_no_json_are_refused_without_showing_them(refusals, key):
    """The syntax error is told, the content is not."""
    kind = "kubernetes.io/" + key.removeprefix(".")
    data = {key: base64.b64encode(b"hidden").decode()}
    assert refusals.of_create("secrets", {"type": kind, "data": data}) == [
        (
            f'data[{key}]: Invalid value: "<secret contents redacted>": '
            "invalid character 'h' looking for beginning of value"
        )
    ]

"""Secrets: found again in every form, and ordinary text left alone."""

import base64
import html
import json
import logging
import os
import subprocess
import sys
import urllib.parse
from concurrent import futures

import pytest
from hypothesis import given, strategies as st

from azrunbook import secrets

SECRET = 'p/w+ "x"&<canary>=1\\2'


@pytest.mark.parametrize(
    "form",
    [
        lambda s: s,
        json.dumps,
        repr,
        html.escape,
        urllib.parse.quote_plus,
        lambda s: urllib.parse.quote(s, safe=""),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
        lambda s: base64.b64encode(f"u:{s}\n".encode()).decode(),
        lambda s: base64.b64encode(f"{s}-and-more".encode()).decode(),
    ],
)
def test_every_form_of_a_secret_is_masked(form):
    """Escaped, quoted or encoded at any alignment, nothing of the secret's middle is left."""
    secrets.register(SECRET)
    clean = secrets.scrub(f"before {form(SECRET)} after")
    assert "canary" not in clean
    assert base64.b64encode(b"canary").decode()[:6] not in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@given(prefix=st.binary(max_size=5), suffix=st.binary(max_size=5))
def test_base64_of_a_surrounded_secret_keeps_little_of_it(prefix, suffix):
    """Whatever stands around it, at most two characters of the encoded secret survive."""
    secret = b"0123456789abcdefghij"
    secrets.register(secret.decode())
    encoded = base64.b64encode(prefix + secret + suffix).decode()
    kept = len(encoded) - len(secrets.scrub(encoded).replace(secrets.MASK, ""))
    assert kept >= len(base64.b64encode(secret)) - 6


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("Authorization: Bearer abcdefghijklmnopqrstuv", "abcdefghij"),
        ("x eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4eHh4In0.c2lnbmF0dXJl y", "eyJhbGci"),
        ("client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ==", "LS0tLS1C"),
        ('{"client_secret": "abcdefghijklmnop"}', "abcdefghijklmnop"),
        ("postgres://admin:hunter2x@db.example:5432/x", "hunter2x"),
        ("password: tr0ub4dor", "tr0ub4dor"),
        ("PGPASSWORD=x password='s3cretpw'", "s3cretpw"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
        ("-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n-----END RSA PRIVATE KEY-----", "MIIE"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, leak):
    """Tokens, keys and passwords that nobody registered are caught by their form."""
    assert leak not in secrets.scrub(text)
    assert secrets.MASK in secrets.scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "the token expired; log in again",
        "basic checks passed: 4 of 4",
        "https://example.org:8443/path@2x",
        "put aks-multiregion-cluster in eastus (password policy: strict)",
        "/subscriptions/0000/resourceGroups/rg-aks-primary-eastus",
        "git@host.example:project",
    ],
)
def test_ordinary_text_is_left_alone(text):
    """A record that masks ordinary words would be of no use."""
    assert secrets.scrub(text) == text


def test_json_is_scrubbed_in_depth():
    """Values, keys, and whatever stands under a key that names a secret."""
    secrets.register("deep-secret-1")
    value = {"a": ["deep-secret-1", 1, None, True], "deep-secret-1": 2, "password": "anything!"}
    assert secrets.scrub_json(value) == {"a": ["***", 1, None, True], "***": 2, "password": "***"}


def test_a_key_of_several_lines_is_found_line_by_line():
    """A private key printed with other line ends or indentation is still masked."""
    lines = ["a" * 30 + "1", "b" * 30 + "2"]
    secrets.register("\n".join(lines))
    assert secrets.scrub(f"  {lines[0]}\r\n  {lines[1]}") == "  ***\r\n  ***"


def test_a_secret_too_short_to_scrub_is_refused():
    """Masking two letters everywhere would destroy the record; the caller is told."""
    with pytest.raises(ValueError, match="cannot be scrubbed"):
        secrets.register("ab")


def test_log_records_are_scrubbed_with_their_traceback():
    """Arguments and exceptions of a log record are masked before a handler formats them."""
    secrets.register("logged-secret-1")
    try:
        json.loads("", parse_float={}["logged-secret-1"])
    except KeyError:
        record = logging.LogRecord(
            "x", logging.ERROR, "x", 1, "with %s", ("logged-secret-1",), sys.exc_info()
        )
    assert secrets.LogFilter().filter(record)
    assert "logged-secret-1" not in logging.Formatter().format(record)
    assert "KeyError: '***'" in logging.Formatter().format(record)


def test_a_started_process_shares_its_secrets():
    """What a kernel registers is scrubbed by its runner, and is never in a file on disk."""
    descriptor = secrets.share_register()
    try:
        code = "from azrunbook import secrets; secrets.register('of-the-kernel-1')"
        subprocess.run([sys.executable, "-c", code], check=True)
        assert secrets.scrub("is of-the-kernel-1") == "is ***"
        assert os.environ[secrets.SHARED_VARIABLE].startswith("/proc/")
    finally:
        os.close(descriptor)
        del os.environ[secrets.SHARED_VARIABLE]
    assert secrets.scrub("is of-the-kernel-1") == "is ***"


def test_threads_that_scrub_at_once_read_the_shared_register_once(monkeypatch):
    """Steps of a plan tell on threads of their own while another process registers."""
    monkeypatch.setenv(secrets.SHARED_VARIABLE, "")  # taken back at the end
    descriptor = secrets.share_register()
    planted = [f"planted-{number}-{'x' * number}" for number in range(200)]
    try:
        with futures.ThreadPoolExecutor(8) as pool:
            scrubbed = []
            for one in planted:
                os.write(descriptor, json.dumps(one).encode() + b"\n")
                scrubbed += [pool.submit(secrets.scrub, f"it is {one}.") for _ in range(8)]
            assert {one.result() for one in scrubbed} == {"it is ***."}
    finally:
        os.close(descriptor)

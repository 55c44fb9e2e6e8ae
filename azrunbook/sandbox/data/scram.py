"""Password verifiers as PostgreSQL stores them. Pure but for the salt.

A password is turned into its SCRAM-SHA-256 verifier (RFC 5802, RFC 7677) here, so that it appears
in no statement and no server log.
"""

import base64
import hashlib
import hmac
import secrets
import unicodedata

_ITERATIONS = 4096


def make_verifier(password: str) -> str:
    """Return what ``ALTER ROLE … PASSWORD`` takes in place of the password."""
    salt = secrets.token_bytes(16)
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, _ITERATIONS)
    stored = hashlib.sha256(_sign(salted, b"Client Key")).digest()
    server = _sign(salted, b"Server Key")
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *parts)


def _sign(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()

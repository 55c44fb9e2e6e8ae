"""Secrets are registered where they are touched and scrubbed from all that is written or shown.

One register per process, because a secret leaks where nobody expected it: in a traceback, in a log
line of an SDK, in a cell's output. What is registered is found again also base64-encoded (at any
alignment, so inside ``user:password`` too), URL-quoted and escaped. A second net of patterns
catches what nobody registered: tokens, private keys, passwords in URLs and in ``key: value`` text.

The process of a runner and the kernel it started share one register through the file named by
``AZRUNBOOK_SECRETS``: memory of the runner that is gone when the runner is, never a file on disk.
"""

import base64
import functools
import html
import json
import logging
import os
import re
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MASK = "***"
SHARED_VARIABLE = "AZRUNBOOK_SECRETS"
# Shorter ones stand in ordinary text by chance; masking them would destroy the record.
MINIMUM_CHARACTERS = 6
_LONG_LINE_CHARACTERS = 20  # a line of a key that is worth finding on its own

_needles: set[str] = set()
_lock = threading.Lock()
_shared_bytes_read = 0

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL
        ),
        MASK,
    ),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/-]{16,}=*"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)\b(client-key-data|access_?key|account_?key|shared_?access_?key"
            r"|(?:access_|refresh_|id_|bearer_)?token|client_?secret|api_?key)"
            r"(\\?[\"']?\s*[:=]\s*\\?[\"']?)([\w.~+/-]{12,}=*)"
        ),
        rf"\1\2{MASK}",
    ),
    (
        re.compile(
            r"(?i)\b(passw(?:or)?d|pwd)(\\?[\"']?\s*[:=]\s*\\?[\"']?)([^\s\"'\\&,;<>(){}\[\]]{4,})"
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(\w://[^\s/:@\"'<>]+):([^\s/@\"'<>]{3,})@"), rf"\1:{MASK}@"),
)


class Secret:
    """A value that is known to be secret: registered, and shown by nobody by accident.

    ``str``, ``repr`` and a JSON encoder's ``default=str`` give the mask; two are equal when their
    values are.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = register(value)

    def reveal(self) -> str:
        """The value itself, for the one place that hands it on."""
        return self._value

    def __str__(self) -> str:
        return MASK

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def register(secret: str) -> str:
    """Remember a secret, in this process and in the one that shares its register; returns it.

    Raises:
        ValueError: it is so short that masking it would mask ordinary text.
    """
    if len(secret) < MINIMUM_CHARACTERS:
        raise ValueError(
            f"a secret of {len(secret)} characters cannot be scrubbed: expected at least "
            f"{MINIMUM_CHARACTERS}. Use a longer one."
        )
    with _lock:
        if secret in _needles:
            return secret
        _needles.update(_list_forms(secret))
    if shared := os.environ.get(SHARED_VARIABLE):
        _share(shared, secret)
    return secret


def scrub(text: str) -> str:
    """Mask every registered secret in a text, and what looks like one."""
    _read_shared()
    with _lock:
        needles = _compile(len(_needles))
    if needles:
        text = needles.sub(MASK, text)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def scrub_json(value: Any) -> Any:
    """Mask the secrets in all texts of a JSON value, keys included; returns a new value.

    A text under a key that names a secret (``password``) is masked whole.
    """
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {scrub(str(key)): _scrub_member(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [scrub_json(part) for part in value]
    return value


def share_register() -> int:
    """Open the register for processes started from now on; returns a descriptor to be closed.

    Sets ``AZRUNBOOK_SECRETS`` for them. The memory belongs to this process alone: the kernel
    opens it by this process's id, so it is gone when this process is, however it ends.
    """
    global _shared_bytes_read  # noqa: PLW0603 - one register per process
    descriptor = os.memfd_create("azrunbook-secrets")
    _shared_bytes_read = 0
    os.environ[SHARED_VARIABLE] = f"/proc/{os.getpid()}/fd/{descriptor}"
    return descriptor


class LogFilter(logging.Filter):
    """Masks secrets in a log record's message and traceback before any handler sees them."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = scrub(record.getMessage())
        record.args = ()
        if record.exc_info:
            record.exc_text = scrub(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def filter_logs() -> None:
    """Scrub what the root logger's handlers write; adding the filter twice is the same as once."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, LogFilter) for known in handler.filters):
            handler.addFilter(LogFilter())


def _scrub_member(key: str, value: Any) -> Any:
    if isinstance(value, str) and len(value) >= MINIMUM_CHARACTERS and names_secret(key):
        return MASK
    return scrub_json(value)


def names_secret(name: str) -> bool:
    """Whether a key or a parameter of this name holds a secret by its name."""
    return bool(
        re.search(
            r"(?i)(^|[_-])(passw(or)?d|pwd|secret|token|api_?key|client-key-data)$",
            name,
        )
    )


def _list_forms(secret: str) -> Iterator[str]:
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield urllib.parse.quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]
    yield html.escape(secret)
    raw = secret.encode()
    for shift in range(3):
        # The characters of base64 that depend on this secret alone, at each of its alignments.
        encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        first = -(-shift * 8 // 6)
        last = (shift + len(raw)) * 8 // 6
        if last - first >= MINIMUM_CHARACTERS:
            yield encoded[first:last]
            yield encoded[first:last].replace("+", "-").replace("/", "_")
    for line in secret.splitlines():
        if len(line) >= _LONG_LINE_CHARACTERS and line != secret and not line.startswith("-----"):
            yield line


@functools.lru_cache(maxsize=1)
def _compile(_count: int) -> re.Pattern[str] | None:
    """The pattern of so many needles; they only grow, so their number tells a stale one."""
    longest_first = sorted(_needles, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _share(shared: str, secret: str) -> None:
    try:
        with Path(shared).open("ab") as register_file:
            register_file.write(json.dumps(secret).encode() + b"\n")
    except FileNotFoundError:
        return  # the runner is gone, and with it everything that would have been scrubbed


def _read_shared() -> None:
    """Take over what the other process registered since the last look."""
    global _shared_bytes_read  # noqa: PLW0603 - one register per process
    shared = os.environ.get(SHARED_VARIABLE)
    if not shared:
        return
    with _lock:  # steps of a plan tell, and so scrub, on threads of their own
        try:
            with Path(shared).open("rb") as register_file:
                register_file.seek(_shared_bytes_read)
                content = register_file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        _shared_bytes_read += len(whole)
        for line in whole.splitlines():
            _needles.update(_list_forms(json.loads(line)))

"""Instants as Kubernetes writes them; the one place that asks the wall clock."""

import datetime as dt


def now() -> dt.datetime:
    """Return the current instant, UTC-aware."""
    return dt.datetime.now(dt.UTC)


def to_text(instant: dt.datetime) -> str:
    """Write metav1.Time: whole seconds, ``2026-01-02T03:04:05Z``."""
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def to_micro_text(instant: dt.datetime) -> str:
    """Write metav1.MicroTime: microseconds, as leases and logs have it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> dt.datetime:
    """Read either form.

    Raises:
        ValueError: the text is not an RFC 3339 instant.
    """
    return dt.datetime.fromisoformat(text)

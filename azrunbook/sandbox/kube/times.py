"""Instants as the API writes them."""

import datetime as dt


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def stamp(at: dt.datetime | None = None) -> str:
    """`metav1.Time`: whole seconds, UTC."""
    return (at or now()).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(at: dt.datetime | None = None) -> str:
    """`metav1.MicroTime`."""
    return (at or now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> dt.datetime:
    """Read either form; raises ValueError."""
    return dt.datetime.fromisoformat(text)

"""Instants as the API writes them."""

import datetime


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def stamp(at: datetime.datetime | None = None) -> str:
    """`metav1.Time`: whole seconds, UTC."""
    return (at or now()).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(at: datetime.datetime | None = None) -> str:
    """`metav1.MicroTime`."""
    return (at or now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime.datetime:
    """Read either form; raises ValueError."""
    return datetime.datetime.fromisoformat(text)

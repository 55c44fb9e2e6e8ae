"""Deadlines and polling: the only place of the runbook that sleeps.

A duration is a ``timedelta`` or a number of seconds, never a bare number of unknown unit. Waiting
always has a deadline and always tells what it last saw, because "timed out" alone sends a person
to look up what this code already knew.
"""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from azrunbook import errors

_T = TypeVar("_T")


@dataclass(frozen=True)
class Seen(Generic[_T]):
    """What one look showed: the value, whether it is what is waited for, and it in words."""

    value: _T
    is_done: bool
    state: str


def as_timedelta(duration: dt.timedelta | float) -> dt.timedelta:
    """Read a number as seconds."""
    return duration if isinstance(duration, dt.timedelta) else dt.timedelta(seconds=duration)


def wait_until(
    look: Callable[[], Seen[_T]],
    *,
    what: str,
    timeout: dt.timedelta | float,
    interval: dt.timedelta | float = 0.2,
    progress: Callable[[str], None] | None = None,
) -> _T:
    """Look again and again until what is seen is done.

    Args:
        look: one look; an exception it raises ends the wait.
        what: the awaited state in words, for the error ("2 of 2 pods ready in eastus").
        timeout: seconds or timedelta; when it passes, one last look has been taken.
        interval: seconds or timedelta between two looks.
        progress: told each new state once.

    Raises:
        WaitTimeoutError: the deadline passed; carries the last state seen.
    """
    limit = as_timedelta(timeout).total_seconds()
    started = time.monotonic()
    told = ""
    while True:
        seen = look()
        if seen.is_done:
            return seen.value
        if progress and seen.state != told:
            progress(seen.state)
            told = seen.state
        waited = time.monotonic() - started
        if waited >= limit:
            raise errors.WaitTimeoutError(
                f"{what}: not within {limit:g} s (last seen: {seen.state}). "
                "It may still get there; run the step again to keep waiting.",
                waited=dt.timedelta(seconds=waited),
                last_seen=seen.state,
            )
        time.sleep(min(as_timedelta(interval).total_seconds(), limit - waited))

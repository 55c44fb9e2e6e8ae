"""What a series of writes says about the data behind it. Pure: samples and forecasts, no IO.

A write counts as confirmed when it was answered that it is there; what is missing of those after a
promotion was lost, and that is the recovery point as a user would measure it. Writes fail for other
reasons than the data (the edge has not noticed yet that a region is gone), so how long none could
be written is looked for in the time of the promotion only.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from azrunbook import availability

Promote = Literal["planned", "forced", "none"]
# Azure names 120 s at most for a failover within a region and "minutes" for a promotion, without a
# figure; the roles are swapped by the same restart of both servers.
_SWAP_SECONDS = 120.0


@dataclass(frozen=True)
class Write:
    """A confirmed write: its id, when it was due and when it was confirmed, since the epoch."""

    id: str
    at: float
    confirmed_at: float


@dataclass(frozen=True)
class Loss:
    """What a promotion cost.

    ``seconds`` go from the last write kept before the first lost one to the last lost one: the
    recovery point. 0 when nothing is lost.
    """

    confirmed: int
    lost: int
    seconds: float


@dataclass(frozen=True)
class Forecast:
    """What a promotion will cost, (least, most) in seconds.

    Attributes:
        silence: for how long no write is confirmed.
        loss: how far back the last confirmed write that is kept may be.
    """

    silence: tuple[float, float]
    loss: tuple[float, float]


def forecast(promote: Promote, lag_seconds: float | None) -> Forecast:
    """Predict from how late the replica is now; None: it is not told, and taken as up to date.

    A planned promotion waits for what the replica has not received while nothing is written; a
    forced one gives it up.
    """
    lag = lag_seconds or 0.0
    if promote == "planned":
        return Forecast((0.0, lag + _SWAP_SECONDS), (0.0, 0.0))
    return Forecast((0.0, _SWAP_SECONDS), (0.0, lag))


def list_confirmed(samples: Sequence[availability.Sample]) -> list[Write]:
    """The confirmed writes among requests, in the order of their confirmation."""
    found = [
        Write(one.created, one.at, one.at + one.latency_seconds) for one in samples if one.created
    ]
    return sorted(found, key=lambda one: one.confirmed_at)


def measure_loss(confirmed: Sequence[Write], lost_ids: Collection[str]) -> Loss:
    """Judge what is missing."""
    writes = sorted(confirmed, key=lambda one: one.confirmed_at)
    lost = [place for place, one in enumerate(writes) if one.id in lost_ids]
    if not lost:
        return Loss(len(writes), 0, 0.0)
    kept = writes[max(lost[0] - 1, 0)]
    seconds = writes[lost[-1]].confirmed_at - kept.confirmed_at
    return Loss(len(writes), len(lost), seconds)


def find_silence(confirmed: Sequence[Write], since: float, until: float) -> float:
    """The longest time without a confirmation between two instants; all of it if there is none."""
    inside = [one.confirmed_at for one in confirmed if since <= one.confirmed_at <= until]
    edges = [since, *sorted(inside), until]
    return max(later - earlier for earlier, later in itertools.pairwise(edges))

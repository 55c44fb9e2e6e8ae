"""What a series of requests says about availability. Pure: samples in, figures out.

The prober asks at fixed instants, whatever the answers do, so a figure's resolution is one
interval: an outage shorter than that can fall between two requests, and every duration is known
to one interval at best. A request counts at the instant it was due, not when its answer came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HTTP_OK = 200


@dataclass(frozen=True)
class Sample:
    """One request.

    Attributes:
        at: when it was due, seconds since the epoch.
        latency_seconds: until the whole answer was there, or until it failed.
        status: HTTP status, 0 when there was no answer.
        region: which region served it, from the response; empty when it does not say.
        version: of the release that served it.
        pod: that served it.
        error: why there was no answer.
        created: id of what the request made; empty for one that made nothing.
    """

    at: float
    latency_seconds: float
    status: int
    region: str = ""
    version: str = ""
    pod: str = ""
    error: str = ""
    created: str = ""

    @property
    def is_ok(self) -> bool:
        return self.status == HTTP_OK


@dataclass(frozen=True)
class Mark:
    """Something that happened meanwhile: an instant (seconds since the epoch) and its name."""

    at: float
    name: str


@dataclass(frozen=True)
class DownPeriod:
    """Consecutive failed requests: from the first one's instant to the next good one's."""

    started_at: float
    ended_at: float
    failures: int

    @property
    def seconds(self) -> float:
        return self.ended_at - self.started_at


def availability_percent(samples: Sequence[Sample]) -> float:
    """Share of good answers; 0 for none at all, because no evidence is not availability."""
    return 100 * sum(one.is_ok for one in samples) / len(samples) if samples else 0.0


def list_down_periods(samples: Sequence[Sample]) -> list[DownPeriod]:
    """Every run of failures; one that never ended ends with the last request."""
    periods: list[DownPeriod] = []
    failed: list[Sample] = []
    for sample in samples:
        if not sample.is_ok:
            failed.append(sample)
        elif failed:
            periods.append(DownPeriod(failed[0].at, sample.at, len(failed)))
            failed = []
    if failed:
        periods.append(DownPeriod(failed[0].at, samples[-1].at, len(failed)))
    return periods


@dataclass(frozen=True)
class Recovery:
    """An outage as users saw it; seconds count from the first failed request.

    Attributes:
        started_at: first failed request, seconds since the epoch.
        detect_seconds: until the first good answer after it: somebody else had taken over.
        recover_seconds: until the first good answer after the last failure.
        served_by: regions of the answers after recovery.
    """

    started_at: float
    detect_seconds: float
    recover_seconds: float
    served_by: frozenset[str]


def find_recovery(samples: Sequence[Sample]) -> Recovery | None:
    """The outage in the samples; None if nothing failed, or if nothing was good afterwards."""
    failures = [place for place, one in enumerate(samples) if not one.is_ok]
    if not failures or failures[-1] == len(samples) - 1:
        return None
    first, last = failures[0], failures[-1]
    started_at = samples[first].at
    good = next(one.at for one in samples[first:] if one.is_ok)
    after = samples[last + 1 :]
    return Recovery(
        started_at=started_at,
        detect_seconds=good - started_at,
        recover_seconds=after[0].at - started_at,
        served_by=frozenset(one.region for one in after),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile; 0 for no values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def summarize(samples: Sequence[Sample], rate_per_second: float) -> dict[str, Any]:
    """The figures people ask for first, with the resolution they are known to."""
    latencies = [one.latency_seconds for one in samples if one.is_ok]
    return {
        "requests": len(samples),
        "rate_per_second": rate_per_second,
        "resolution_seconds": round(1 / rate_per_second, 3),
        "failed": sum(not one.is_ok for one in samples),
        "availability_percent": round(availability_percent(samples), 3),
        "latency_p50_seconds": round(percentile(latencies, 50), 4),
        "latency_p95_seconds": round(percentile(latencies, 95), 4),
        "served_by": count(one.region or "unknown" for one in samples if one.is_ok),
        "errors": count(one.error or f"HTTP {one.status}" for one in samples if not one.is_ok),
    }


def count(words: Any) -> dict[str, int]:
    """How often each word occurs, the most frequent first."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))

"""When a Job is finished, and how many pods it runs until then.

Law: pure. Source: documentation "Jobs" and k8s.io/kubernetes pkg/controller/job. Not emulated:
podFailurePolicy, successPolicy, backoffLimitPerIndex and podReplacementPolicy.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import moments

Object = dict[str, Any]

FIRST_BACK_OFF_SECONDS, LONGEST_BACK_OFF_SECONDS = 10.0, 600.0


@dataclass(frozen=True)
class Counts:
    """The pods of a Job: running ones and all that ever ended."""

    active: int
    succeeded: int
    failed: int


@dataclass(frozen=True)
class Ending:
    """How a Job ends: condition (Complete or Failed), reason, message."""

    kind: str
    reason: str
    message: str


def find_ending(job: Object, counts: Counts, *, at: dt.datetime) -> Ending | None:
    """The ending that is due now."""
    spec = job["spec"]
    if counts.failed > int(spec.get("backoffLimit", 6)):
        message = "Job has reached the specified backoff limit"
        return Ending("Failed", "BackoffLimitExceeded", message)
    left = seconds_to_deadline(job, at=at)
    if left is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return Ending("Failed", "DeadlineExceeded", message)
    wanted = spec.get("completions")
    if wanted is None:
        is_reached = counts.succeeded > 0 and counts.active == 0
    else:
        is_reached = counts.succeeded >= int(wanted)
    if not is_reached:
        return None
    return Ending("Complete", "CompletionsReached", "Reached expected number of succeeded pods")


def seconds_to_deadline(job: Object, *, at: dt.datetime) -> float | None:
    """Seconds until activeDeadlineSeconds are over; None without a deadline or a start."""
    limit, started = job["spec"].get("activeDeadlineSeconds"), job["status"].get("startTime")
    if limit is None or not started or job["spec"].get("suspend"):
        return None
    return moments.seconds_until(started, plus_seconds=limit, at=at)


def wanted_active(job: Object, counts: Counts) -> int:
    """How many pods should run now."""
    spec = job["spec"]
    parallelism = int(spec.get("parallelism", 1))
    if spec.get("suspend"):
        return 0
    completions = spec.get("completions")
    if completions is None:
        return counts.active if counts.succeeded else parallelism
    return min(parallelism, max(0, int(completions) - counts.succeeded))


def back_off_seconds(failed: int, last_failed_at: str | None, *, at: dt.datetime) -> float:
    """Seconds to wait before a replacement: 10 s after the first failure, doubling, 10 min most."""
    if not failed or not last_failed_at:
        return 0.0
    seconds = min(FIRST_BACK_OFF_SECONDS * 2.0 ** (failed - 1), LONGEST_BACK_OFF_SECONDS)
    return max(0.0, moments.seconds_until(last_failed_at, plus_seconds=seconds, at=at))


def missing_indexes(completions: int, taken: Iterable[int], count: int) -> list[int]:
    """The lowest completion indexes that neither run nor succeeded."""
    held = set(taken)
    return [index for index in range(completions) if index not in held][:count]


def format_indexes(indexes: Iterable[int]) -> str:
    """Indexes as the status has them: `0,2-4`."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(
        str(first) if first == last else f"{first}{',' if last == first + 1 else '-'}{last}"
        for first, last in runs
    )


def parse_indexes(text: str) -> set[int]:
    found: set[int] = set()
    for part in (one for one in text.split(",") if one):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found

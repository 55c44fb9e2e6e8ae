"""When a Job is finished, and how many pods it runs until then.

Law: pure. Source: documentation "Jobs" and k8s.io/kubernetes pkg/controller/job. What a single pod
means for its Job is job_policies.py's.
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
    """The pods of a Job: running ones, those on their way out, and all that ever ended."""

    active: int
    succeeded: int
    failed: int
    terminating: int = 0
    restarts: int = 0
    """Of containers in running pods that restart in place."""


@dataclass(frozen=True)
class Indexes:
    """The completion indexes of an Indexed Job that are done with."""

    succeeded: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()

    @property
    def total(self) -> int:
        return len(self.succeeded) + len(self.failed)


@dataclass(frozen=True)
class Ending:
    """How a Job ends: condition (Complete or Failed), reason, message."""

    kind: str
    reason: str
    message: str

    @property
    def announced(self) -> str:
        """The condition that says so while pods are still on their way out."""
        return "SuccessCriteriaMet" if self.kind == "Complete" else "FailureTarget"


def announced_ending(job: Object) -> Ending | None:
    """The ending that an earlier reconcile has decided on."""
    for condition in job["status"].get("conditions") or ():
        for kind, announced in (("Failed", "FailureTarget"), ("Complete", "SuccessCriteriaMet")):
            if (condition["type"], condition["status"]) == (announced, "True"):
                reason, message = condition.get("reason", ""), condition.get("message", "")
                return Ending(kind, reason, message)
    return None


def find_failure(
    job: Object, counts: Counts, indexes: Indexes, *, at: dt.datetime
) -> Ending | None:
    """The failure that is due now."""
    spec = job["spec"]
    limit = int(spec.get("backoffLimit", 6))
    if counts.failed > limit or _is_past_limit_in_place(job, counts, limit):
        message = "Job has reached the specified backoff limit"
        return Ending("Failed", "BackoffLimitExceeded", message)
    left = seconds_to_deadline(job, at=at)
    if left is not None and left <= 0:
        message = "Job was active longer than specified deadline"
        return Ending("Failed", "DeadlineExceeded", message)
    most = spec.get("maxFailedIndexes")
    if most is not None and len(indexes.failed) > most:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return Ending("Failed", "MaxFailedIndexesExceeded", message)
    if indexes.failed and indexes.total >= int(spec["completions"]):
        return Ending("Failed", "FailedIndexes", "Job has failed indexes")
    return None


def _is_past_limit_in_place(job: Object, counts: Counts, limit: int) -> bool:
    """With restartPolicy OnFailure it is the restarts that count."""
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    return counts.restarts > 0 if limit == 0 else counts.restarts >= limit


def is_reached(job: Object, counts: Counts) -> bool:
    """Whether enough pods have succeeded and none runs any more."""
    wanted = job["spec"].get("completions")
    is_enough = counts.succeeded > 0 if wanted is None else counts.succeeded >= int(wanted)
    return is_enough and counts.active == 0


REACHED = Ending("Complete", "CompletionsReached", "Reached expected number of succeeded pods")


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
    """Seconds to wait before a replacement: 10 s after the first failure, doubling, 10 min most.

    `failed` counts the failures since the last success.
    """
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

"""The status of a Deployment and the conditions that `kubectl rollout status` and Helm read.

Law: pure. Reasons and messages are those of k8s.io/kubernetes pkg/controller/deployment.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from azrunbook.sandbox.kube import times
from azrunbook.sandbox.kube.controllers import access, conditions, moments, revisions

Object = dict[str, Any]

AVAILABLE, PROGRESSING, FAILURE = "Available", "Progressing", "ReplicaFailure"
COMPLETE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
_NO_DEADLINE = 2**31 - 1


def deadline_seconds(deployment: Object) -> int | None:
    """The progress deadline; None when there is none."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == _NO_DEADLINE else int(seconds)


def _total(sets: Iterable[Object], field: str) -> int:
    return sum(int(rs.get("status", {}).get(field) or 0) for rs in sets)


def count(deployment: Object, new: Object | None, old: Iterable[Object], *, at: str) -> Object:
    """The numbers and the Available condition; other conditions are carried over."""
    sets = [*old, *([new] if new else [])]
    wanted = sum(revisions.replicas_of(rs) for rs in sets)
    available = _total(sets, "availableReplicas")
    status = access.compact(
        {
            "observedGeneration": deployment["metadata"].get("generation", 0),
            "replicas": _total(sets, "replicas"),
            "updatedReplicas": _total([new] if new else [], "replicas"),
            "readyReplicas": _total(sets, "readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, wanted - available),
            "collisionCount": deployment.get("status", {}).get("collisionCount", 0),
        }
    )
    status["terminatingReplicas"] = _total(sets, "terminatingReplicas")
    bounds = revisions.bounds_of(deployment)
    is_available = available >= bounds.least_available
    status["conditions"] = with_condition(
        deployment.get("status", {}).get("conditions") or [],
        condition(
            AVAILABLE,
            is_available,
            "MinimumReplicasAvailable" if is_available else "MinimumReplicasUnavailable",
            f"Deployment {'has' if is_available else 'does not have'} minimum availability.",
            at=at,
        ),
    )
    return status


def condition(kind: str, status: bool | str, reason: str, message: str, *, at: str) -> Object:
    made = conditions.condition(kind, status, at=at, reason=reason, message=message)
    return {**made, "lastUpdateTime": at}


def with_condition(present: list[Object], new: Object) -> list[Object]:
    """Set a condition; one of the same status and reason stays as it is."""
    old = conditions.find(present, new["type"])
    if old and (old["status"], old.get("reason")) == (new["status"], new.get("reason")):
        return present
    if old and old["status"] == new["status"]:
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    return [*conditions.without(present, new["type"]), new]


def is_complete(deployment: Object, status: Object) -> bool:
    wanted = revisions.replicas_of(deployment)
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    return all(int(status.get(name) or 0) == wanted for name in fields)


def is_progressing(before: Object, after: Object) -> bool:
    """Whether anything moved towards completion between two statuses."""

    def grew(name: str) -> bool:
        return int(after.get(name) or 0) > int(before.get(name) or 0)

    def outdated(status: Object) -> int:
        return int(status.get("replicas") or 0) - int(status.get("updatedReplicas") or 0)

    grown = any(grew(n) for n in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or outdated(after) < outdated(before)


def has_timed_out(deployment: Object, status: Object, *, at: dt.datetime) -> bool:
    progressing = conditions.find(status["conditions"], PROGRESSING)
    seconds = deadline_seconds(deployment)
    if seconds is None or progressing is None or progressing.get("reason") == COMPLETE:
        return False
    if progressing.get("reason") == TIMED_OUT:
        return True
    since = progressing["lastUpdateTime"]
    return moments.seconds_until(since, plus_seconds=seconds, at=at) < 0


def _find_failure(sets: Iterable[Object]) -> Object | None:
    """The first ReplicaSet's that has one."""
    found = (conditions.find(rs.get("status", {}).get("conditions"), FAILURE) for rs in sets)
    return next((one for one in found if one is not None), None)


def with_progress(
    deployment: Object,
    new: Object | None,
    status: Object,
    *,
    old: Iterable[Object] = (),
    at: dt.datetime,
) -> Object:
    """The status with the Progressing and ReplicaFailure conditions of a rollout."""
    found: list[Object] = status["conditions"]
    if deadline_seconds(deployment) is None:
        found = conditions.without(found, PROGRESSING)
    elif not _stays_complete(status):
        found = _progress(deployment, new, status, at=at)
    failure = _find_failure([*([new] if new else []), *old])
    found = conditions.without(found, FAILURE)
    if failure is not None:
        at_text = failure.get("lastTransitionTime", times.stamp(at))
        found = [*found, {**failure, "lastUpdateTime": at_text}]
    return {**status, "conditions": found}


def _stays_complete(status: Object) -> bool:
    current = conditions.find(status["conditions"], PROGRESSING)
    is_updated = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return is_updated and current is not None and current.get("reason") == COMPLETE


def _progress(
    deployment: Object, new: Object | None, status: Object, *, at: dt.datetime
) -> list[Object]:
    found: list[Object] = status["conditions"]
    text = times.stamp(at)
    who = f'Deployment "{deployment["metadata"]["name"]}"'
    if new is not None:
        who = f'ReplicaSet "{new["metadata"]["name"]}"'
    if is_complete(deployment, status):
        message = f"{who} has successfully progressed."
        return with_condition(found, condition(PROGRESSING, True, COMPLETE, message, at=text))
    if is_progressing(deployment.get("status", {}), status):
        made = condition(PROGRESSING, True, "ReplicaSetUpdated", f"{who} is progressing.", at=text)
        return conditions.replaced(found, made)
    if has_timed_out(deployment, status, at=at):
        message = f"{who} has timed out progressing."
        return with_condition(found, condition(PROGRESSING, False, TIMED_OUT, message, at=text))
    return found


def seconds_to_deadline(deployment: Object, status: Object, *, at: dt.datetime) -> float | None:
    """When to look again whether the rollout is stuck; None when it cannot be."""
    seconds = deadline_seconds(deployment)
    progressing = conditions.find(status.get("conditions"), PROGRESSING)
    if seconds is None or progressing is None or progressing.get("reason") == TIMED_OUT:
        return None
    if is_complete(deployment, status) or deployment["spec"].get("paused"):
        return None
    since = progressing["lastUpdateTime"]
    return max(0.0, moments.seconds_until(since, plus_seconds=seconds, at=at)) + 1

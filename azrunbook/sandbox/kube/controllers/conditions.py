"""Status conditions: find one, set one, drop one.

Law: pure; a list is never changed in place. `lastTransitionTime` moves only when the status does,
as every controller of the real control plane keeps it.
"""

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def find(conditions: Sequence[Object] | None, kind: str) -> Object | None:
    return next((one for one in conditions or () if one.get("type") == kind), None)


def is_true(conditions: Sequence[Object] | None, kind: str) -> bool:
    found = find(conditions, kind)
    return found is not None and found.get("status") == "True"


def without(conditions: Sequence[Object] | None, kind: str) -> list[Object]:
    return [one for one in conditions or () if one.get("type") != kind]


def replaced(conditions: Sequence[Object] | None, condition: Object) -> list[Object]:
    """Put a condition in the place of its type, keeping the transition time of an equal status."""
    old = find(conditions, condition["type"])
    new = dict(condition)
    if old is not None and old.get("status") == new.get("status"):
        new["lastTransitionTime"] = old.get("lastTransitionTime", new.get("lastTransitionTime"))
    if old is None:
        return [*(conditions or ()), new]
    return [new if one.get("type") == new["type"] else one for one in conditions or ()]


def condition(
    kind: str, status: bool | str, *, at: str, reason: str = "", message: str = "", **more: Any
) -> Object:
    """A condition as the wire has it; an empty reason or message is left out."""
    text = status if isinstance(status, str) else str(status)
    made: Object = {"type": kind, "status": text, "lastTransitionTime": at}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return {**made, **more}

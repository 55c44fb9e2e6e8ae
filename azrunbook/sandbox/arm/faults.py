"""Faults on purpose: answers and operations that fail as Azure's sometimes do. No IO.

The host adds rules; the server asks before it answers. A rule counts down and disappears, so a
rehearsal states how often something goes wrong and then sees recovery.
"""

import dataclasses
import fnmatch
import itertools

from azrunbook.sandbox.arm import errors


@dataclasses.dataclass(frozen=True)
class FaultRule:
    """What fails, how, and how many times.

    Attributes:
        path: glob over the request path (for an operation: the resource id), any letter case.
        method: an HTTP method, or ``*``; for an operation: its verb (create, update, delete, …).
        status: the answer's status; None makes the next matching long-running operation fail.
        retry_after_seconds: sent as ``Retry-After`` (below one second as ``retry-after-ms``).
        times: how often, before the rule is gone.
    """

    path: str
    method: str = "*"
    status: int | None = None
    code: str = "InternalServerError"
    message: str = "A fault was injected on purpose."
    retry_after_seconds: float | None = None
    times: int = 1


class Faults:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: dict[str, FaultRule] = {}
        self._ids = itertools.count(1)

    def add(self, rule: FaultRule) -> str:
        """Put a rule in force; returns the id to clear it by."""
        if rule.times < 1:
            raise ValueError(f"times is {rule.times}; expected 1 or more")
        id_ = f"fault-{next(self._ids)}"
        self._rules[id_] = rule
        return id_

    def clear(self, id_: str | None = None) -> None:
        """Drop one rule, or all of them."""
        if id_ is None:
            self._rules.clear()
        else:
            self._rules.pop(id_, None)

    def list(self) -> dict[str, FaultRule]:
        """Return the rules in force by id, with the times that are left."""
        return dict(self._rules)

    def take_answer(self, method: str, path: str) -> errors.ArmError | None:
        """Use up one answer fault for this request."""
        return self._take(method, path, answers=True)

    def take_operation(self, verb: str, resource_id: str) -> errors.ArmError | None:
        """Use up one operation fault for this long-running operation."""
        return self._take(verb, resource_id, answers=False)

    def _take(self, method: str, path: str, *, answers: bool) -> errors.ArmError | None:
        for id_, rule in self._rules.items():
            if (rule.status is not None) == answers and _matches(rule, method, path):
                self._count_down(id_, rule)
                return _error(rule)
        return None

    def _count_down(self, id_: str, rule: FaultRule) -> None:
        if rule.times == 1:
            del self._rules[id_]
        else:
            self._rules[id_] = dataclasses.replace(rule, times=rule.times - 1)


def _matches(rule: FaultRule, method: str, path: str) -> bool:
    return rule.method.lower() in {"*", method.lower()} and fnmatch.fnmatchcase(
        path.lower(), rule.path.lower()
    )


def _error(rule: FaultRule) -> errors.ArmError:
    after = rule.retry_after_seconds
    headers = {} if after is None else errors.retry_headers(after)
    return errors.ArmError(rule.status or 409, rule.code, rule.message, headers=headers)

"""Actions: what a step or its undo does, found by the name that stands in the plan and journal.

A plan is data, so that its undo can be run from the journal by another process. Each procedure
registers its actions with :func:`action`; :func:`get` imports the procedures when it is asked for a
name that it does not know yet, so that an undo finds it in a shell that ran nothing before.
"""

import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from azrunbook import errors, procedures

# Called as action(clients, progress, **arguments) with the arguments of its plan.Step or plan.Undo.
# Idempotent: a step runs again after a kill, an undo runs whatever the step had reached. What it
# returns (a sentence, or None) is recorded as the step's outcome.
Action = Callable[..., str | None]
_A = TypeVar("_A", bound=Action)

ACTIONS: dict[str, Action] = {}


@dataclass
class Progress:
    """What an action tells while it works: call it with a sentence.

    It raises once the step's deadline has passed or the run was stopped, so that an action which
    goes on telling does not go on working.

    Attributes:
        tell: receives each new sentence.
        timeout_seconds: the step's deadline, counted from the construction of this object.
    """

    tell: Callable[[str], None]
    timeout_seconds: float
    _started: float = field(default_factory=time.monotonic)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _last: str = ""

    def __call__(self, message: str) -> None:
        if self._stopped.is_set():
            raise errors.StepError("stopped: the run that started this step has ended")
        if message != self._last:
            self._last = message
            self.tell(message)

    @property
    def last(self) -> str:
        """The last sentence told."""
        return self._last

    @property
    def remaining_seconds(self) -> float:
        """What is left until the deadline: the timeout to give to a wait; never negative."""
        return max(0.0, self._started + self.timeout_seconds - time.monotonic())

    def stop(self) -> None:
        self._stopped.set()


def action(name: str) -> Callable[[_A], _A]:
    """Register a function as the action of this name.

    Raises:
        ValueError: another function has the name.
    """

    def register(function: _A) -> _A:
        known = ACTIONS.get(name)
        if known and known.__module__ != function.__module__:
            raise ValueError(
                f"action '{name}' is defined in {known.__module__} and in {function.__module__}. "
                "This is a bug. Please report."
            )
        ACTIONS[name] = function
        return function

    return register


def get(name: str) -> Action:
    """Find an action.

    Raises:
        NotFoundError: no procedure defines it.
    """
    if name not in ACTIONS:
        for module in pkgutil.iter_modules(procedures.__path__, "azrunbook.procedures."):
            importlib.import_module(module.name)
    if name not in ACTIONS:
        raise errors.NotFoundError(
            f"no action '{name}': expected one of {', '.join(sorted(ACTIONS)) or 'none'}. "
            "A journal of another version of this package may name it; use that version."
        )
    return ACTIONS[name]


def perform(name: str, clients: Any, progress: Progress, arguments: Mapping[str, Any]) -> str:
    """Run an action; returns its outcome in words, possibly none."""
    return get(name)(clients, progress, **arguments) or ""

"""The errors an operator can meet, and what each one promises about the estate.

::

    AzrunbookError
    ├── EstateError          the estate file is wrong             (nothing was touched)
    ├── ParameterError       a notebook parameter is wrong        (nothing was started)
    ├── ConnectError         the target cannot be reached         (nothing was changed)
    ├── PreflightError       the estate is not fit to start       (nothing was changed)
    ├── PlanError            the goal cannot be reached from here (nothing was changed)
    ├── NotFoundError        what was asked for does not exist
    ├── StepError            a step failed; says what was done before it and how to resume
    │   └── WaitTimeoutError the deadline passed; carries what was last seen
    ├── VerifyError          the steps succeeded, the goal is not met
    ├── JournalError         a record is damaged or was changed
    └── CommandError         a binary exited non-zero: command, returncode, stdout, stderr

Messages have four parts, in this order: what is wrong, where, what was expected, what to do next.
The split between "nothing was changed" and :class:`StepError` answers the operator's first
question. Errors of the SDKs are chained (``raise … from error``), never swallowed.
"""

import datetime as dt
from collections.abc import Sequence


class AzrunbookError(Exception):
    """Base of every error this package raises on purpose."""


class EstateError(AzrunbookError):
    """The estate file is wrong; nothing was touched."""


class ParameterError(AzrunbookError):
    """A parameter of a procedure is unknown, of the wrong type or out of range."""


class ConnectError(AzrunbookError):
    """The target cannot be reached, or refuses the credential; nothing was changed."""


class PreflightError(AzrunbookError):
    """The estate is not fit to start; nothing was changed."""


class PlanError(AzrunbookError):
    """The goal cannot be reached from what was observed; nothing was changed."""


class NotFoundError(AzrunbookError):
    """What was asked for by name does not exist."""


class StepError(AzrunbookError):
    """A step failed; earlier steps of the run may have changed the estate."""


class WaitTimeoutError(StepError):
    """A deadline passed before the awaited state was seen.

    Attributes:
        waited: how long was waited.
        last_seen: the last state seen, in words.
    """

    def __init__(self, message: str, *, waited: dt.timedelta, last_seen: str) -> None:
        super().__init__(message)
        self.waited = waited
        self.last_seen = last_seen


class VerifyError(AzrunbookError):
    """Every step succeeded, and still the goal is not met."""


class JournalError(AzrunbookError):
    """A journal is damaged, was changed, or is not of this kind."""


class CommandError(AzrunbookError):
    """A binary exited non-zero.

    Attributes:
        command: the argument list, without secrets (they are never on a command line).
        returncode: the exit status; negative for a signal.
        stdout: what it printed.
        stderr: what it complained.
    """

    def __init__(
        self, command: Sequence[str], returncode: int, stdout: str, stderr: str, hint: str = ""
    ) -> None:
        said = (stderr or stdout).strip() or "it printed nothing"
        super().__init__(
            f"{' '.join(command)} exited with {returncode}: {said}" + (f". {hint}" if hint else "")
        )
        self.command = tuple(command)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr

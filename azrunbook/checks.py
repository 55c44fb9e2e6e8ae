"""Checks: a criterion, what was found, and whether that is enough.

A check returns a :class:`CheckResult` and never raises for a bad state; :func:`require` raises.
Nothing here looks at the world: procedures observe, and hand over what they found.
"""

import html
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from azrunbook import errors


@dataclass(frozen=True)
class CheckResult:
    """One verdict with its evidence.

    Attributes:
        name: what is checked, three or four words.
        passed: whether the criterion is met.
        criterion: what was expected, in words.
        found: what was seen, in words.
        advice: what to do when it failed.
    """

    name: str
    passed: bool
    criterion: str
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class CheckTable(tuple[CheckResult, ...]):
    """Check results that show as a table in a notebook and in a terminal."""

    __slots__ = ()

    @property
    def passed(self) -> bool:
        """Whether there is at least one check and all passed: no evidence is not a pass."""
        return bool(self) and all(result.passed for result in self)

    def __str__(self) -> str:
        return "\n".join(
            f"{'ok    ' if result.passed else 'FAILED'} {result.name}: {result.found} "
            f"(expected {result.criterion})"
            + (f". {result.advice}" if result.advice and not result.passed else "")
            for result in self
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr class='{'pass' if result.passed else 'fail'}'>"
            + "".join(
                f"<td>{html.escape(text)}</td>"
                for text in (
                    "passed" if result.passed else "FAILED",
                    result.name,
                    result.criterion,
                    result.found,
                    "" if result.passed else result.advice,
                )
            )
            + "</tr>"
            for result in self
        )
        head = "".join(
            f"<th>{title}</th>" for title in ("", "check", "expected", "found", "what to do")
        )
        return f"<table class='checks'><tr>{head}</tr>{rows}</table>"


def look(
    name: str, criterion: str, check: Callable[[], CheckResult], advice: str = ""
) -> CheckResult:
    """Make a check whose look at the world may itself fail; that is a failed check, not an error.

    Only this package's own errors count as found; anything else is a bug and is raised.
    """
    try:
        return check()
    except errors.AzrunbookError as error:
        return CheckResult(name, passed=False, criterion=criterion, found=str(error), advice=advice)


def require(
    results: Iterable[CheckResult], error: type[errors.AzrunbookError] = errors.PreflightError
) -> CheckTable:
    """Return the results as a table.

    Raises:
        error: at least one failed, or there were none; the message lists what failed and what to
            do about it.
    """
    table = CheckTable(results)
    if not table.passed:
        failed = CheckTable(result for result in table if not result.passed)
        raise error(str(failed) if table else "no check was made: this is a bug, please report")
    return table

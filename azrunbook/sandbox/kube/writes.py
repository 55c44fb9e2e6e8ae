"""One write as it travels: who does it, how strictly it is read, what is warned about."""

from collections.abc import Callable
from dataclasses import dataclass

from azrunbook.sandbox.kube.identity import SYSTEM, User

CONTROLLER = "azrunbook-controller"


def ignore_warning(_text: str) -> None:
    """For writes whose warnings nobody reads: those of controllers."""


@dataclass(frozen=True)
class Write:
    """`field_validation` is Strict, Warn or Ignore; `warn` takes one warning's text."""

    manager: str = CONTROLLER
    user: User = SYSTEM
    dry_run: bool = False
    field_validation: str = "Ignore"
    force: bool = False
    warn: Callable[[str], None] = ignore_warning

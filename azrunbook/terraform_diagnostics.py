"""What terraform says went wrong (``-json``), in sentences with a way out. Pure.

Format: https://developer.hashicorp.com/terraform/internals/machine-readable-ui, versions 1.x, the
same in OpenTofu.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azrunbook import secrets

_LOCKED = "Error acquiring the state lock"
_STALE = "Saved plan is stale"
_NO_PROVIDER = ("Failed to query available provider packages", "Failed to install provider")
_LOCK = re.compile(r"^\s*(ID|Who|Operation|Created):\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning of terraform, in its own words."""

    is_error: bool
    summary: str
    detail: str
    place: str

    def __str__(self) -> str:
        detail = " ".join(self.detail.split())
        return f"{self.summary}{f' ({self.place})' if self.place else ''}: {detail}".rstrip(": ")


def read(one: Mapping[str, Any]) -> Diagnostic:
    """Of a line of ``-json``, or of what ``validate -json`` lists."""
    place = one.get("range") or {}
    where = f"{place['filename']}:{place['start']['line']}" if place else one.get("address", "")
    return Diagnostic(one["severity"] == "error", one["summary"], one.get("detail", ""), where)


def is_stale(found: Sequence[Diagnostic]) -> bool:
    """Whether a saved plan was refused because the state changed after it."""
    return any(one.summary == _STALE for one in found)


def explain(found: Sequence[Diagnostic], name: str, folder: Path) -> str:
    """What terraform said; of a lock, who holds it and what to do. Without secrets."""
    held = next((one.detail for one in found if one.summary == _LOCKED), None)
    if held is None:
        return secrets.scrub("; ".join(str(one) for one in found))
    lock = dict(_LOCK.findall(held))
    return (
        f"its state is locked by {lock.get('Who', 'somebody')} since "
        f"{lock.get('Created', 'some time')} ({lock.get('Operation', 'an unknown operation')}). "
        "Expected nobody else to be at it: wait until that one has ended. If it is gone and left "
        f"its lock: {name} -chdir={folder} force-unlock {lock.get('ID', 'ID')}"
    )


def explain_init(found: Sequence[Diagnostic], name: str, folder: Path) -> str:
    """Why a folder cannot be initialized; of a provider that cannot be had, how to get one."""
    said = explain(found, name, folder)
    if not any(one.summary in _NO_PROVIDER for one in found):
        return f"{folder} cannot be initialized: {said}. Nothing was changed."
    return (
        f"the providers of {folder} cannot be installed on this machine: {said}. Expected a "
        f"registry that answers, or a mirror: run '{name} providers mirror DIR' where one does, "
        "copy DIR here and name it as filesystem_mirror in the file of TF_CLI_CONFIG_FILE. Or use "
        "the engine that needs no provider: --engine arm. Nothing was changed."
    )

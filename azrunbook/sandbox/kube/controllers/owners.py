"""Owner references: who controls an object, and which objects a controller may claim.

Law: pure. A controller adopts an orphan that its selector matches and releases what no longer
matches; it never touches what another one controls (ControllerRefManager).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


def find_controller(obj: Object) -> Object | None:
    """The owner reference with `controller: true`."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((one for one in references if one.get("controller")), None)


def is_controlled_by(obj: Object, owner: Object) -> bool:
    controller = find_controller(obj)
    return controller is not None and controller["uid"] == owner["metadata"]["uid"]


def reference_to(owner: Object, *, api_version: str, kind: str) -> Object:
    """A controlling owner reference that blocks the owner's foreground deletion."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


@dataclass(frozen=True)
class Claim:
    """What a controller owns now, what it should adopt and what it should release."""

    owned: tuple[Object, ...]
    adopt: tuple[Object, ...]
    release: tuple[Object, ...]


def plan_claim(
    owner: Object, candidates: Iterable[Object], *, is_match: Callable[[Object], bool]
) -> Claim:
    """Sort candidates of the owner's namespace; an owner being deleted adopts nothing."""
    owned: list[Object] = []
    adopt: list[Object] = []
    release: list[Object] = []
    is_leaving = "deletionTimestamp" in owner["metadata"]
    for obj in candidates:
        controller = find_controller(obj)
        if controller is None:
            is_gone = "deletionTimestamp" in obj["metadata"]
            if is_match(obj) and not is_leaving and not is_gone:
                adopt.append(obj)
        elif controller["uid"] == owner["metadata"]["uid"]:
            if is_match(obj):
                owned.append(obj)
            elif not is_leaving:
                release.append(obj)
    return Claim(tuple(owned), tuple(adopt), tuple(release))

"""JSON patches (RFC 6902) that take additions out of a live object, and put them back. Pure.

An addition is known by steps: names of fields, and the keys of items of lists, because a list's
items move. The places are looked up in the object as it is; every item on the way is tested again
by the API server, so that a patch never hits another item than the one that was meant.
"""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azrunbook import errors, live_drift

Operation = dict[str, Any]


@dataclass
class _Walk:
    """Where the steps led: the container that is there, its pointer, and the steps left."""

    place: Any
    pointer: str
    left: tuple[Any, ...]
    tests: list[Operation] = field(default_factory=list)


def list_removals(
    live: live_drift.Object, additions: Iterable[live_drift.Addition]
) -> list[Operation]:
    """Take additions out; those that are gone already are passed over.

    Raises:
        StepError: something is there that was not when the plan was made.
    """
    work, found = copy.deepcopy(dict(live)), list[Operation]()
    for one in additions:
        walk = _walk(work, one.steps)
        if len(walk.left) > 1 or (index := _find(walk.place, walk.left[0])) is None:
            continue
        if walk.place[index] != one.value:
            raise errors.StepError(
                f"{one.path} of {live['kind']} {live['metadata']['name']} has changed since the "
                "plan was made: expected what the plan shows. Run the audit again."
            )
        pointer = f"{walk.pointer}/{_escape(index)}"
        found += [*walk.tests, {"op": "test", "path": pointer, "value": one.value}]
        found.append({"op": "remove", "path": pointer})
        del walk.place[index]
    return found


def list_returns(
    live: live_drift.Object, additions: Iterable[live_drift.Addition]
) -> list[Operation]:
    """Put additions back where they were, unless something is there."""
    work, found = copy.deepcopy(dict(live)), list[Operation]()
    for one in additions:
        walk = _walk(work, one.steps)
        step, *rest = walk.left
        if _find(walk.place, step) is not None:
            continue
        value = one.value
        for inner in reversed(rest):
            value = [value] if isinstance(inner, Mapping) else {inner: value}
        end = "-" if isinstance(walk.place, list) else _escape(step)
        found += [*walk.tests, {"op": "add", "path": f"{walk.pointer}/{end}", "value": value}]
        if isinstance(walk.place, list):
            walk.place.append(value)
        else:
            walk.place[step] = value
    return found


def _walk(live: Any, steps: tuple[Any, ...]) -> _Walk:
    """Follow the steps but the last one as far as there is something."""
    walk = _Walk(live, "", steps)
    while len(walk.left) > 1 and (index := _find(walk.place, walk.left[0])) is not None:
        walk.pointer += f"/{_escape(index)}"
        if isinstance(walk.left[0], Mapping):
            walk.tests += [
                {"op": "test", "path": f"{walk.pointer}/{_escape(name)}", "value": value}
                for name, value in walk.left[0].items()
            ]
        walk.place, walk.left = walk.place[index], walk.left[1:]
    return walk


def _find(place: Any, step: Any) -> Any:
    """The key or index of a step; None when nothing is there."""
    if isinstance(step, Mapping):
        return next(
            (number for number, item in enumerate(place or ()) if step.items() <= item.items()),
            None,
        )
    return step if place.get(step) is not None else None


def _escape(part: Any) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")

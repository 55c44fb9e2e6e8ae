"""What a live Kubernetes object is that its manifest does not say, and who made it so. Pure.

What the manifest states is compared: the API server adds defaults, status and allocations, which
are nobody's drift. Quantities are compared by value, empty and absent are the same, lists of
things with a key are compared by key. Who changed a field is read from ``metadata.managedFields``,
where the API server writes the manager and the time of the last write that set the field; it
keeps nothing about what was deleted. The same record tells what was added: a field that the
manifest does not state, and that somebody owns who is neither the release nor a controller.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook import forecast, secrets

Object = Mapping[str, Any]
HIDDEN = "(hidden)"
_OTHER = "(hidden, another value)"
# What the server writes in another form than it was given.
_QUANTITIES = frozenset({"requests", "limits", "hard", "capacity", "averageValue", "sizeLimit"})
# Written by the server where the manifest leaves them empty, or not read by it at all.
_IGNORED = frozenset({"status", "creationTimestamp"})
# Held by controllers over objects of others; and what kubectl keeps for itself, or leaves behind
# when it restarts pods: neither configures anything.
_HOLDS = frozenset({"finalizers", "ownerReferences"})
_NOTES = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "kubectl.kubernetes.io/restartedAt",
        "kubernetes.io/change-cause",
    }
)
# Managers whose fields are no drift: the release's and this runbook's own, and by their names those
# of controllers (kube-controller-manager, cloud-node-manager, vpa-admission-controller, …).
_OWN = frozenset({"helm", "azrunbook", "kubelet", "cluster-autoscaler"})
_CONTROLLER = re.compile(r"^(kube|cloud|aks|azure)-|controller|operator")
_FILLED = frozenset({"clusterIP"})
# By which an item of a list is known; the first one that all items have, each another one.
_KEYS = ("name", "mountPath", "containerPort", "port", "key", "type", "ip", "uid")


@dataclass(frozen=True)
class Author:
    """Who wrote a field last: its manager's name, and when (RFC 3339; empty when not told)."""

    manager: str
    at: str

    def __str__(self) -> str:
        return f"{self.manager} at {self.at}" if self.at else self.manager


@dataclass(frozen=True)
class Difference:
    """One field: where, what the manifest states, what is there (None: nothing), and by whom."""

    path: str
    declared: Any
    actual: Any
    author: Author | None


@dataclass(frozen=True)
class Addition:
    """One field or list item that somebody added.

    Attributes:
        steps: where, as JSON: names of fields, and the keys of items of lists.
        value: what is there, or :data:`HIDDEN`.
    """

    path: str
    steps: tuple[Any, ...]
    value: Any
    author: Author


def compare(declared: Object, live: Object) -> tuple[Difference, ...]:
    """List the fields of the manifest's object that are not so in the live one."""
    is_secret = declared.get("kind") == "Secret"
    wanted = _merge_string_data(declared) if is_secret else declared
    found = []
    for steps, stated, actual in _differences(wanted, live, ()):
        author = find_author(live, steps)
        if _is_hidden(steps, is_secret=is_secret):
            hidden = None if actual is None else _OTHER
            found.append(Difference(_say(steps), HIDDEN, hidden, author))
        else:
            found.append(Difference(_say(steps), stated, actual, author))
    return tuple(found)


def list_additions(declared: Object, live: Object) -> tuple[Addition, ...]:
    """List what the manifest does not state and somebody else owns."""
    is_secret = declared.get("kind") == "Secret"
    wanted = _merge_string_data(declared) if is_secret else declared
    found: dict[str, Addition] = {}
    for entry in (live.get("metadata") or {}).get("managedFields") or ():
        author = _read_author(entry)
        if entry.get("subresource") or _is_known(author.manager):
            continue
        for steps, said, value in _added(entry.get("fieldsV1") or {}, wanted, live, (), ()):
            shown = HIDDEN if _is_hidden(said, is_secret=is_secret) else value
            one = Addition(_say(said), steps, shown, author)
            found[one.path] = max(found.get(one.path, one), one, key=lambda other: other.author.at)
    return tuple(found.values())


def find_stranger(live: Object) -> Author | None:
    """Who made an object that no release states; None: a release, a controller, or its owner.

    The first of those who set something in it; nobody can be told from what a controller keeps.
    """
    metadata = live.get("metadata") or {}
    entries = [one for one in metadata.get("managedFields") or () if not one.get("subresource")]
    strangers = [one for one in map(_read_author, entries) if not _is_known(one.manager)]
    if metadata.get("ownerReferences"):
        return None
    return min(strangers, key=lambda one: one.at, default=None)


def _is_hidden(steps: Sequence[Any], *, is_secret: bool) -> bool:
    """What a Secret holds, and a variable whose name says that it is one."""
    if is_secret and steps[:1] == ("data",):
        return True
    named = [step.get("name") for step in steps if isinstance(step, Mapping)]
    return any(secrets.names_secret(str(name)) for name in named if name)


def _is_known(manager: str) -> bool:
    return manager.lower() in _OWN or bool(_CONTROLLER.search(manager.lower()))


def _added(
    fields: Mapping[str, Any],
    stated: Any,
    actual: Any,
    steps: tuple[Any, ...],
    said: tuple[Any, ...],
) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...], Any]]:
    """Walk a set of owned fields along the manifest and what is there."""
    for name, inner in fields.items():
        kind, _, rest = name.partition(":")
        if kind == "f" and isinstance(actual, Mapping) and actual.get(rest) is not None:
            if rest in _HOLDS | _NOTES | _IGNORED:
                continue
            known, value = (stated or {}).get(rest), actual[rest]
            if inner and set(inner) != {"."}:
                yield from _added(inner, known, value, (*steps, rest), (*said, rest))
            elif known is None:
                yield (*steps, rest), (*said, rest), value
        elif kind == "k" and isinstance(actual, list):
            key = json.loads(rest)
            item = _find(actual, key)
            known = _find([one for one in stated or () if isinstance(one, Mapping)], key)
            if item is not None and known is None:
                yield (*steps, key), (*said, item), item
            elif item is not None:
                yield from _added(inner, known, item, (*steps, key), (*said, item))


def _find(items: Iterable[Mapping[str, Any]], key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Find the item of a key; what a manifest leaves out of it (``protocol``) is the default."""
    return next(
        (one for one in items if all(one.get(name, value) == value for name, value in key.items())),
        None,
    )


def find_author(live: Object, steps: Sequence[Any]) -> Author | None:
    """Who wrote a field last; a step is a field's name or an item of a list.

    A field that is gone has no owner any more: None.
    """
    entries = (live.get("metadata") or {}).get("managedFields") or ()
    owners = [_read_author(one) for one in entries if _owns(one.get("fieldsV1") or {}, steps)]
    return max(owners, key=lambda one: one.at, default=None)


def _read_author(entry: Mapping[str, Any]) -> Author:
    return Author(str(entry.get("manager", "")), str(entry.get("time", "")))


def _owns(fields: Mapping[str, Any], steps: Sequence[Any]) -> bool:
    """Whether a set of fields holds a path, or the atomic thing that the path leads into."""
    for step in steps:
        if not fields or set(fields) == {"."}:
            return True
        inner = _find_item(fields, step) if isinstance(step, Mapping) else fields.get(f"f:{step}")
        if inner is None:
            return False
        fields = inner
    return True


def _find_item(fields: Mapping[str, Any], item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for name, inner in fields.items():
        if name.startswith("k:") and json.loads(name[2:]).items() <= item.items():
            return dict(inner)
    return None


def _differences(
    stated: Any, actual: Any, steps: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    if isinstance(stated, Mapping) and isinstance(actual or {}, Mapping):
        for key, value in stated.items():
            if not (key in _IGNORED or _is_left_to_server(key, value)):
                yield from _differences(value, (actual or {}).get(key), (*steps, key))
    elif isinstance(stated, list) and (key := _find_key(stated)):
        there = {one.get(key): one for one in actual or () if isinstance(one, Mapping)}
        for item in stated:
            live = there.get(item[key])
            if live is None:
                yield (*steps, item), item, None
            else:
                yield from _differences(item, live, (*steps, live))
    elif not _is_same(stated, actual, steps):
        yield steps, stated, actual


def _is_left_to_server(key: str, value: Any) -> bool:
    return value is None or (key in _FILLED and value == "")


def _find_key(items: list[Any]) -> str | None:
    """What the items of a list are known by; None for a list that is one value."""
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _KEYS:
        values = [str(item[key]) for item in items if item.get(key) is not None]
        if len(values) == len(set(values)) == len(items):
            return key
    return None


def _is_same(stated: Any, actual: Any, steps: tuple[Any, ...]) -> bool:
    if isinstance(stated, list) and isinstance(actual, list):
        return len(stated) == len(actual) and not any(
            True
            for one, other in zip(stated, actual, strict=True)
            for _ in _differences(one, other, steps)
        )
    if actual is None:
        return not stated  # an empty value is left out by the server
    if stated == actual:
        return True
    if _QUANTITIES & {step for step in steps if isinstance(step, str)}:
        return _is_same_quantity(stated, actual)
    return False


def _is_same_quantity(stated: Any, actual: Any) -> bool:
    try:
        return forecast.parse_quantity(stated) == forecast.parse_quantity(actual)
    except ValueError:
        return False


def _merge_string_data(declared: Object) -> Object:
    """A Secret as the server keeps it: what it was given as text is in ``data``, too."""
    text = declared.get("stringData") or {}
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in text.items()}
    rest = {key: value for key, value in declared.items() if key != "stringData"}
    return {**rest, "data": {**(declared.get("data") or {}), **encoded}}


def _say(steps: Sequence[Any]) -> str:
    """``spec.template.spec.containers[app].image``."""
    said = ""
    for step in steps:
        if isinstance(step, Mapping):
            key = next((one for one in _KEYS if step.get(one) is not None), "")
            said += f"[{step[key]}]" if key else "[]"
        else:
            said += f".{step}" if said else str(step)
    return said

"""Who owns which fields: `metadata.managedFields`, kept as the real server keeps it.

Law: pure. Two writes know it: an update takes over what it changed, an apply owns what it says and
may not change what another manager owns (unless forced).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from azrunbook.sandbox.kube import errors, fieldsets
from azrunbook.sandbox.kube.fieldsets import FieldSet, Path
from azrunbook.sandbox.kube.shapes import Shape

Object = dict[str, Any]
SYSTEM_FIELDS: tuple[Path, ...] = (
    ("f:apiVersion",),
    ("f:kind",),
    *(
        ("f:metadata", "f:" + name)
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        )
    ),
    ("f:metadata", "."),
)
MAXIMUM_UPDATERS = 10


@dataclass(frozen=True)
class Entry:
    """One manager's fields."""

    manager: str
    operation: str
    api_version: str
    fields: FieldSet
    time: str = ""
    subresource: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return (self.manager, self.operation, self.api_version, self.subresource)

    def to_json(self) -> Object:
        found: Object = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": self.fields,
        }
        if self.subresource:
            found["subresource"] = self.subresource
        return found


def read(obj: Mapping[str, Any]) -> list[Entry]:
    """The entries of an object."""
    return [
        Entry(
            manager=part.get("manager", ""),
            operation=part.get("operation", "Update"),
            api_version=part.get("apiVersion", ""),
            fields=part.get("fieldsV1") or {},
            time=part.get("time", ""),
            subresource=part.get("subresource", ""),
        )
        for part in obj["metadata"].get("managedFields") or []
    ]


def write(obj: Object, entries: Sequence[Entry]) -> None:
    """Put the entries into the object: applies first, then by time and name."""
    kept = [entry for entry in entries if entry.fields]
    kept.sort(key=lambda entry: (entry.operation, entry.time, *entry.identity))
    updaters = [entry for entry in kept if entry.operation == "Update"]
    for entry in updaters[: max(0, len(updaters) - MAXIMUM_UPDATERS)]:
        kept.remove(entry)
    if kept:
        obj["metadata"]["managedFields"] = [entry.to_json() for entry in kept]
    else:
        obj["metadata"].pop("managedFields", None)


@dataclass
class Comparison:
    """What a write changes: fields set or added, and fields gone."""

    changed: FieldSet
    removed: FieldSet


def compare(shape: Shape, old: Any, new: Any) -> Comparison:
    """Compare two objects of one shape field by field."""
    changed, removed = _compare(shape, old, new)
    return Comparison(strip(changed or {}), strip(removed or {}))


def strip(fields: FieldSet, paths: Sequence[Path] = SYSTEM_FIELDS) -> FieldSet:
    """The set without the fields that have no owner."""
    for path in paths:
        fields = fieldsets.without(fields, path) or {}
    return fields


Sets = tuple[FieldSet | None, FieldSet | None]


def _compare(shape: Shape, old: Any, new: Any) -> Sets:
    if old == new:
        return None, None
    if not fieldsets.is_granular(shape, new) and not fieldsets.is_granular(shape, old):
        return ({}, None) if new is not None else (None, {})
    if isinstance(new, dict) and (old is None or isinstance(old, dict)):
        return _compare_maps(shape, old or {}, new)
    if isinstance(new, list) and (old is None or isinstance(old, list)):
        return _compare_lists(shape, old or [], new)
    return _present(shape, new), _gone(shape, old)


def _compare_maps(shape: Shape, old: Object, new: Object) -> Sets:
    changed: FieldSet = {}
    removed: FieldSet = {}
    for key, value in new.items():
        field = fieldsets.child(shape, key)
        if key not in old:
            changed["f:" + key] = _present(field, value)
            continue
        inner, gone = _compare(field, old[key], value)
        if inner is not None:
            changed["f:" + key] = inner
        if gone is not None:
            removed["f:" + key] = gone
    for key, value in old.items():
        if key not in new:
            removed["f:" + key] = _gone(fieldsets.child(shape, key), value)
    return changed or None, removed or None


def _compare_lists(shape: Shape, old: list[Any], new: list[Any]) -> Sets:
    before = {fieldsets.key_of(shape, item): item for item in old}
    changed: FieldSet = {}
    removed: FieldSet = {}
    for item in new:
        key = fieldsets.key_of(shape, item)
        element = shape.element
        assert element is not None  # noqa: S101 - a list that is a map or a set has a shape
        if key not in before:
            changed[key] = _present(element, item, is_item=True)
            continue
        inner, gone = _compare(element, before.pop(key), item)
        if inner is not None:
            changed[key] = inner
        if gone is not None:
            removed[key] = gone
    for key, item in before.items():
        removed[key] = _gone(shape.element, item) if shape.element else {}
    return changed or None, removed or None


def _present(shape: Shape, value: Any, *, is_item: bool = False) -> FieldSet:
    """A value that was not there: itself and all below it."""
    if not fieldsets.is_granular(shape, value) or (not value and not is_item):
        return {}
    found: FieldSet = {fieldsets.SELF: {}}
    if isinstance(value, dict):
        for key, part in value.items():
            found["f:" + key] = _present(fieldsets.child(shape, key), part)
    elif shape.element is not None:
        for item in value:
            found[fieldsets.key_of(shape, item)] = _present(shape.element, item, is_item=True)
    return {} if found == {fieldsets.SELF: {}} else found


_gone = _present


def after_update(
    entries: Sequence[Entry], comparison: Comparison, writer: Entry, *, ignored: Sequence[Path]
) -> list[Entry]:
    """Ownership after an update by `writer` (whose fields are ignored)."""
    changed = strip(comparison.changed, ignored)
    own = next((part for part in entries if part.identity == writer.identity), None)
    others = _take_over(entries, comparison, writer)
    fields = (
        fieldsets.union(own.fields, changed)
        if own and changed
        else (own.fields if own else changed)
    )
    rest = fieldsets.difference(fields, comparison.removed) if comparison.removed else fields
    if own is not None and rest == own.fields:
        return [*others, own]
    if not rest:
        return others
    return [*others, replace(writer, fields=rest)]


def _take_over(entries: Sequence[Entry], comparison: Comparison, writer: Entry) -> list[Entry]:
    """The other managers without what was changed or removed."""
    found = []
    for entry in entries:
        if entry.identity == writer.identity:
            continue
        fields: FieldSet | None = entry.fields
        for lost in (comparison.changed, comparison.removed):
            if fields and lost:
                fields = fieldsets.difference(fields, lost)
        if fields:
            found.append(entry if fields == entry.fields else replace(entry, fields=fields))
    return found


def check_conflicts(entries: Sequence[Entry], comparison: Comparison, writer: Entry) -> None:
    """Raise StatusError 409 if the apply changes what others own."""
    conflicts: list[tuple[Entry, str]] = []
    for entry in sorted(entries, key=lambda part: part.identity):
        if entry.identity == writer.identity or not comparison.changed:
            continue
        both = fieldsets.intersection(entry.fields, comparison.changed)
        if both is not None:
            conflicts += [(entry, show_path(path)) for path in sorted(fieldsets.leaves(both))]
    if conflicts:
        raise _conflict_error(conflicts)


def _conflict_error(conflicts: Sequence[tuple[Entry, str]]) -> errors.StatusError:
    causes = [
        errors.Cause("FieldManagerConflict", f"conflict with {_show_manager(entry)}", path)
        for entry, path in conflicts
    ]
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        lines: list[str] = []
        for entry, path in conflicts:
            title = f"conflicts with {_show_manager(entry)}:"
            if title not in lines:
                lines.append(title)
            lines.append(f"- {path}")
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    details = {"causes": [cause.to_json() for cause in causes]}
    return errors.StatusError(409, "Conflict", message, details)


def _show_manager(entry: Entry) -> str:
    text = json.dumps(entry.manager)
    if entry.subresource:
        text += f' with subresource "{entry.subresource}"'
    if entry.operation == "Update":
        text += f" using {entry.api_version}"
    return text


def show_path(path: Path) -> str:
    """`.spec.containers[name="c"].image` for a path of a field set."""
    text = ""
    for key in path:
        kind, _, rest = key.partition(":")
        if kind == "f":
            text += "." + rest
        elif kind == "k":
            parts = [f"{name}={json.dumps(value)}" for name, value in json.loads(rest).items()]
            text += "[" + ",".join(parts) + "]"
        else:
            text += f"[={rest}]"
    return text

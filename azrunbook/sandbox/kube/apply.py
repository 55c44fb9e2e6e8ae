"""Server-side apply: merge what a manager says into the live object, prune what it no longer says.

Law: pure. Ownership is `managed_fields`; this is the value side of it.
"""

import json
from collections.abc import Sequence
from typing import Any

from azrunbook.sandbox.kube import errors, fieldsets, managed_fields, shapes
from azrunbook.sandbox.kube.fieldsets import FieldSet
from azrunbook.sandbox.kube.managed_fields import Entry
from azrunbook.sandbox.kube.shapes import Form, Shape

Object = dict[str, Any]


def check_typed(shape: Shape, value: Any, path: str = "") -> list[str]:
    """What the schema does not allow in an applied configuration, as typed conversion says it."""
    if shape.form is Form.STRUCT and isinstance(value, dict):
        found: list[str] = []
        for key, part in value.items():
            if key in shape.fields:
                found += check_typed(shape.fields[key], part, f"{path}.{key}")
            elif not shape.keeps_unknown:
                found.append(f"{path}.{key}: field not declared in schema")
        return found
    if shape.form is Form.MAP and isinstance(value, dict):
        element = shape.element or shapes.ANY
        return [c for k, v in value.items() for c in check_typed(element, v, f"{path}.{k}")]
    if shape.form is Form.LIST and isinstance(value, list):
        return _check_list(shape, value, path)
    expected = EXPECTED.get(shape.form)
    if expected is None or value is None:
        return []
    word, kinds = expected
    fits = isinstance(value, kinds) and (isinstance(value, bool) is (shape.form is Form.BOOLEAN))
    return [] if fits else [f"{path}: expected {word}, got {_go_value(value)}"]


EXPECTED: dict[Form, tuple[str, tuple[type, ...]]] = {
    Form.STRING: ("string", (str,)),
    Form.BYTES: ("string", (str,)),
    Form.INTEGER: ("numeric (int or float)", (int, float)),
    Form.NUMBER: ("numeric (int or float)", (int, float)),
    Form.BOOLEAN: ("boolean", (bool,)),
    Form.STRUCT: ("map", (dict,)),
    Form.MAP: ("map", (dict,)),
    Form.LIST: ("list", (list,)),
}


def _go_value(value: Any) -> str:
    """A value as the schema library prints it."""
    shown = json.dumps(value, separators=(",", ":"))
    return f"&value.valueUnstructured{{Value:{shown}}}"


NO_KEYS = "k:{}"


def _check_list(shape: Shape, value: list[Any], path: str) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()
    element = shape.element or shapes.ANY
    for index, item in enumerate(value):
        where = f"{path}[{index}]"
        if shape.list_type in ("map", "set"):
            key = fieldsets.key_of(shape, item)
            if key == NO_KEYS:
                keys = " ".join(f'"{name}"' for name in shape.map_keys)
                found.append(
                    f"{path}: element {index}: associative list with keys has an element that "
                    f"omits all key fields [{keys}] (and doesn't have default values for any key "
                    "fields)"
                )
                continue
            where = path + managed_fields.show_path((key,))
            if key in seen:
                found.append(f"{path}: duplicate entries for key {where[len(path) :]}")
            seen.add(key)
        found += check_typed(element, item, where)
    return found


def merge(shape: Shape, live: Any, applied: Any) -> Any:
    """The live value with the applied one merged in."""
    if not fieldsets.is_granular(shape, applied) or live is None:
        return applied
    if isinstance(applied, dict) and isinstance(live, dict):
        found = dict(live)
        for key, value in applied.items():
            field = fieldsets.child(shape, key)
            found[key] = merge(field, live.get(key), value)
        return found
    if isinstance(applied, list) and isinstance(live, list):
        return _merge_lists(shape, live, applied)
    return applied


def _merge_lists(shape: Shape, live: list[Any], applied: list[Any]) -> list[Any]:
    """Items of both in the applied order; items of the live list alone stay where they were."""
    element = shape.element or shapes.ANY
    before = {fieldsets.key_of(shape, item): item for item in live}
    wanted = {fieldsets.key_of(shape, item): item for item in applied}
    order = list(wanted)
    position = 0
    found: list[Any] = []
    for key, item in before.items():
        if key not in wanted:
            found.append(item)
            continue
        if key not in order[position:]:
            continue
        stop = order.index(key) + 1
        found += [merge(element, before.get(name), wanted[name]) for name in order[position:stop]]
        position = stop
    found += [merge(element, before.get(name), wanted[name]) for name in order[position:]]
    return found


def prune(shape: Shape, value: Any, last: FieldSet, owned: FieldSet) -> Any:
    """Take out what the manager said last time and nobody says now."""
    if isinstance(value, dict):
        found = {}
        for key, part in value.items():
            name = "f:" + key
            below = last.get(name)
            if name in last and name not in owned and (not below or "." in below):
                continue
            field = fieldsets.child(shape, key)
            # Of what is below, only what was said goes: nobody ever owns an object's name.
            left = prune(field, part, below, owned.get(name, {})) if below else part
            if left or not part:
                found[key] = left
        return found
    if isinstance(value, list) and fieldsets.is_granular(shape, value):
        element, keys = shape.element or shapes.ANY, shape.map_keys
        items = []
        for item in value:
            name = fieldsets.key_of(shape, item)
            if name in last and name not in owned:
                continue
            below = last.get(name)
            left = prune(element, item, below, owned.get(name, {})) if below else item
            if isinstance(left, dict):  # an item that somebody else holds on to keeps its keys
                left = {**{key: item[key] for key in keys if key in item}, **left}
            items.append(left)
        return items
    return value


def apply(
    shape: Shape,
    live: Object | None,
    applied: Object,
    writer: Entry,
    *,
    base: Object,
    ignored: Sequence[fieldsets.Path],
    force: bool,
) -> tuple[Object, list[Entry]]:
    """The merged object and the ownership after it; raises StatusError 409.

    `live` is None for an object that is created by this apply; `base` is its empty form.
    """
    entries = managed_fields.read(live) if live is not None else []
    fields = managed_fields.strip(fieldsets.from_value(shape, applied))
    fields = managed_fields.strip(fields, ignored)
    own = next((part for part in entries if part.identity == writer.identity), None)
    merged = merge(shape, live if live is not None else base, applied)
    if own is not None:
        owned = fields
        for entry in entries:
            if entry is not own:
                owned = fieldsets.union(owned, entry.fields) if owned else entry.fields
        merged = prune(shape, merged, own.fields, owned)
    if live is not None:
        entries = _settle(shape, live, merged, entries, writer, force=force)
    if own is not None and own.fields == fields:
        return merged, [*(part for part in entries if part.identity != own.identity), own]
    others = [part for part in entries if part.identity != writer.identity]
    return merged, [*others, Entry(**{**vars(writer), "fields": fields})]


def _settle(
    shape: Shape,
    live: Object,
    merged: Object,
    entries: Sequence[Entry],
    writer: Entry,
    *,
    force: bool,
) -> list[Entry]:
    comparison = managed_fields.compare(shape, live, merged)
    if not force:
        managed_fields.check_conflicts(entries, comparison, writer)
    return managed_fields.after_update(entries, comparison, writer, ignored=())


def typed_error(obj: Object, complaints: Sequence[str]) -> errors.StatusError:
    """What the real server says about an applied configuration that does not fit the schema."""
    metadata = obj.get("metadata") or {}
    name = metadata.get("name", "")
    namespace = metadata.get("namespace", "")
    where = f"{namespace}/{name}; {obj.get('apiVersion')}, Kind={obj.get('kind')}"
    text = complaints[0] if len(complaints) == 1 else "errors:\n  " + "\n  ".join(complaints)
    message = f"failed to create typed patch object ({where}): {text}"
    return errors.StatusError(500, "", message)

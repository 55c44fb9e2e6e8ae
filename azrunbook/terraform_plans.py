"""Terraform's own account of a plan (``show -json``) as the runbook's :class:`plan.Plan`. Pure.

What is sensitive to Terraform is sensitive here: it shows as ``(sensitive)``, and its texts are
collected for the caller to register. Format: https://developer.hashicorp.com/terraform/internals/
json-format, versions 1.x, the same in OpenTofu.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from azrunbook import errors, plan

SENSITIVE = "(sensitive)"
UNKNOWN = "(known after apply)"
_ACTIONS: Mapping[tuple[str, ...], plan.Action] = {
    ("no-op",): "no_change",
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}


def read_plan(shown: Mapping[str, Any], title: str, engine: str) -> plan.Plan:
    """Translate a shown plan; data sources that are read are no changes and are left out.

    The plan's id of a resource is Azure's where it exists, and Terraform's address where not.

    Raises:
        PlanError: an action that this version does not know; nothing may be applied then.
    """
    changes = tuple(
        _read_change(one)
        for one in shown.get("resource_changes", ())
        if one["mode"] == "managed" and one["change"]["actions"] not in (["read"], ["forget"])
    )
    return plan.Plan(title=title, changes=changes, notes=tuple(_list_notes(shown, engine)))


def list_taken_in(shown: Mapping[str, Any]) -> Iterator[str]:
    """Addresses of what exists already and is imported into the state."""
    for one in shown.get("resource_changes", ()):
        if one["change"].get("importing"):
            yield one["address"]


def list_sensitive(shown: Mapping[str, Any]) -> Iterator[str]:
    """Every text of a shown plan that Terraform calls sensitive."""
    for one in (*shown.get("resource_changes", ()), *shown.get("output_changes", {}).values()):
        change = one.get("change", one)
        for side in ("before", "after"):
            yield from list_texts(change.get(side), change.get(f"{side}_sensitive"))


def list_texts(value: Any, mask: Any) -> Iterator[str]:
    """The texts of a value that its mask (true, or a shape with true in it) covers."""
    if mask is True:
        yield from _walk_texts(value)
    elif isinstance(mask, Mapping) and isinstance(value, Mapping):
        for key, part in mask.items():
            yield from list_texts(value.get(key), part)
    elif isinstance(mask, list) and isinstance(value, list):
        for part, item in zip(mask, value, strict=False):
            yield from list_texts(item, part)


def _walk_texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _walk_texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _walk_texts(part)
    elif isinstance(value, str):
        yield value


def _read_change(one: Mapping[str, Any]) -> plan.Change:
    change = one["change"]
    actions = tuple(change["actions"])
    if actions not in _ACTIONS:
        raise errors.PlanError(
            f"{one['address']}: unknown action {list(actions)}, expected one of "
            f"{[list(known) for known in _ACTIONS]}. Nothing was changed; use another version of "
            "terraform."
        )
    known = {**(change.get("before") or {}), **(change.get("after") or {})}
    before = _mask(change.get("before"), change.get("before_sensitive"))
    after = _mask(
        _lay_unknown(change.get("after"), change.get("after_unknown")),
        change.get("after_sensitive"),
    )
    is_changed = actions not in {("no-op",), ("delete",)}
    return plan.Change(
        action=_ACTIONS[actions],
        type=one["type"],
        name=str(known.get("name") or one["address"]),
        region=str(known.get("location") or "global"),
        id=str((change.get("before") or {}).get("id") or one["address"]),
        properties=tuple(_list_differences(before, after, "")) if is_changed else (),
    )


def _mask(value: Any, mask: Any) -> Any:
    if mask is True:
        return None if value is None else SENSITIVE
    if isinstance(mask, Mapping) and isinstance(value, Mapping):
        return {key: _mask(part, mask.get(key)) for key, part in value.items()}
    if isinstance(mask, list) and isinstance(value, list):
        padded = [*mask, *[False] * (len(value) - len(mask))]
        return [_mask(item, part) for item, part in zip(value, padded, strict=False)]
    return value


def _lay_unknown(value: Any, unknown: Any) -> Any:
    """Put what Terraform does not know yet where it will be."""
    if unknown is True:
        return UNKNOWN
    if isinstance(unknown, Mapping) and isinstance(value, Mapping | None):
        known = value or {}
        laid = {key: _lay_unknown(known.get(key), part) for key, part in unknown.items()}
        return {**known, **{key: part for key, part in laid.items() if part not in ({}, [])}}
    if isinstance(unknown, list) and isinstance(value, list):
        padded = [*unknown, *[False] * (len(value) - len(unknown))]
        return [_lay_unknown(item, part) for item, part in zip(value, padded, strict=False)]
    return value


def _list_differences(before: Any, after: Any, path: str) -> Iterator[plan.PropertyChange]:
    if isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping):
        old, new = before or {}, after or {}
        for key in dict.fromkeys((*old, *new)):
            inner = f"{path}.{key}" if path else str(key)
            yield from _list_differences(old.get(key), new.get(key), inner)
    elif before == SENSITIVE == after:
        return  # whether it differs is not to be seen either
    elif before != after:
        yield plan.PropertyChange(path, before, after)


def _list_notes(shown: Mapping[str, Any], engine: str) -> Iterator[str]:
    drifted = [one["address"] for one in shown.get("resource_drift", ())]
    if drifted:
        yield f"changed outside of {engine} since its last run: {', '.join(drifted)}"
    if taken_in := list(list_taken_in(shown)):
        yield (
            f"Azure has {len(taken_in)} resources that are not in the state of {engine}: applying "
            "takes them in"
        )
    outputs = [
        name
        for name, change in shown.get("output_changes", {}).items()
        if change["actions"] != ["no-op"]
    ]
    if outputs:
        yield f"outputs that change: {', '.join(outputs)}"

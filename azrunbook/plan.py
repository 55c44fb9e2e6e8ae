"""Plans: what would change, and the steps that change it, as values.

A plan is decided purely from facts and then applied without further decisions. Its hash binds an
approval to what was shown: the same changes and steps give the same hash on every machine. A step
and its undo name an action and its JSON arguments, so that another shell, after this process was
killed, can still run the undo from the journal.
"""

import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Action = Literal["create", "update", "replace", "delete", "no_change"]
SIGNS: Mapping[Action, str] = {
    "create": "+",
    "update": "~",
    "replace": "±",
    "delete": "-",
    "no_change": " ",
}


@dataclass(frozen=True)
class PropertyChange:
    """One property: where, what it is now, what it shall be (None: absent)."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Change:
    """What happens to one resource, release or object."""

    action: Action
    type: str
    name: str
    region: str
    id: str = ""
    properties: tuple[PropertyChange, ...] = ()


@dataclass(frozen=True)
class Undo:
    """How to take one step back: an action's name and its JSON arguments."""

    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        name: unique within the plan, shown to people ("stop cluster in eastus").
        group: one cell of a notebook; groups run in order, steps of a group at once (the two
            regions) but for ``after``.
        after: names of steps of the same group that must be done first.
        action: name of an action of ``procedures.actions``.
        arguments: JSON arguments of the action.
        undo: written to the journal before the step starts; run in reverse order on undo.
        timeout_seconds: the step's deadline.
    """

    name: str
    group: str
    action: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    undo: tuple[Undo, ...] = ()
    after: tuple[str, ...] = ()
    timeout_seconds: float = 1800


@dataclass(frozen=True)
class Plan:
    """Changes to show and steps to take.

    ``notes`` are sentences a person should read before applying (impact, predictions).
    """

    title: str
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 over changes and steps, hexadecimal."""
        content = {
            "changes": [asdict(change) for change in self.changes],
            "steps": [asdict(step) for step in self.steps],
        }
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_empty(self) -> bool:
        """Whether applying would change nothing."""
        return all(change.action == "no_change" for change in self.changes)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of steps in order, each once."""
        return tuple(dict.fromkeys(step.group for step in self.steps))

    def list_steps(self, group: str) -> Sequence[Step]:
        return [step for step in self.steps if step.group == group]

    def as_dict(self) -> dict[str, Any]:
        """The shape ``azrunbook plan --json`` prints: hash and changes first."""
        return {
            "title": self.title,
            "hash": self.hash,
            "changes": [asdict(change) for change in self.changes],
            "steps": [asdict(step) for step in self.steps],
            "notes": list(self.notes),
        }

    def summarize(self) -> str:
        """Count the changes by action: ``4 to create, 1 to update, 9 unchanged``."""
        words = {
            "create": "to create",
            "update": "to update",
            "replace": "to replace",
            "delete": "to delete",
            "no_change": "unchanged",
        }
        counts = {
            action: sum(change.action == action for change in self.changes) for action in words
        }
        return ", ".join(f"{n} {words[a]}" for a, n in counts.items() if n) or "nothing to change"

    def __str__(self) -> str:
        lines = [f"{self.title}: {self.summarize()} (plan {self.hash[:12]})"]
        for change in self.changes:
            line = f"  {SIGNS[change.action]} {change.type} {change.name} [{change.region}]"
            if change.action == "create":  # all of it is new: to be read in the JSON, or the file
                lines.append(f"{line} ({len(change.properties)} properties)")
                continue
            lines.append(line)
            lines += [
                f"      {one.path}: {_show(one.before)} -> {_show(one.after)}"
                for one in change.properties
            ]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr class='{change.action}'><td>{SIGNS[change.action]} "
            f"{change.action.replace('_', ' ')}</td><td>{html.escape(change.type)}</td>"
            f"<td>{html.escape(change.name)}</td><td>{html.escape(change.region)}</td>"
            f"<td>{_properties_html(change)}</td></tr>"
            for change in self.changes
        )
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return (
            f"<p><b>{html.escape(self.title)}</b>: {self.summarize()} "
            f"<code>plan {self.hash[:12]}</code></p>"
            "<table class='plan'><tr><th>action</th><th>type</th><th>name</th><th>region</th>"
            f"<th>properties</th></tr>{rows}</table><ul>{notes}</ul>"
        )


def _show(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, default=str)


def _properties_html(change: Change) -> str:
    shown = "<br>".join(_property_html(one) for one in change.properties)
    if change.action != "create" or not shown:
        return shown
    count = len(change.properties)
    return f"<details><summary>{count} properties</summary>{shown}</details>"


def _property_html(one: PropertyChange) -> str:
    shown = f"{one.path}: {_show(one.before)} → {_show(one.after)}"
    return f"<code>{html.escape(shown)}</code>"

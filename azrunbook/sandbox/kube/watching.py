"""Watching: a collection's history as a stream of events for one scope.

Law: keeps a position, never a queue. An object that starts or stops matching the selectors is
ADDED or DELETED for this watcher, whatever happened to it.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube import conversion, fields, selectors
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.store import Change, Collection, Store

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: type ADDED, MODIFIED or DELETED, and the object."""

    type: str
    object: Object


class Scope:
    """Which objects a list or watch is about; raises StatusError 400 for a bad selector."""

    def __init__(
        self,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self.labels = selectors.label_predicate(label_selector)
        self.fields = fields.field_predicate(resource, field_selector)

    def matches(self, obj: Object | None) -> bool:
        """Whether a stored object is in the scope, its namespace aside."""
        if obj is None:
            return False
        if self.labels is not None and not self.labels(obj):
            return False
        return self.fields is None or self.fields(obj)

    def type_of(self, change: Change) -> str | None:
        """What the change is for this scope; None if it is none of its business."""
        if self.namespace is not None and change.key[0] != self.namespace:
            return None
        was, is_now = self.matches(change.before), self.matches(change.after)
        if is_now:
            return "MODIFIED" if was else "ADDED"
        return "DELETED" if was else None


class Cursor:
    """A position in a collection's history."""

    def __init__(self, collection: Collection, position: int) -> None:
        self.collection = collection
        self.position = position

    def take(self) -> list[Change]:
        """All changes since the last call; raises StatusError 410 if they are gone."""
        changes = self.collection.changes_from(self.position)
        self.position += len(changes)
        return changes

    async def wait(self) -> None:
        """Return once there is something to take."""
        await self.collection.wait_beyond(self.position)


def cursor(store: Store, scope: Scope, since: int | None) -> Cursor:
    """A cursor behind a version, or at the end; raises StatusError 410."""
    collection = store.collection(scope.resource.storage)
    position = collection.end() if since is None else collection.position_after(since)
    return Cursor(collection, position)


def select(scope: Scope, changes: list[Change]) -> Iterator[Event]:
    """The events of a scope among changes."""
    for change in changes:
        kind = scope.type_of(change)
        if kind is not None:
            yield Event(kind, conversion.to_version(scope.resource, change.last))


def events(store: Store, scope: Scope, *, since: int | None, initial: bool) -> AsyncIterator[Event]:
    """Events from this call on, not from the first `anext`."""
    existing: list[Object] = []
    if since is None and initial:
        existing = [
            conversion.to_version(scope.resource, obj)
            for obj in store.list_all(scope.resource.storage, scope.namespace)
            if scope.matches(obj)
        ]
    return _stream(scope, cursor(store, scope, since), existing)


async def _stream(scope: Scope, position: Cursor, existing: list[Object]) -> AsyncIterator[Event]:
    for obj in existing:
        yield Event("ADDED", obj)
    existing.clear()
    while True:
        await position.wait()
        for event in select(scope, position.take()):
            yield event

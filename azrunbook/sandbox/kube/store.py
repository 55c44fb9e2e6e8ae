"""The objects and their history: one version counter, collections, changes to watch.

Law: knows nothing of kinds, schemas or HTTP; objects go in and out as they are and are never
changed in place, so they are shared instead of copied.
A watcher is a position in a collection's history, not a queue: a client that never reads costs
nothing and, once the history has moved on, is told 410 as by the real server.
"""

import asyncio
import bisect
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from azrunbook.sandbox.kube import errors

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace ("" when the resource has none) and name; sorts as the real server lists."""

HISTORY_MINIMUM = 1000
HISTORY_MAXIMUM = 50_000
HISTORY_SECONDS = 60.0


@dataclass(eq=False, slots=True)
class Change:
    """One write: what was there before (None: nothing) and after (None: it was deleted)."""

    revision: int
    key: Key
    before: Object | None
    after: Object | None
    last: Object
    """The object to show: after a deletion the last state, with the deletion's version."""
    at: float
    encoded: dict[Any, bytes] = field(default_factory=dict)
    """Serialized once per representation, whoever watches."""


class Collection:
    """The objects of one resource, in the order of their keys, and their recent history."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.keys: list[Key] = []
        self.history: list[Change] = []
        self.dropped = 0
        """How many changes have left the history: the index of its first one."""
        self.compacted_revision = 0
        self._sleepers: list[asyncio.Future[None]] = []

    def record(self, change: Change) -> None:
        if change.before is None:
            bisect.insort(self.keys, change.key)
        if change.after is None:
            del self.objects[change.key]
            del self.keys[bisect.bisect_left(self.keys, change.key)]
        else:
            self.objects[change.key] = change.after
        self.history.append(change)
        if len(self.history) > HISTORY_MINIMUM * 2:
            self._trim(change.at)
        self._wake()

    def _trim(self, now: float) -> None:
        excess = len(self.history) - HISTORY_MAXIMUM
        for index, change in enumerate(self.history):
            is_recent = now - change.at < HISTORY_SECONDS
            if index >= excess and (is_recent or index >= len(self.history) - HISTORY_MINIMUM):
                break
        if index:
            self.compacted_revision = self.history[index - 1].revision
            del self.history[:index]
            self.dropped += index

    def _wake(self) -> None:
        sleepers, self._sleepers = self._sleepers, []
        for sleeper in sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def wait_beyond(self, position: int) -> None:
        """Return once there is a change at or after this index."""
        while position >= self.dropped + len(self.history):
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.append(sleeper)
            try:
                await sleeper
            finally:
                if sleeper in self._sleepers:
                    self._sleepers.remove(sleeper)

    def end(self) -> int:
        return self.dropped + len(self.history)

    def position_after(self, revision: int) -> int:
        """The index of the first change later than this version; raises StatusError 410."""
        if revision < self.compacted_revision:
            raise errors.too_old(revision, self.compacted_revision)
        found = bisect.bisect_right(self.history, revision, key=lambda change: change.revision)
        return self.dropped + found

    def changes_from(self, position: int) -> list[Change]:
        """The changes from this index on; raises StatusError 410 if they are gone."""
        if position < self.dropped:
            raise errors.too_old(position, self.compacted_revision)
        return self.history[position - self.dropped :]

    def range(self, namespace: str | None) -> Iterator[Key]:
        """The keys of one namespace, or all."""
        if namespace is None:
            return iter(self.keys)
        first = bisect.bisect_left(self.keys, (namespace, ""))
        return itertools.takewhile(
            lambda key: key[0] == namespace, itertools.islice(self.keys, first, None)
        )


class Store:
    """All collections of one cluster behind one version counter."""

    def __init__(self) -> None:
        self.revision = 1
        self._collections: dict[str, Collection] = {}

    def collection(self, name: str) -> Collection:
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection()
        return found

    def find(self, name: str, key: Key) -> Object | None:
        return self.collection(name).objects.get(key)

    def list_all(self, name: str, namespace: str | None = None) -> list[Object]:
        collection = self.collection(name)
        if namespace is None:
            return [collection.objects[key] for key in collection.keys]
        return [collection.objects[key] for key in collection.range(namespace)]

    def list_at(self, name: str, namespace: str | None, revision: int) -> list[Object]:
        """The list as it was at an earlier version; raises StatusError 410 if that is too old."""
        collection = self.collection(name)
        position = collection.position_after(revision)
        earlier: dict[Key, Object | None] = {}
        for change in collection.changes_from(position):
            earlier.setdefault(change.key, change.before)
        if not earlier:
            return self.list_all(name, namespace)
        then = {**collection.objects, **earlier}
        return [
            found
            for key in sorted(then)
            if (found := then[key]) is not None and namespace in (None, key[0])
        ]

    def put(self, name: str, key: Key, obj: Object) -> Object:
        """Write an object; returns it with its new version. The caller gives the object away."""
        revision = self._next()
        obj["metadata"]["resourceVersion"] = str(revision)
        self._record(name, key, obj, obj, revision)
        return obj

    def delete(self, name: str, key: Key) -> Object:
        """Remove an object; returns its last state with the version of its deletion."""
        before = self.collection(name).objects[key]
        revision = self._next()
        metadata = {**before["metadata"], "resourceVersion": str(revision)}
        last = {**before, "metadata": metadata}
        self._record(name, key, None, last, revision)
        return last

    def _next(self) -> int:
        self.revision += 1
        return self.revision

    def _record(
        self, name: str, key: Key, after: Object | None, last: Object, revision: int
    ) -> None:
        collection = self.collection(name)
        before = collection.objects.get(key)
        now = time.monotonic()
        collection.record(Change(revision, key, before, after, last, now))

    def drop(self, name: str) -> None:
        """Forget a collection whose resource is no longer served."""
        self._collections.pop(name, None)

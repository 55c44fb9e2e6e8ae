"""The work queue and reconcile loop that every controller runs on.

Law: watch-driven. Nothing polls: a controller runs when an object it watches changed, when it
asked to be called again after some seconds, or when it failed and its back-off is over. An idle
cluster has no timer ticking and uses no CPU. Reconciling is synchronous, so that one reconcile
sees and writes one consistent state; between two the event loop gets its turn.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from azrunbook.sandbox.kube import errors, registry, resources

Object = dict[str, Any]
Key = tuple[str, str]  # namespace ("" for cluster-scoped objects), name

FIRST_BACK_OFF_SECONDS = 0.01
LONGEST_BACK_OFF_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Change:
    """One watch event with the state the object had before it (None when first seen)."""

    type: str
    object: Object
    previous: Object | None

    @property
    def states(self) -> tuple[Object, ...]:
        """Both states, for controllers that must hear of a label that went away."""
        return (self.object,) if self.previous is None else (self.object, self.previous)


@dataclass(frozen=True)
class Watch:
    """A resource to watch and the keys that one of its changes makes due."""

    resource: resources.Resource
    keys: Callable[[Change], Iterable[Key]]


class Controller(Protocol):
    """What the loop needs of a controller."""

    name: str

    def watches(self) -> Sequence[Watch]: ...

    def reconcile(self, key: Key) -> float | None:
        """Bring one object to what it should be; seconds after which to be called again."""


def own_key(change: Change) -> list[Key]:
    """The key of the changed object itself."""
    return [key_of(change.object)]


def key_of(obj: Object) -> Key:
    return (str(obj["metadata"].get("namespace") or ""), str(obj["metadata"]["name"]))


@dataclass
class WorkQueue:
    """Keys due now, each once, in order of arrival; and timers for those due later."""

    _ready: deque[Key] = field(default_factory=deque)
    _known: set[Key] = field(default_factory=set)
    _timers: dict[Key, asyncio.TimerHandle] = field(default_factory=dict)
    _failures: dict[Key, int] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key) -> None:
        if key not in self._known:
            self._known.add(key)
            self._ready.append(key)
            self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Make the key due later; an earlier timer of the same key is kept."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() + max(seconds, 0.0)
        old = self._timers.get(key)
        if old is not None:
            if old.when() <= due_at:
                return
            old.cancel()
        self._timers[key] = loop.call_at(due_at, self._ring, key)

    def add_failed(self, key: Key) -> float:
        """Make the key due after its next back-off; returns the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        seconds = min(FIRST_BACK_OFF_SECONDS * 2.0**failures, LONGEST_BACK_OFF_SECONDS)
        self.add_after(key, seconds)
        return seconds

    def forget_failures(self, key: Key) -> None:
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Wait for the next due key. Its timer is dropped: the reconcile decides anew."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = self._ready.popleft()
        self._known.discard(key)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        return key

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)


Listeners = list[tuple[WorkQueue, Watch]]


class Loop:
    """Runs controllers over one registry: one watch per resource, one worker per controller."""

    def __init__(self, store: registry.Registry, controllers: Sequence[Controller]) -> None:
        self._registry = store
        self._controllers = controllers
        self._tasks: list[asyncio.Task[None]] = []
        self._queues: list[WorkQueue] = []
        self._watches: dict[str, tuple[resources.Resource, asyncio.Task[None]]] = {}
        self._generation = -1

    async def start(self) -> None:
        """Start watching; every object that exists is reconciled once."""
        for controller in self._controllers:
            queue = WorkQueue()
            self._queues.append(queue)
            self._run(_work(controller, queue), f"controller {controller.name}")
        self._watch_resources()
        self._run(self._follow_table(), "watch of the resource table")

    async def _follow_table(self) -> None:
        """Some controllers watch every kind there is: look again when one comes or goes."""
        definitions = self._registry.resources.get(
            "apiextensions.k8s.io", "customresourcedefinitions"
        )
        while True:
            try:
                async for _ in self._registry.watch(definitions):
                    self._watch_resources()
            except errors.StatusError as error:
                log.info("the watch of definitions starts again: %s", error)
            await asyncio.sleep(FIRST_BACK_OFF_SECONDS)

    def _watch_resources(self) -> None:
        if self._generation == self._registry.resources.generation:
            return
        self._generation = self._registry.resources.generation
        listeners: dict[str, Listeners] = {}
        for controller, queue in zip(self._controllers, self._queues, strict=True):
            for watch in controller.watches():
                heard_by = listeners.setdefault(watch.resource.storage, [])
                heard_by.append((queue, watch))
        served = {storage: heard_by[0][1].resource for storage, heard_by in listeners.items()}
        for storage, (resource, task) in list(self._watches.items()):
            if served.get(storage) is not resource:  # withdrawn, or defined anew
                task.cancel()
                del self._watches[storage]
        for storage, heard_by in listeners.items():
            if storage not in self._watches:
                task = self._run(self._watch(heard_by), f"watch of {storage}")
                self._watches[storage] = (served[storage], task)

    async def stop(self) -> None:
        """End every task and timer; objects stay as they are."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for queue in self._queues:
            queue.close()
        self._tasks.clear()
        self._queues.clear()
        self._watches.clear()
        self._generation = -1

    def _run(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.append(task)
        return task

    async def _watch(self, listeners: Listeners) -> None:
        resource = listeners[0][1].resource
        seen: dict[Key, Object] = {}
        while True:
            try:
                await self._follow(resource, seen, listeners)
            except errors.StatusError as error:
                log.info("the watch of %s starts again: %s", resource.plural, error)
            except Exception:  # a watch that ended would leave every controller of it blind
                log.exception("the watch of %s failed. This is a bug.", resource.plural)
            await asyncio.sleep(FIRST_BACK_OFF_SECONDS)

    async def _follow(
        self, resource: resources.Resource, seen: dict[Key, Object], listeners: Listeners
    ) -> None:
        """One watch from its start; what went while none was open is said to be deleted first."""
        stream = self._registry.watch(resource)
        if seen:
            there = {key_of(obj) for obj in self._registry.list(resource)}
            for key in [key for key in seen if key not in there]:
                _dispatch("DELETED", seen[key], seen, listeners)
        async for event in stream:
            _dispatch(event.type, event.object, seen, listeners)


def _dispatch(
    kind: str,
    obj: Object,
    seen: dict[Key, Object],
    listeners: Listeners,
) -> None:
    if kind == "BOOKMARK":
        return
    key = key_of(obj)
    change = Change(kind, obj, seen.get(key))
    if kind == "DELETED":
        seen.pop(key, None)
    else:
        seen[key] = obj
    for queue, watch in listeners:
        try:
            for due in watch.keys(change):
                queue.add(due)
        except Exception:  # one listener's mistake must not deafen the others
            log.exception("a %s of %s was not understood. This is a bug.", kind, key)


async def _work(controller: Controller, queue: WorkQueue) -> None:
    while True:
        key = await queue.get()
        _reconcile(controller, queue, key)
        await asyncio.sleep(0)


def _reconcile(controller: Controller, queue: WorkQueue, key: Key) -> None:
    """Run one reconcile; whatever goes wrong in it costs that key a back-off, nothing else."""
    try:
        again_seconds = controller.reconcile(key)
    except errors.StatusError as error:
        seconds = queue.add_failed(key)
        log.debug("%s %s: %s; again in %.2f s", controller.name, key, error, seconds)
    except Exception:
        seconds = queue.add_failed(key)
        log.exception("%s %s failed; again in %.2f s", controller.name, key, seconds)
    else:
        queue.forget_failures(key)
        if again_seconds is not None:
            queue.add_after(key, again_seconds)

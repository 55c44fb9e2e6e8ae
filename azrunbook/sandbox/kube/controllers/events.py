"""Events as a cluster writes them: counted, combined, limited, forgotten after an hour.

Law: an event never fails what it reports on; if it cannot be written it is dropped, as by the
real recorder. Source: client-go tools/record (EventCorrelator) and tools/events (scheduler).
"""

import datetime as dt
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from azrunbook.sandbox.kube import errors, registry, times
from azrunbook.sandbox.kube.controllers import loop, moments

Object = dict[str, Any]

LIFETIME_SECONDS = 3600
SIMILAR_LIMIT = 10  # different messages of one reason before they are combined
SIMILAR_SECONDS = 600
BURST = 25  # events about one object, then one every REFILL_SECONDS
REFILL_SECONDS = 300
CACHE_SIZE = 4096

log = logging.getLogger(__name__)


@dataclass
class _Written:
    """An event that exists and how often it happened."""

    name: str
    count: int = 1


@dataclass
class _Similar:
    """The different messages of one reason about one object."""

    since: dt.datetime
    messages: set[str] = field(default_factory=set)


@dataclass
class _Bucket:
    tokens: float
    filled_at: dt.datetime


@dataclass
class Recorder:
    """Writes events about objects; one per cluster, shared by its controllers."""

    registry: registry.Registry
    clock: Callable[[], dt.datetime] = times.now
    _written: OrderedDict[tuple[str, ...], _Written] = field(default_factory=OrderedDict)
    _similar: OrderedDict[tuple[str, ...], _Similar] = field(default_factory=OrderedDict)
    _buckets: OrderedDict[tuple[str, ...], _Bucket] = field(default_factory=OrderedDict)

    def normal(self, about: Object, reason: str, message: str, *, component: str) -> None:
        self._record(about, "Normal", reason, message, component)

    def warning(self, about: Object, reason: str, message: str, *, component: str) -> None:
        self._record(about, "Warning", reason, message, component)

    def scheduling(
        self, about: Object, kind: str, reason: str, message: str, *, action: str
    ) -> None:
        """An event of the scheduler, which writes the newer form: eventTime, action, series."""
        now = times.micro_stamp(self.clock())
        extra = {
            "eventTime": now,
            "action": action,
            "reportingComponent": "default-scheduler",
            "reportingInstance": "default-scheduler-0",
        }
        identity = ("default-scheduler", *_identity(about), kind, reason, message)

        def again(count: int) -> Object:
            return {"series": {"count": count, "lastObservedTime": now}}

        self._write(
            about, identity, {"type": kind, "reason": reason, "message": message, **extra}, again
        )

    def _record(self, about: Object, kind: str, reason: str, message: str, component: str) -> None:
        if not self._is_allowed((component, *_identity(about))):
            return
        group = (component, *_identity(about), kind, reason)
        message, is_combined = self._combined(group, message)
        now = times.stamp(self.clock())
        body = {
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "reportingComponent": component,
            "reportingInstance": "",
        }

        def again(count: int) -> Object:
            return {"count": count, "lastTimestamp": now, "message": message}

        self._write(about, (*group, "" if is_combined else message), body, again)

    def _write(
        self,
        about: Object,
        identity: tuple[str, ...],
        body: Object,
        again: Callable[[int], Object],
    ) -> None:
        resource = self.registry.resources.get("", "events")
        namespace = about["metadata"].get("namespace") or "default"
        written = self._written.get(identity)
        try:
            if written is not None and self.registry.find(resource, namespace, written.name):
                written.count += 1
                self._written.move_to_end(identity)
                self.registry.patch(resource, namespace, written.name, again(written.count))
                return
            name = f"{about['metadata']['name']}.{int(self.clock().timestamp() * 1e9):x}"
            metadata = {"name": name, "namespace": namespace}
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": metadata,
                "involvedObject": _reference(about),
                **body,
            }
            self.registry.create(resource, namespace, event)
        except errors.StatusError as error:
            log.debug("event %s on %s is dropped: %s", body["reason"], about["metadata"], error)
            return
        _remember(self._written, identity, _Written(name))

    def _combined(self, group: tuple[str, ...], message: str) -> tuple[str, bool]:
        now = self.clock()
        similar = self._similar.get(group)
        if similar is None or (now - similar.since).total_seconds() > SIMILAR_SECONDS:
            similar = _Similar(now)
            _remember(self._similar, group, similar)
        similar.messages.add(message)
        if len(similar.messages) < SIMILAR_LIMIT:
            return message, False
        return f"(combined from similar events): {message}", True

    def _is_allowed(self, source: tuple[str, ...]) -> bool:
        now = self.clock()
        bucket = self._buckets.get(source) or _Bucket(BURST, now)
        refill = (now - bucket.filled_at).total_seconds() / REFILL_SECONDS
        tokens = min(float(BURST), bucket.tokens + refill)
        is_allowed = tokens >= 1
        _remember(self._buckets, source, _Bucket(tokens - is_allowed, now))
        return is_allowed


def _remember(cache: OrderedDict[tuple[str, ...], Any], key: tuple[str, ...], value: Any) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > CACHE_SIZE:
        cache.popitem(last=False)


def _identity(about: Object) -> tuple[str, ...]:
    metadata = about["metadata"]
    return (about["kind"], metadata.get("namespace", ""), metadata["name"], metadata.get("uid", ""))


def _reference(about: Object) -> Object:
    metadata = about["metadata"]
    reference = {
        "kind": about["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "apiVersion": about["apiVersion"],
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {name: value for name, value in reference.items() if value}


class EventExpiry:
    """Deletes events an hour after they last happened (the API server's --event-ttl)."""

    name = "event-expiry"

    def __init__(self, store: registry.Registry, clock: Callable[[], dt.datetime]) -> None:
        self._registry = store
        self._clock = clock
        self._events = store.resources.get("", "events")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._events, loop.own_key)]

    def reconcile(self, key: loop.Key) -> float | None:
        """Delete the event if it is due, else come back when it is."""
        event = self._registry.find(self._events, *key)
        if event is None:
            return None
        series = event.get("series") or {}
        last = (
            series.get("lastObservedTime")
            or event.get("lastTimestamp")
            or event.get("eventTime")
            or event["metadata"]["creationTimestamp"]
        )
        left = moments.seconds_until(last, plus_seconds=LIFETIME_SECONDS, at=self._clock())
        if left > 0:
            return left
        self._registry.delete(self._events, *key)
        return None

"""Events as a kubelet writes them: the same words again raise the count of the first.

Events are told, not awaited: one task sends them in order, and one that the API server refuses
is dropped, as a kubelet drops it.
"""

import asyncio
import logging
from collections import OrderedDict
from typing import NamedTuple

from azrunbook.sandbox.node import api, clock, config

_LOG = logging.getLogger(__name__)
_REMEMBERED = 500


class _Told(NamedTuple):
    subject: config.Object
    kind: str
    reason: str
    message: str


class EventRecorder:
    """Sends one node's events."""

    def __init__(self, client: api.ApiClient, node_name: str) -> None:
        self._client = client
        self._node = node_name
        self._queue: asyncio.Queue[_Told] = asyncio.Queue()
        self._sent: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()
        self._serial = 0

    def normal(self, subject: config.Object, reason: str, message: str) -> None:
        """Tell what went as expected; ``subject`` is an ObjectReference."""
        self._queue.put_nowait(_Told(subject, "Normal", reason, message))

    def warning(self, subject: config.Object, reason: str, message: str) -> None:
        """Tell what went wrong."""
        self._queue.put_nowait(_Told(subject, "Warning", reason, message))

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            told = await self._queue.get()
            try:
                await self._send(told)
            except api.FAILURES as error:
                _LOG.debug("event %s dropped: %r", told.reason, error)

    async def _send(self, told: _Told) -> None:
        subject = told.subject
        key = (subject.get("uid", ""), subject.get("fieldPath", ""), *told[1:])
        namespace = subject.get("namespace") or "default"
        path = f"/api/v1/namespaces/{namespace}/events"
        stamp = clock.to_text(clock.now())
        if key in self._sent:
            name, count = self._sent[key]
            self._sent[key] = (name, count + 1)
            body: config.Object = {"count": count + 1, "lastTimestamp": stamp}
            try:
                await self._client.patch(f"{path}/{name}", body)
            except api.ApiError as error:
                if not error.is_not_found:  # an expired event is told anew
                    raise
            else:
                return
        name = await self._create(path, told, stamp)
        self._sent[key] = (name, 1)
        while len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)

    async def _create(self, path: str, told: _Told, stamp: str) -> str:
        self._serial += 1
        suffix = f"{int(clock.now().timestamp() * 1e6) * 1000 + self._serial % 1000:x}"
        name = f"{told.subject['name']}.{suffix}"
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": told.subject.get("namespace") or "default"},
            "involvedObject": told.subject,
            "reason": told.reason,
            "message": told.message,
            "source": {"component": "kubelet", "host": self._node},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "type": told.kind,
            "eventTime": None,
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
        }
        await self._client.create(path, body)
        return name


def describe_node(name: str) -> config.Object:
    """Return the ObjectReference of a node (its uid is its name, as the kubelet has it)."""
    return {"kind": "Node", "name": name, "uid": name}


def describe_pod(
    pod: config.Object, container: str = "", *, group: str = "containers"
) -> config.Object:
    """Return the ObjectReference of a pod, or of one container of it."""
    meta = pod["metadata"]
    reference = {
        "kind": "Pod",
        "apiVersion": "v1",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }
    if container:
        reference["fieldPath"] = f"spec.{group}{{{container}}}"
    return reference

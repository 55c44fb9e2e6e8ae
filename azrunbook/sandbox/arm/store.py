"""The resources of the subscription, in memory, and who is told when they change. No HTTP.

Ids match in any letter case and are answered in the case of creation. What goes in and out is a
copy, so that nobody edits the stored document behind the subscribers' back. Nested resources
(subnets, node pools, origins) are documents of their own; providers compose parents on reading.
"""

import copy
import dataclasses
import logging
import uuid
from collections.abc import Callable
from typing import Any, Literal

from azrunbook.sandbox.arm import errors, paths

log = logging.getLogger(__name__)

Json = dict[str, Any]
Subscriber = Callable[[Literal["put", "delete"], str, str], None]


@dataclasses.dataclass
class _Record:
    resource: paths.ResourceId
    type: str
    body: Json
    etag: str


class Store:
    """Resources by id."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._subscribers: list[Subscriber] = []

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back with (kind, id, type) after each change; returns how to stop that."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def put(self, resource: paths.ResourceId, type_: str, body: Json) -> Json:
        """Store a document whole; id, name and type are filled in, the id keeps its first case."""
        before = self._records.get(resource.key)
        kept = before.resource if before else resource
        document = {**copy.deepcopy(body), "id": str(kept), "name": kept.name, "type": type_}
        self._records[resource.key] = _Record(kept, type_, document, str(uuid.uuid4()))
        self._tell("put", kept, type_)
        return copy.deepcopy(document)

    def update(self, resource: paths.ResourceId, change: Callable[[Json], None]) -> None:
        """Edit a stored document; does nothing when it has gone meanwhile."""
        if record := self._records.get(resource.key):
            body = copy.deepcopy(record.body)
            change(body)
            self.put(record.resource, record.type, body)

    def find(self, resource: paths.ResourceId) -> Json | None:
        record = self._records.get(resource.key)
        return copy.deepcopy(record.body) if record else None

    def get(self, resource: paths.ResourceId, type_: str | None = None) -> Json:
        """Return a document.

        Raises:
            errors.ArmError: 404, the group's when that is missing, else the resource's.
        """
        if (found := self.find(resource)) is not None:
            return found
        if resource.group and self.find(resource.scope) is None:
            raise errors.group_not_found(resource.group)
        raise errors.resource_not_found(type_ or resource.type, resource.path_name, resource.group)

    def etag(self, resource: paths.ResourceId) -> str | None:
        """Return the version tag of the document, new with every change."""
        record = self._records.get(resource.key)
        return record.etag if record else None

    def delete(self, resource: paths.ResourceId) -> None:
        """Remove a resource and everything below it, the innermost first."""
        doomed = [*self._below(resource), *filter(None, [self._records.get(resource.key)])]
        for record in sorted(doomed, key=lambda record: -len(record.resource.parts)):
            # A subscriber may have removed it with another one, that it belonged to.
            if self._records.pop(record.resource.key, None):
                self._tell("delete", record.resource, record.type)

    def list_by_type(self, type_: str, *, below: paths.ResourceId | None = None) -> list[Json]:
        """Return the documents of a type, in order of creation, optionally below one resource."""
        records = self._below(below) if below else list(self._records.values())
        wanted = type_.lower()
        return [copy.deepcopy(r.body) for r in records if r.type.lower() == wanted]

    def list_below(self, resource: paths.ResourceId) -> list[Json]:
        """Return every document below a resource or group, in order of creation."""
        return [copy.deepcopy(record.body) for record in self._below(resource)]

    def _below(self, resource: paths.ResourceId) -> list[_Record]:
        return [r for r in self._records.values() if resource.contains(r.resource)]

    def _tell(self, kind: Literal["put", "delete"], resource: paths.ResourceId, type_: str) -> None:
        for callback in list(self._subscribers):
            try:
                callback(kind, str(resource), type_)
            except Exception:  # what a subscriber makes of it is not the client's failure
                log.exception("A subscriber failed on %s of %s", kind, resource)

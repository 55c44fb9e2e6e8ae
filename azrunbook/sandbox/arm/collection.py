"""Resource types whose requests differ only in data: get, list, put, patch, delete of a kind.

No HTTP library. A provider describes a :class:`Kind` (its type, its rules, its defaults) and gets
the five routes. What needs more than data has handlers of its own in the provider.
"""

import dataclasses
import re
from collections.abc import Awaitable, Callable
from typing import Any

from azrunbook.sandbox.arm import errors, locations, operations, paging, paths, routing, services

Json = dict[str, Any]
Work = Callable[[], Awaitable[None]]
ALWAYS = frozenset({"create", "update", "patch", "delete"})


@dataclasses.dataclass(frozen=True)
class Draft:
    """A write to judge: what was sent, over what existed.

    Attributes:
        sent: the request body; for a PATCH already merged over the existing document.
        existing: the stored document, None when this creates it.
    """

    resource: paths.ResourceId
    sent: Json
    existing: Json | None

    @property
    def properties(self) -> Json:
        return self.sent.get("properties") or {}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A resource type.

    Attributes:
        type: canonical spelling, e.g. ``Microsoft.Cdn/profiles/originGroups``.
        operation_prefix: prefix of the operation names in Azure's specifications.
        style: where its clients poll.
        complete: returns the properties to store (defaults, server-filled values); raises ArmError
            for what Azure would refuse.
        tracked: has location, tags, sku.
        statuses: first answers to PUT (new), PUT (existing), PATCH.
        stored: called after a write was stored, for what lives beside the document.
        check_delete: raises ArmError for a deletion Azure would refuse.
        render: composes the body of an answer from the stored document.
        at_once: which of create, update, patch, delete are done when they are answered.
        answers_empty: a PUT that takes time is answered without a body.
        work: what the backend has to do for a write; None: nothing.
        finished: edits the document once a write has come to its end.
    """

    type: str
    operation_prefix: str
    api_versions: tuple[str, ...]
    style: operations.PollingStyle
    complete: Callable[[Draft], Json]
    tracked: bool = False
    statuses: tuple[int, int, int] = (201, 200, 200)
    states: tuple[str, str] = ("Creating", "Updating")
    stored: Callable[[Draft], None] | None = None
    check_delete: Callable[[paths.ResourceId], None] | None = None
    render: Callable[[Json], Json] | None = None
    at_once: frozenset[str] = frozenset()
    answers_empty: bool = False
    work: Callable[[Draft], Work | None] | None = None
    finished: Callable[[paths.ResourceId, Json], None] | None = None

    @property
    def template(self) -> str:
        """The path of one resource, as a route template."""
        namespace, *kinds = self.type.split("/")
        names = "".join(f"/{kind}/{{{kind}Name}}" for kind in kinds)
        return f"{routing.GROUP}/providers/{namespace}{names}"


class Collection:
    """Serves one kind."""

    def __init__(self, kind: Kind, parts: services.Services) -> None:
        self._kind = kind
        self._parts = parts

    def routes(self) -> list[routing.Route]:
        """The five routes, and for a top-level type the list of a whole subscription."""
        found = self.routes_at(self._kind.template, self.list)
        if self._kind.type.count("/") == 1:
            many = self._kind.template.rpartition("/")[0]
            wide = many.replace(routing.GROUP, routing.SUBSCRIPTION)
            name = f"{self._kind.operation_prefix}_ListBySubscription"
            found.append(routing.Route("GET", wide, name, self.list, self._kind.api_versions))
        return found

    def routes_at(self, one: str, list_handler: routing.Handler) -> list[routing.Route]:
        """The five routes of a kind whose resources have the path ``one``."""
        kind = self._kind
        table: list[tuple[str, str, str, routing.Handler]] = [
            ("GET", one, "Get", self.get),
            ("PUT", one, "CreateOrUpdate", self.put),
            ("PATCH", one, "Update", self.patch),
            ("DELETE", one, "Delete", self.delete),
            ("GET", one.rpartition("/")[0], "List", list_handler),
        ]
        return [
            routing.Route(
                method, template, f"{kind.operation_prefix}_{name}", handler, kind.api_versions
            )
            for method, template, name, handler in table
        ]

    def get(self, call: routing.Call) -> routing.Answer:
        document = self._parts.store.get(call.resource, self._kind.type)
        return routing.Answer(200, self._render(document))

    def list(self, call: routing.Call) -> routing.Answer:
        parent = call.resource if call.resource.parts else call.resource.scope
        if parent.group:
            self._parts.store.get(parent)
        found = self._parts.store.list_by_type(self._kind.type, below=parent)
        page = [self._render(document) for document in found]
        return paging.answer(call, page, self._parts.settings.page_size)

    def put(self, call: routing.Call) -> routing.Answer:
        self._check_parent(call.resource)
        existing = self._parts.store.find(call.resource)
        draft = Draft(call.resource, call.body, existing)
        created, updated, _ = self._kind.statuses
        verb = "create" if existing is None else "update"
        return self._write(call, draft, created if existing is None else updated, verb)

    def patch(self, call: routing.Call) -> routing.Answer:
        existing = self._parts.store.get(call.resource, self._kind.type)
        sent = merge(existing, call.body)
        if "tags" in call.body:
            sent["tags"] = call.body["tags"] or {}
        draft = Draft(call.resource, sent, existing)
        return self._write(call, draft, self._kind.statuses[2], "patch")

    def delete(self, call: routing.Call) -> routing.Answer:
        if self._parts.store.find(call.resource) and self._kind.check_delete:
            self._kind.check_delete(call.resource)
        if "delete" in self._kind.at_once:
            return self._parts.delete_now(call.resource)
        return self._parts.begin_delete(call, call.resource, self._kind.style)

    def _write(self, call: routing.Call, draft: Draft, status: int, verb: str) -> routing.Answer:
        kind, parts = self._kind, self._parts
        group = parts.require_group(call.resource)
        parts.check_not_deleting(call.resource)
        parts.check_etag(call)
        placed = _place(draft, group) if kind.tracked else {}
        properties = kind.complete(draft)
        # After that: it may fill in what stands beside the properties, such as a sku's tier.
        beside = {k: v for k, v in draft.sent.items() if k not in _ENVELOPE} if placed else {}
        body = {**beside, **placed, "properties": properties}
        parts.store.put(call.resource, kind.type, body)
        if kind.stored:
            kind.stored(draft)
        change = self._change(draft, status, body.get("location") or group["location"])
        if verb in kind.at_once:
            return parts.change_now(change)
        answer = parts.begin_change(call, change)
        return dataclasses.replace(answer, body=None) if kind.answers_empty else answer

    def _change(self, draft: Draft, status: int, location: str) -> services.Change:
        kind, parts = self._kind, self._parts
        creating, updating = kind.states
        new = draft.existing is None
        finished = kind.finished
        return services.Change(
            resource=draft.resource,
            type=kind.type,
            verb="create" if new else "update",
            state=creating if new else updating,
            style=kind.style,
            status=status,
            location=location,
            render=lambda target: self._render(parts.store.get(target, kind.type)),
            work=kind.work(draft) if kind.work else None,
            finished=(lambda body: finished(draft.resource, body)) if finished else None,
        )

    def _check_parent(self, resource: paths.ResourceId) -> None:
        if len(resource.parts) > 1 and self._parts.store.find(resource.parent) is None:
            self._parts.require_group(resource)
            raise errors.parent_not_found(self._kind.type, resource.name, resource.parent.path_name)

    def _render(self, document: Json) -> Json:
        return self._kind.render(document) if self._kind.render else document


def _place(draft: Draft, group: Json) -> Json:
    """Return where a tracked resource is, and its tags."""
    wanted = locations.normalize(draft.sent.get("location") or group["location"])
    location = locations.check(wanted, draft.resource)
    check_same_location(draft, wanted)
    return {"location": location, "tags": draft.sent.get("tags") or {}}


def check_same_location(draft: Draft, wanted: str) -> None:
    """Refuse to move a resource.

    Raises:
        errors.ArmError: 409 InvalidResourceLocation.
    """
    before = draft.existing["location"] if draft.existing else wanted
    if before != wanted:
        raise errors.ArmError(
            409,
            "InvalidResourceLocation",
            f"The resource '{draft.resource.name}' already exists in location '{before}' in "
            f"resource group '{draft.resource.group}'. A resource with the same name cannot be "
            f"created in location '{wanted}'. Please select a new resource name.",
        )


def merge(base: Json, over: Json) -> Json:
    """Return base with the other laid over it, object by object; null and lists replace."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = (
            merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return result


def without_empty(document: Json) -> Json:
    """Return an object without the empty texts in its objects: Azure takes those for unsaid."""
    return {
        key: without_empty(value) if isinstance(value, dict) else value
        for key, value in document.items()
        if value != ""
    }


def without_state(document: Json) -> Json:
    """Render a document of a kind whose bodies have no provisioningState."""
    properties = {k: v for k, v in document["properties"].items() if k != "provisioningState"}
    return {**document, "properties": properties}


def check_number(
    properties: Json, path: str, low: int, high: int, *, owner: str, required: bool = False
) -> None:
    """Check an integer at a dotted path.

    Raises:
        errors.ArmError: 400 that names the property, the value and the range.
    """
    value: Any = properties
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None and not required:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise errors.bad_request(
            f"Property '{owner}.{path}' has the invalid value '{value}': expected an integer from "
            f"{low} to {high}.",
            target=f"properties.{path}",
        )


def check_name(resource: paths.ResourceId, pattern: str) -> None:
    """Check the last name of an id.

    Raises:
        errors.ArmError: 400 InvalidResourceName with the pattern.
    """
    if not re.fullmatch(pattern, resource.name):
        raise errors.bad_request(
            f"The resource name '{resource.name}' of type '{resource.type}' is invalid: expected "
            f"it to match {pattern}.",
            code="InvalidResourceName",
            target="name",
        )


_ENVELOPE = {"id", "name", "type", "properties", "systemData", "etag", "eTag"}

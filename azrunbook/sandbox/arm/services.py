"""What every provider works with, and the life of a resource: change, finish, delete.

No HTTP library. A provider decides what a request means; here the document is stored, the
operation begun, the provisioning state walked and the first answer made, the same way for all.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

from azrunbook.sandbox.arm import (
    backends,
    errors,
    operations,
    paths,
    routing,
    settings,
    store,
)

Json = dict[str, Any]
Teardown = Callable[[paths.ResourceId], Awaitable[None]]


@dataclasses.dataclass(frozen=True)
class Change:
    """A write that takes time.

    Attributes:
        verb: create, update, start, stop; names the operation.
        state: provisioningState while it runs.
        status: status of the first answer.
        render: the body of the first answer; None sends none.
        work: what the backend must do.
        finished: edits the document after success.
        ended: told the state it ended in, whatever it is; for documents that go along.
        result_state: provisioningState after success.
    """

    resource: paths.ResourceId
    type: str
    verb: str
    state: str
    style: operations.PollingStyle
    status: int
    location: str
    render: Callable[[paths.ResourceId], Json] | None = None
    work: Callable[[], Awaitable[None]] | None = None
    finished: Callable[[Json], None] | None = None
    ended: Callable[[str], None] | None = None
    result_state: str = "Succeeded"


@dataclasses.dataclass
class Services:
    """The parts of one ARM server, shared by its providers.

    Attributes:
        teardowns: by type in lower case; awaited before a resource of the type disappears, whether
            it is deleted itself or with its group.
        registered: the resource provider namespaces that are registered, in lower case.
    """

    settings: settings.ArmSettings
    store: store.Store
    long_running: operations.Operations
    backends: backends.Backends
    teardowns: dict[str, Teardown] = dataclasses.field(default_factory=dict)
    registered: set[str] = dataclasses.field(default_factory=set)

    def require_group(self, resource: paths.ResourceId) -> Json:
        """Return the group a write goes to.

        Raises:
            errors.ArmError: 404 without the group, 409 while it is being deleted, 409 when the
                namespace is not registered.
        """
        if resource.namespace and resource.namespace.lower() not in self.registered:
            raise errors.ArmError(
                409,
                "MissingSubscriptionRegistration",
                "The subscription is not registered to use namespace "
                f"'{resource.namespace}'. See https://aka.ms/rps-not-found for how to register "
                "subscriptions.",
            )
        if resource.group is None:  # what stands on the subscription itself
            return {"name": resource.subscription, "location": "global"}
        group = self.store.get(resource.scope)
        if group["properties"]["provisioningState"] == "Deleting":
            raise errors.ArmError(
                409,
                "ResourceGroupBeingDeleted",
                f"The resource group '{group['name']}' is in deprovisioning state and cannot "
                "perform this operation.",
            )
        return group

    def check_not_deleting(self, resource: paths.ResourceId) -> None:
        """Refuse a write to what is being deleted, itself or with its parent.

        Raises:
            errors.ArmError: 409 AnotherOperationInProgress.
        """
        for operation in self.long_running.list_running():
            doomed = operation.plan.resource
            is_hit = doomed.key == resource.key or doomed.contains(resource)
            if operation.plan.verb == "delete" and is_hit:
                raise errors.ArmError(
                    409,
                    "AnotherOperationInProgress",
                    f"Another operation on this or a dependent resource is in progress: {doomed} "
                    "is being deleted.",
                )

    def check_etag(self, call: routing.Call) -> None:
        """Honour If-Match and If-None-Match.

        Raises:
            errors.ArmError: 412, the document is another (or there already).
        """
        tag = self.store.etag(call.resource)
        wanted = call.headers.get("if-match", "").strip()
        if call.headers.get("if-none-match", "").strip() == "*" and tag is not None:
            raise errors.ArmError(412, "PreconditionFailed", "The resource exists already.")
        if wanted and (tag is None or wanted not in {"*", f'"{tag}"', tag, f'W/"{tag}"'}):
            raise errors.ArmError(
                412,
                "PreconditionFailed",
                f"The If-Match value {wanted} does not match the current version of the resource.",
            )

    def begin_change(self, call: routing.Call, change: Change) -> routing.Answer:
        """Begin an operation on a stored resource and return the first answer."""
        target = change.resource
        self._set_state(target, change.state)
        plan = operations.Plan(
            resource=target,
            type=change.type,
            verb=change.verb,
            style=change.style,
            location=change.location,
            work=change.work,
            succeed=lambda: self._finish(change),
            fail=lambda _: self._end(change, "Failed"),
            cancel=lambda: self._end(change, "Canceled"),
            result=lambda: change.render(target) if change.render else None,
        )
        operation = self.long_running.begin(plan)
        body = change.render(target) if change.render else None
        return routing.Answer(change.status, body, self.long_running.headers(operation, call))

    def change_now(self, change: Change) -> routing.Answer:
        """Finish a write at once, for what takes no time on Azure either."""
        self._finish(change)
        body = change.render(change.resource) if change.render else None
        return routing.Answer(change.status, body)

    def delete_now(self, resource: paths.ResourceId) -> routing.Answer:
        """Delete a resource at once; 204 when it is not there."""
        if self.store.find(resource) is None:
            return routing.Answer(204)
        self.store.delete(resource)
        return routing.Answer(200)

    def begin_delete(
        self, call: routing.Call, resource: paths.ResourceId, style: operations.PollingStyle
    ) -> routing.Answer:
        """Begin the deletion of a resource with everything below it; 204 when it is not there."""
        document = self.store.find(resource)
        if document is None:
            return routing.Answer(204)
        running = self.long_running.find_running(resource)
        if running is None or running.plan.verb != "delete":
            self._set_state(resource, "Deleting")
            running = self.long_running.begin(self._delete_plan(resource, document, style))
        return routing.Answer(202, None, self.long_running.headers(running, call))

    def _delete_plan(
        self, resource: paths.ResourceId, document: Json, style: operations.PollingStyle
    ) -> operations.Plan:
        return operations.Plan(
            resource=resource,
            type=document["type"],
            verb="delete",
            style=style,
            location=document.get("location", "global"),
            work=self._teardown_work(resource),
            succeed=lambda: self.store.delete(resource),
            fail=lambda _: self._set_state(resource, "Failed"),
            cancel=lambda: self._set_state(resource, "Canceled"),
        )

    def _teardown_work(self, resource: paths.ResourceId) -> Callable[[], Awaitable[None]] | None:
        ids = [resource, *(paths.parse(doc["id"]) for doc in self.store.list_below(resource))]
        hooked = [id_ for id_ in ids if id_.type.lower() in self.teardowns]
        # What lies in a resource that is torn down goes with it.
        tops = [id_ for id_ in hooked if not any(other.contains(id_) for other in hooked)]
        hooks = [(self.teardowns[id_.type.lower()], id_) for id_ in tops]
        if not hooks:
            return None

        async def tear_down() -> None:
            for operation in self.long_running.list_running(resource):
                if operation.plan.resource.key != resource.key:
                    await self.long_running.abort(operation)
            await asyncio.gather(*(hook(id_) for hook, id_ in hooks))

        return tear_down

    def _finish(self, change: Change) -> None:
        def apply(body: Json) -> None:
            if change.finished:
                change.finished(body)

        self.store.update(change.resource, apply)
        self._end(change, change.result_state)

    def _end(self, change: Change, state: str) -> None:
        self._set_state(change.resource, state)
        if change.ended:
            change.ended(state)

    def _set_state(self, resource: paths.ResourceId, state: str) -> None:
        self.store.update(resource, lambda body: body["properties"].update(provisioningState=state))

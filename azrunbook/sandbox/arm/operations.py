"""Long-running operations: they take their time, do their work, end in one of three states.

Asyncio, no HTTP library. A provider says what the work is and what happens at the end; this module
runs it, answers polls in the style of the provider, and lets a rehearsal hold, advance, abort or
fail an operation. Status documents answer 200 while they exist, as the resource provider contract
demands; a Location answers 202 until the end.
"""

import asyncio
import dataclasses
import datetime as dt
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from azrunbook.sandbox.arm import backends, errors, faults, paths, routing, settings

log = logging.getLogger(__name__)

_POLL_FASTEST_SECONDS = 0.02
_POLL_WORK_SECONDS = 0.1
_POLL_SLOWEST_SECONDS = 10.0
_POLLS = 40  # of one operation
# HashiCorp's SDK knows no retry-after-ms: without whole seconds it waits ten between two polls.
_COARSE_CLIENT = "hashicorp"


@dataclasses.dataclass(frozen=True)
class PollingStyle:
    """Where a provider's clients poll; URL templates relative to the origin.

    With neither, clients poll the resource itself and read its provisioningState.

    Attributes:
        status: the Azure-AsyncOperation URL, answering a status document.
        result: the Location URL, answering 202 and then the result; not sent on a PUT.
        on_put: which of the two a PUT is answered with instead: status, result.
    """

    status: str | None = None
    result: str | None = None
    on_put: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What an operation does.

    Attributes:
        verb: create, update, delete, start, stop, abort; part of timing and fault keys.
        work: what must be done beside waiting.
        succeed: called when all is done, before a poll can see it.
        fail: called with the error instead.
        cancel: called instead when the operation was aborted.
        result: body of the Location URL after success; None answers 200 with none, since a client
            on HashiCorp's SDK of September 2026 gives up on a 204.
    """

    resource: paths.ResourceId
    type: str
    verb: str
    style: PollingStyle
    location: str
    succeed: Callable[[], None]
    fail: Callable[[errors.ArmError], None]
    cancel: Callable[[], None]
    work: Callable[[], Awaitable[None]] | None = None
    result: Callable[[], Any] | None = None


@dataclasses.dataclass
class Operation:
    """An operation that was begun."""

    plan: Plan
    poll_seconds: float
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    error: errors.ArmError | None = None
    started_at: dt.datetime = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.UTC))
    ended_at: dt.datetime | None = None
    gate: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


Follower = Callable[[Operation], None]


class Operations:
    """Runs operations and answers for them."""

    def __init__(self, timing: settings.Timing, rules: faults.Faults) -> None:
        self._timing = timing
        self._faults = rules
        self._operations: dict[str, Operation] = {}
        self._followers: list[Follower] = []

    def follow(self, callback: Follower) -> None:
        """Call back when an operation begins, and again when it has ended."""
        self._followers.append(callback)

    def begin(self, plan: Plan) -> Operation:
        """Start an operation; it ends at the earliest after the current request was answered."""
        operation = Operation(plan, self._poll_seconds(plan))
        self._operations[operation.id] = operation
        self._tell(operation)
        operation.task = asyncio.create_task(self._run(operation))
        return operation

    def headers(self, operation: Operation, call: routing.Call) -> dict[str, str]:
        """Return the polling headers of a first answer, absolute on the host the client used."""
        style = operation.plan.style
        urls = {"Azure-AsyncOperation": style.status, "Location": style.result}
        if call.method == "PUT":
            usual = ("status",) if style.status else ("result",)
            wanted = usual if style.on_put is None else style.on_put
            urls = {
                name: url
                for (name, url), kind in zip(urls.items(), ("status", "result"), strict=True)
                if kind in wanted
            }
        values = {
            "subscriptionId": operation.plan.resource.subscription,
            "resourceGroupName": operation.plan.resource.group or "",
            "location": operation.plan.location,
            "operationId": operation.id,
        }
        found = {
            name: f"{call.origin}{routing.fill(url, values)}?api-version={call.api_version}"
            for name, url in urls.items()
            if url
        }
        return {**found, **_retry_headers(operation, call)} if found else {}

    def status_answer(self, call: routing.Call) -> routing.Answer:
        """Answer a poll of the Azure-AsyncOperation URL."""
        operation = self._get(call)
        body: dict[str, Any] = {
            "id": f"{call.resource}",
            "name": operation.id,
            "status": operation.status,
            "startTime": _stamp(operation.started_at),
        }
        if operation.ended_at is None:
            return routing.Answer(200, body, _retry_headers(operation, call))
        body["endTime"] = _stamp(operation.ended_at)
        body["percentComplete"] = 100
        if operation.error:
            body["error"] = operation.error.error()
        return routing.Answer(200, body)

    def result_answer(self, call: routing.Call) -> routing.Answer:
        """Answer a poll of the Location URL.

        Raises:
            errors.ArmError: the operation failed; its error.
        """
        operation = self._get(call)
        if operation.ended_at is None:
            headers = {"Location": _url(call), **_retry_headers(operation, call)}
            return routing.Answer(202, None, headers)
        if operation.error:
            raise operation.error
        body = operation.plan.result() if operation.plan.result else None
        return routing.Answer(200, body)

    def find_running(self, resource: paths.ResourceId) -> Operation | None:
        """Return an operation in progress on a resource or anything below it."""
        return next(iter(self.list_running(resource)), None)

    def list_running(self, resource: paths.ResourceId | None = None) -> list[Operation]:
        """Return the operations in progress, all or those on and below a resource."""
        return [
            operation
            for operation in self._operations.values()
            if operation.ended_at is None and (resource is None or _concerns(operation, resource))
        ]

    def advance(self, resource: paths.ResourceId | None = None) -> int:
        """Let ``manual`` operations pass, all or those on and below a resource; returns how many.

        The operation ends as soon as its work is done as well.
        """
        held = [op for op in self.list_running(resource) if not op.gate.is_set()]
        for operation in held:
            operation.gate.set()
        return len(held)

    async def abort(self, operation: Operation) -> None:
        """Cancel an operation and wait until its work has let go."""
        if operation.task:
            operation.task.cancel()
            await asyncio.wait([operation.task])
        if operation.ended_at is None:  # cancelled before its first step
            operation.plan.cancel()
            self._end(operation, "Canceled", _aborted())

    async def stop(self) -> None:
        """Cancel everything that runs."""
        for operation in self.list_running():
            await self.abort(operation)

    async def _run(self, operation: Operation) -> None:
        plan = operation.plan
        timer = asyncio.create_task(self._elapse(operation))
        try:
            await self._work(plan)
            await timer
            plan.succeed()
        except asyncio.CancelledError:
            plan.cancel()
            self._end(operation, "Canceled", _aborted())
        except Exception as error:  # noqa: BLE001 # every failure of the work is the client's answer
            failure = _failure(error)
            plan.fail(failure)
            self._end(operation, "Failed", failure)
        else:
            self._end(operation, "Succeeded")
        finally:
            timer.cancel()

    def _end(self, operation: Operation, status: str, error: errors.ArmError | None = None) -> None:
        operation.status, operation.error = status, error
        operation.ended_at = dt.datetime.now(dt.UTC)
        self._tell(operation)

    def _tell(self, operation: Operation) -> None:
        for callback in self._followers:
            callback(operation)

    async def _work(self, plan: Plan) -> None:
        if fault := self._faults.take_operation(plan.verb, str(plan.resource)):
            raise fault
        if plan.work:
            await plan.work()

    async def _elapse(self, operation: Operation) -> None:
        transition = self._timing.transition(operation.plan.type, operation.plan.verb)
        if transition == "manual":
            await operation.gate.wait()
        elif not isinstance(transition, str):
            await asyncio.sleep(transition)

    def _poll_seconds(self, plan: Plan) -> float:
        transition = self._timing.transition(plan.type, plan.verb)
        is_short = plan.work is None and transition != "manual"
        seconds = _POLL_FASTEST_SECONDS if is_short else _POLL_WORK_SECONDS
        if not isinstance(transition, str):
            # On average half of it is added to what the operation takes.
            seconds = max(seconds, min(transition / _POLLS, _POLL_SLOWEST_SECONDS))
        return seconds

    def _get(self, call: routing.Call) -> Operation:
        found = self._operations.get(call.parameters["operationId"])
        if found is None:
            raise errors.ArmError(404, "OperationNotFound", "The operation could not be found.")
        return found


def _retry_headers(operation: Operation, call: routing.Call) -> dict[str, str]:
    seconds = operation.poll_seconds
    if _COARSE_CLIENT in call.headers.get("user-agent", "").lower():
        seconds = max(seconds, 1.0)
    return errors.retry_headers(seconds)


def _concerns(operation: Operation, resource: paths.ResourceId) -> bool:
    target = operation.plan.resource
    return target.key == resource.key or resource.contains(target)


def _aborted() -> errors.ArmError:
    return errors.ArmError(409, "Canceled", "The operation was aborted.")


def _failure(error: Exception) -> errors.ArmError:
    if isinstance(error, errors.ArmError):
        return error
    if isinstance(error, backends.BackendError):
        return errors.ArmError(409, error.code, error.message)
    # 409 and not 500: SDKs would repeat a poll that answers 500.
    log.error("A long-running operation failed", exc_info=error)
    return errors.ArmError(409, "InternalOperationError", f"{type(error).__name__}: {error}")


def _stamp(instant: dt.datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _url(call: routing.Call) -> str:
    return f"{call.origin}{call.path}?api-version={call.api_version}"

"""Microsoft.Insights: the subscription's activity log, who wrote what and how it ended.

Azure records every write, delete and action that reaches a resource provider, its start and its
end, under one correlation id; reads are not recorded. An accepted long-running operation has a
third event when it ends. Shapes, words, the few filters and what ``$select`` may name are those of
the specification (2015-04-01, ActivityLogs_List). Azure tells an event minutes after it happened;
here :attr:`ActivityLog.delay_seconds` says how late. What a service principal is as ``caller`` is
not in the specification; its application stands in the claims, and clients should read it there.
"""

import collections
import dataclasses
import datetime as dt
import http
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from azrunbook.sandbox.arm import errors, identity, operations, paging, paths, routing, services

Json = dict[str, Any]

NAMESPACE = "Microsoft.Insights"
API_VERSIONS = ("2015-04-01",)
_PATH = f"{routing.SUBSCRIPTION}/providers/{NAMESPACE}/eventtypes/management/values"
_KEPT_EVENTS = 10_000
_KEPT = dt.timedelta(days=90)
_CLAUSE = re.compile(r"(\w+) (ge|le|eq) '([^']*)'")
# What a filter may ask for beside the time; at most one of them.
_SCOPES: Mapping[str, Callable[["_Event"], str]] = {
    "resourcegroupname": lambda one: one.request.resource.group or "",
    "resourceuri": lambda one: str(one.request.resource),
    "resourceprovider": lambda one: one.request.resource.namespace or "Microsoft.Resources",
    "correlationid": lambda one: one.request.correlation,
}
# How the log spells claims that tokens spell short.
_CLAIMS = {
    "oid": "http://schemas.microsoft.com/identity/claims/objectidentifier",
    "tid": "http://schemas.microsoft.com/identity/claims/tenantid",
    "sub": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
}
_TICKS_TO_1970 = 621_355_968_000_000_000


@dataclasses.dataclass(frozen=True)
class _Request:
    action: str
    resource: paths.ResourceId
    method: str
    client_request: str
    correlation: str
    token: identity.Issued
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))


@dataclasses.dataclass(frozen=True)
class _Event:
    """One entry; ``code`` is the HTTP status, None where none has been answered."""

    request: _Request
    name: str
    status: str
    code: int | None
    message: str
    at: dt.datetime
    told_at: dt.datetime
    id: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))


class ActivityLog:
    """Records what requests did, and answers for it.

    Attributes:
        delay_seconds: how long after it happened an event is told; of those to come.
    """

    def __init__(self, parts: services.Services) -> None:
        self.delay_seconds = 0.0
        self._parts = parts
        self._events: collections.deque[_Event] = collections.deque(maxlen=_KEPT_EVENTS)
        self._current: _Request | None = None
        self._running: dict[str, _Request] = {}
        parts.long_running.follow(self._follow)

    def routes(self) -> list[routing.Route]:
        return [routing.Route("GET", _PATH, "ActivityLogs_List", self.list, API_VERSIONS)]

    def record(
        self,
        call: routing.Call,
        token: identity.Issued,
        correlation: str,
        handle: Callable[[], routing.Answer],
    ) -> routing.Answer:
        """Handle a request, recording it unless it only reads."""
        if call.action.endswith("/read"):
            return handle()
        request = _Request(
            action=call.action,
            resource=call.resource,
            method=call.method,
            client_request=call.headers.get("x-ms-client-request-id", ""),
            correlation=correlation,
            token=token,
        )
        self._add(request, "Started")
        self._current = request
        try:
            answer = handle()
        except errors.ArmError as error:
            self._add(request, "Failed", error.status, f"{error.code}: {error.message}")
            raise
        finally:
            self._current = None
        goes_on = any(one is request for one in self._running.values())
        is_accepted = goes_on or answer.status == http.HTTPStatus.ACCEPTED
        self._add(request, "Accepted" if is_accepted else "Succeeded", answer.status)
        return answer

    def _follow(self, operation: operations.Operation) -> None:
        """Take note of whose operation begins, and of how it ended."""
        if operation.ended_at is None:
            if self._current:
                self._running[operation.id] = self._current
        elif request := self._running.pop(operation.id, None):
            failure = operation.error
            said = f"{failure.code}: {failure.message}" if failure else ""
            self._add(request, operation.status, failure.status if failure else None, said)

    def _add(
        self, request: _Request, status: str, code: int | None = None, message: str = ""
    ) -> None:
        name = "BeginRequest" if status == "Started" else "EndRequest"
        now = dt.datetime.now(dt.UTC)
        told = now + dt.timedelta(seconds=self.delay_seconds)
        self._events.append(_Event(request, name, status, code, message, now, told))

    def list(self, call: routing.Call) -> routing.Answer:
        """Answer a page of the events that a filter asks for, the newest first."""
        matches = _parse_filter(call.query.get("$filter", ""))
        selected = _parse_select(call.query.get("$select", ""))
        now = dt.datetime.now(dt.UTC)
        found = [one for one in reversed(self._events) if one.told_at <= now and matches(one)]
        tenant = self._parts.settings.tenant_id
        rows = [
            {key: value for key, value in _render(one, tenant).items() if selected(key)}
            for one in found
        ]
        return paging.answer(call, rows, self._parts.settings.page_size)


def _parse_filter(text: str) -> Callable[[_Event], bool]:
    """Read a filter; only the specification's patterns are filters.

    Raises:
        errors.ArmError: 400, no start, one that is too old, or another pattern.
    """
    clauses = [_CLAUSE.fullmatch(part.strip()) for part in re.split(r" and ", text)]
    found = {(one[1].lower(), one[2]): one[3] for one in clauses if one}
    channels = found.pop(("eventchannels", "eq"), "")
    try:
        start = dt.datetime.fromisoformat(found.pop(("eventtimestamp", "ge")))
        end = dt.datetime.fromisoformat(found.pop(("eventtimestamp", "le"), "9999-12-31T23:59:59Z"))
    except (KeyError, ValueError) as error:
        raise _refuse(text) from error
    scopes = {name: value.lower() for (name, verb), value in found.items() if verb == "eq"}
    is_whole = len(found) == len(scopes) <= 1 and scopes.keys() <= _SCOPES.keys()
    if not (is_whole and all(clauses) and channels in {"", "Admin, Operation"}):
        raise _refuse(text)
    if start < dt.datetime.now(dt.UTC) - _KEPT:
        raise errors.bad_request(
            f"The start time '{start.isoformat()}' is more than {_KEPT.days} days in the past; "
            "events are kept no longer."
        )
    return lambda one: (
        start <= one.at <= end
        and all(_SCOPES[name](one).lower() == value for name, value in scopes.items())
    )


def _refuse(text: str) -> errors.ArmError:
    return errors.bad_request(
        f"The filter '{text}' is not supported: expected eventTimestamp ge '<time>', optionally "
        "and eventTimestamp le '<time>', and one of resourceGroupName, resourceUri, "
        "resourceProvider, correlationId eq '<value>'."
    )


def _parse_select(text: str) -> Callable[[str], bool]:
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    return lambda name: not wanted or name in wanted


def _render(one: _Event, tenant: str) -> Json:
    request, resource = one.request, str(one.request.resource)
    claims = {_CLAIMS.get(name, name): str(text) for name, text in request.token.claims.items()}
    status = http.HTTPStatus(one.code) if one.code else None
    words = f"{status.phrase} (HTTP Status Code: {status.value})" if status else ""
    code = status.phrase.replace(" ", "") if status else ""
    ticks = _TICKS_TO_1970 + int(one.at.timestamp() * 1e7)
    properties = {"statusCode": code} if status else {}
    if one.message:
        properties["statusMessage"] = one.message
    return {
        "authorization": {"action": request.action, "scope": resource},
        "caller": request.token.principal.object_id,
        "channels": "Operation",
        "claims": claims,
        "correlationId": request.correlation,
        "description": "",
        "eventDataId": one.id,
        "eventName": {"value": one.name, "localizedValue": one.name.replace("R", " r")},
        "category": _localizable("Administrative"),
        "eventTimestamp": _stamp(one.at),
        "httpRequest": {"clientRequestId": request.client_request, "method": request.method},
        "id": f"{resource}/events/{one.id}/ticks/{ticks}",
        "level": "Error" if one.status == "Failed" else "Informational",
        "operationId": request.id,
        "operationName": _localizable(request.action),
        "resourceGroupName": request.resource.group or "",
        "resourceProviderName": _localizable(request.resource.namespace or "Microsoft.Resources"),
        "resourceType": _localizable(request.resource.type),
        "resourceId": resource,
        "status": _localizable(one.status),
        "subStatus": {"value": code, "localizedValue": words},
        "submissionTimestamp": _stamp(one.told_at),
        "subscriptionId": request.resource.subscription,
        "tenantId": tenant,
        "properties": properties,
    }


def _localizable(text: str) -> Json:
    return {"value": text, "localizedValue": text}


def _stamp(instant: dt.datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")

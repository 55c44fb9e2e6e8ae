"""Azure's activity log: which identity wrote a resource last, and when. Reads it, nothing else.

What it cannot tell stays unsaid: it knows requests, not the properties they set; Azure tells an
event minutes after it happened and forgets it after 90 days. So what is found is the last write
*told yet*, and a last write of one's own means that a later one, if there was any, is not told.
An application is known by its id in the claims, a person by the user principal name.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm

_API_VERSION = "2015-04-01"
# Asking for more than what is kept (90 days) is refused, and clocks differ.
_WINDOW = dt.timedelta(days=89)
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
# Actions that only read; every audit itself lists a cluster's credentials.
_READING = ("list", "get", "check", "validate")
_ENDED_BADLY = frozenset({"Failed", "Canceled"})
# A group's path has five parts: "", subscriptions, its id, resourceGroups, its name.
_GROUP_PARTS = 5


@dataclass(frozen=True)
class Write:
    """One write, deletion or action that was told.

    Attributes:
        by: the user principal name, or ``application`` and its id.
        at: when (RFC 3339, UTC).
        verb: ``write``, ``delete``, or the action's name (``stop``).
        is_own: by the identity that asks.
        has_ended: False: it was accepted, and how it ended is not told yet.
    """

    by: str
    at: str
    verb: str
    is_own: bool
    has_ended: bool

    def __str__(self) -> str:
        if self.is_own:
            return "nobody since this identity, as far as told"
        return f"{self.by} ({self.verb}{'' if self.has_ended else ', under way'})"


class ActivityLog:
    """The log of one subscription.

    Args:
        arm: a client of the resource manager.
        subscription_id: whose log it is.
        application: id of the application that asks; empty when a person does.
    """

    def __init__(self, arm: "arm.ArmClient", subscription_id: str, *, application: str) -> None:
        self._arm = arm
        self._path = (
            f"/subscriptions/{subscription_id}/providers/Microsoft.Insights"
            "/eventtypes/management/values"
        )
        self._application = application

    def find_last(self, resource_id: str, *, is_gone: bool) -> Write | None:
        """Find the last write of a resource, or of the nearest resource whose body it stands in.

        ``is_gone``: the last deletion of the resource, or of anything it was in, its group too.
        None: not told.

        Raises:
            StepError: the log cannot be read (no right to ``Microsoft.Insights/eventtypes/*``).
        """
        *parents, group = (resource_id, *_list_parents(resource_id))
        if is_gone:
            events = [event for one in (*parents, group) for event in self._list(one)]
            return find_last(events, self._application, lambda verb: verb == "delete")
        # Writing a group writes nothing that is in it.
        found = (find_last(self._list(one), self._application) for one in parents or (group,))
        return next((one for one in found if one), None)

    def _list(self, resource_id: str) -> list[Mapping[str, Any]]:
        now = dt.datetime.now(dt.UTC)
        asked = (
            f"eventTimestamp ge '{_stamp(now - _WINDOW)}' and eventTimestamp le '{_stamp(now)}' "
            f"and resourceUri eq '{resource_id}'"
        )
        return list(self._arm.list(self._path, _API_VERSION, filter_text=asked))


def find_last(
    events: Iterable[Mapping[str, Any]],
    application: str,
    wanted: Callable[[str], bool] = lambda _: True,
) -> Write | None:
    """Find the last write among events in any order; pure. One that failed wrote nothing."""
    told = [one for one in events if _read(one, "category") in {"", "Administrative"}]
    failed = {one["operationId"] for one in told if _read(one, "status") in _ENDED_BADLY}
    good = [
        one for one in told if one["operationId"] not in failed and (verb := _get_verb(one))
        and not verb.startswith(_READING) and wanted(verb)
    ]  # fmt: skip
    last = max(good, key=lambda one: str(one["eventTimestamp"]), default=None)
    if last is None:
        return None
    claims = last.get("claims") or {}
    caller = str(last.get("caller") or "")
    person = claims.get(_UPN) or (caller if "@" in caller else "")
    by = claims.get("appid", "")
    return Write(
        by=person or (f"application {by}" if by else caller or "an unnamed identity"),
        at=f"{last['eventTimestamp'][:19]}Z",
        verb=_get_verb(last),
        is_own=bool(application) and not person and by == application,
        has_ended=_read(last, "status") == "Succeeded",
    )


def _get_verb(event: Mapping[str, Any]) -> str:
    """``write``, ``delete``, or what an action does: ``…/managedClusters/stop/action``."""
    *_, before, verb = ("", *_read(event, "operationName").split("/"))
    return before if verb == "action" else verb


def _read(event: Mapping[str, Any], name: str) -> str:
    return str((event.get(name) or {}).get("value") or "")


def _list_parents(resource_id: str) -> Iterator[str]:
    """What a resource is in, from the inside: its parents, then its group."""
    parts = resource_id.split("/")
    while len(parts) > _GROUP_PARTS:
        parts = parts[:-2]
        if parts[-2].lower() != "providers":
            yield "/".join(parts)


def _stamp(instant: dt.datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

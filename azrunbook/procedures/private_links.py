"""Front Door's private links: when an origin can be put, and that its owner lets it in.

Front Door asks for a connection while an origin is put, so what the origin leads to must be there
before. A storage account is; the private link service of a region comes with its ingress. So 01
leaves out the origins that wait for the ingress, with what depends on them, and 02 puts them. Where
Terraform provisions, 02 leaves them to another run of 01: they must get into its state.

A connection carries nothing until the owner of what it leads to has approved it. Here that is the
same estate, so the runbook approves what asks with the estate's own message. Taken back, it is
rejected: Azure knows no way back to a request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from azrunbook import checks, connect, plan as plans, resources, wait
from azrunbook.procedures import actions
from azrunbook.resources import model

GROUP = "private links"
EDGE_GROUP = "front door"
_TYPE = "private link"
_STATE = "privateLinkServiceConnectionState"
_LOOK_SECONDS = 1.0
_APPROVAL_SECONDS = 600.0


@dataclass(frozen=True)
class Link:
    """The private link of one origin.

    Attributes:
        target: id of what it leads to.
        is_there: whether that exists.
        states: of the connections that were asked for, in Azure's words; none: not asked yet.
    """

    origin: resources.DesiredResource
    target: str
    is_there: bool = False
    states: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return set(self.states) == {"Approved"}

    @property
    def is_by_ingress(self) -> bool:
        """Whether what it leads to comes with the ingress."""
        return _find_type(self.target) == model.LINK_SERVICE


@dataclass(frozen=True)
class Facts:
    """The private links of an estate, and what of those by the ingress is not in Azure.

    Attributes:
        absent: origins behind an ingress, and what depends on them, in an order to put them in.
    """

    links: tuple[Link, ...] = ()
    absent: tuple[resources.DesiredResource, ...] = ()


NONE = Facts()


def observe(clients: connect.Clients) -> Facts:
    """Ask Azure for every private link of the estate; an estate without one asks nothing."""
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    links = clients.for_each(lambda link: _look(clients, link), _list_links(desired))
    behind = {link.origin.id for link in links if link.is_by_ingress}
    late = []
    for one in desired:  # each after what it depends on
        if one.id in behind or behind & set(one.depends_on):
            behind.add(one.id)
            late.append(one)
    found = clients.for_each(lambda one: clients.arm.find(one.id, one.api_version), late)
    absent = tuple(one for one, body in zip(late, found, strict=True) if body is None)
    return Facts(tuple(links), absent)


def _list_links(desired: Iterable[resources.DesiredResource]) -> list[Link]:
    return [
        Link(one, str(shared["privateLink"]["id"]))
        for one in desired
        if one.type == model.ORIGIN
        and (shared := one.body["properties"].get("sharedPrivateLinkResource"))
    ]


def _look(clients: connect.Clients, link: Link) -> Link:
    if clients.arm.find(link.target, _find_version(link.target)) is None:
        return link
    states = [_read_state(one) for one in _list_asked(clients, link)]
    return Link(link.origin, link.target, is_there=True, states=tuple(states))


def _list_asked(clients: connect.Clients, link: Link) -> list[dict[str, Any]]:
    """The connections that this estate's Front Door asked for, known by what it says."""
    message = link.origin.body["properties"]["sharedPrivateLinkResource"]["requestMessage"]
    return [
        one
        for one in clients.arm.list(
            f"{link.target}/privateEndpointConnections", _find_version(link.target)
        )
        if one["properties"][_STATE].get("description") == message
    ]


def _read_state(connection: Mapping[str, Any]) -> str:
    return str(connection["properties"][_STATE]["status"])


def _find_type(target: str) -> str:
    return "/".join(target.split("/")[6:8])


def _find_version(target: str) -> str:
    return model.get_api_version(_find_type(target))


def list_waiting(facts: Facts) -> tuple[resources.DesiredResource, ...]:
    """What cannot be put yet because an ingress is not there; pure."""
    waiting = {
        link.origin.id: link.origin
        for link in facts.links
        if link.is_by_ingress and not link.is_there and link.origin in facts.absent
    }
    for one in facts.absent:
        if waiting.keys() & set(one.depends_on):
            waiting[one.id] = one
    return tuple(waiting.values())


def list_due(facts: Facts) -> tuple[Link, ...]:
    """The links whose origin can be put; pure."""
    waiting = list_waiting(facts)
    return tuple(link for link in facts.links if link.origin not in waiting)


def note_waiting(facts: Facts, *, again: bool = False) -> tuple[str, ...]:
    """What 01 says of what it leaves to 02, or to a run ``again`` of itself after that; pure."""
    waiting = list_waiting(facts)
    if not waiting:
        return ()
    names = ", ".join(one.path_name for one in waiting)
    who = "this procedure, run again after 02_roll_out_ingress" if again else "02_roll_out_ingress"
    return (f"{names}: put by {who}, whose private link services they lead to",)


def plan_edge(facts: Facts) -> tuple[tuple[plans.Change, ...], tuple[plans.Step, ...]]:
    """Put what waited for the ingress, once that is there; pure."""
    names = {one.id: f"put {one.type} {one.path_name} [{one.region}]" for one in facts.absent}
    changes = tuple(
        plans.Change("create", one.type, one.name, one.region, one.id) for one in facts.absent
    )
    steps = tuple(
        plans.Step(
            name=names[one.id],
            group=EDGE_GROUP,
            action="put_resource",
            arguments={"resource_id": one.id},
            undo=(
                plans.Undo(
                    "delete_resource", {"resource_id": one.id, "api_version": one.api_version}
                ),
            ),
            after=tuple(names[id_] for id_ in one.depends_on if id_ in names),
            timeout_seconds=900,
        )
        for one in facts.absent
    )
    return changes, steps


def plan_approvals(
    links: Iterable[Link],
) -> tuple[tuple[plans.Change, ...], tuple[plans.Step, ...]]:
    """Approve what is not approved, also what is only about to be asked for; pure."""
    closed = [link for link in links if not link.is_open]
    return tuple(map(_change, closed)), tuple(map(_step, closed))


def _change(link: Link) -> plans.Change:
    place = f"{link.target}/privateEndpointConnections"
    where = (_TYPE, link.origin.path_name, link.origin.region, place)
    if not link.states:
        return plans.Change("create", *where)
    now = ", ".join(sorted(set(link.states)))
    path = f"properties.{_STATE}.status"
    return plans.Change("update", *where, (plans.PropertyChange(path, now, "Approved"),))


def _step(link: Link) -> plans.Step:
    arguments = {"origin_id": link.origin.id}
    return plans.Step(
        name=f"approve {_TYPE} {link.origin.path_name} [{link.origin.region}]",
        group=GROUP,
        action="approve_link",
        arguments=arguments,
        undo=(plans.Undo("reject_link", arguments),),
        timeout_seconds=_APPROVAL_SECONDS,
    )


def check(facts: Facts) -> list[checks.CheckResult]:
    """Every private link whose origin is there is approved; pure."""
    return [
        checks.CheckResult(
            name=f"private link of {link.origin.path_name}",
            passed=link.is_open,
            criterion="asked for by Front Door, and approved",
            found=", ".join(link.states) or "not asked for",
            advice="run this notebook again; when Disconnected, delete the origin first",
        )
        for link in facts.links
        if link.origin not in facts.absent
    ]


@actions.action("approve_link")
def approve_link(clients: connect.Clients, progress: actions.Progress, *, origin_id: str) -> str:
    """Wait until Front Door has asked for an origin's connection, and approve it."""
    link = _find_link(clients, origin_id)

    def look() -> wait.Seen[list[dict[str, Any]]]:
        asked = _list_asked(clients, link)
        return wait.Seen(asked, bool(asked), f"{len(asked)} connections asked for")

    asked = wait.wait_until(
        look,
        what=f"Front Door asks {link.target.rpartition('/')[2]} for a connection",
        timeout=progress.remaining_seconds,
        interval=_LOOK_SECONDS,
        progress=progress,
    )
    return _decide(clients, progress, link, asked, "Approved")


@actions.action("reject_link")
def reject_link(clients: connect.Clients, progress: actions.Progress, *, origin_id: str) -> str:
    """Let nothing through any more; where there is nothing to let through, that is as good."""
    link = _find_link(clients, origin_id)
    if not _look(clients, link).is_there:
        return "what it led to is gone"
    return _decide(clients, progress, link, _list_asked(clients, link), "Rejected")


def _find_link(clients: connect.Clients, origin_id: str) -> Link:
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    return next(link for link in _list_links(desired) if link.origin.id == origin_id)


def _decide(
    clients: connect.Clients,
    progress: actions.Progress,
    link: Link,
    asked: Iterable[Mapping[str, Any]],
    status: str,
) -> str:
    changed = [one for one in asked if _read_state(one) != status]
    for one in changed:
        state = {**one["properties"][_STATE], "status": status}
        clients.put(
            str(one["id"]),
            _find_version(link.target),
            {"properties": {_STATE: state}},
            timeout=progress.remaining_seconds,
            progress=progress,
        )
    return f"{status} {len(changed)} of {link.target.rpartition('/')[2]}"

"""Move the data to another region: promote a replica, part and join caches. Plans are pure.

A switchover swaps the roles of both servers and takes the virtual endpoint along. Planned, it waits
until the replica has everything. Forced, it does not, for a primary that may be gone: what the
replica had not received is lost for good, and no undo brings it back; the undo then is the planned
switchover back, once the old primary follows (Azure lets it, because the two stay one set; a
stand-alone promotion, from which there is no such way, is not used here).
"""

from collections.abc import Sequence

from azrunbook import connect, errors, plan as plans, postgres as flexible, wait, writes
from azrunbook.procedures import actions, data_roles
from azrunbook.resources import model

GROUP = "promote the data"
RETURN_GROUP = "return the data"
PROMOTION = "promote_server"
_STEP_TIMEOUT_SECONDS = 1800
_LOOK_SECONDS = 0.5
_ONE_WAY = (
    "A forced promotion is one-way: what the replica had not received is lost, and no undo brings "
    "it back. The undo makes {before} the primary again, with what {after} has by then."
)
Parts = tuple[Sequence[plans.Change], Sequence[plans.Step], Sequence[str]]


def plan_promotion(
    facts: data_roles.Facts | None, before: str, after: str, promote: writes.Promote
) -> Parts:
    """Make the region ``after`` take the writes of ``before``: changes, steps, notes; pure."""
    if promote == "none":
        return (), (), ("The data stays where it is.",)
    if facts is None:
        return (), (), ("There is nothing to promote: the estate's database has no replica.",)
    if facts.writer != before:
        where = facts.writer or "nowhere"
        return (), (), (f"There is nothing to promote: the database takes writes in {where}.",)
    forecast = writes.forecast(promote, facts.lag_seconds)
    step = _promote(facts, before, after, promote)
    silence = f"{forecast.silence[0]:g} to {forecast.silence[1]:g} s"
    notes = [f"No write is confirmed for {silence} while the database's roles are swapped."]
    if promote == "planned":
        return (
            _describe_swap(facts, before, after),
            (step,),
            (*notes, "No confirmed write is lost."),
        )
    notes += [
        f"By the replica's lag, the writes of the last {forecast.loss[1]:g} s are lost.",
        _ONE_WAY.format(before=before, after=after),
    ]
    if not facts.links:
        return _describe_swap(facts, before, after), (step,), notes
    parting = plans.Step(
        name=f"go on without the cache of {before}",
        group=GROUP,
        action="unlink_cache",
        arguments={"location": after, "gone": before},
        undo=(plans.Undo("join_cache", {"location": before}),),
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )
    parted = plans.Change(
        "update", model.MANAGED_CACHE_DATABASE, "default", after,
        properties=(_change("linkedDatabases", f"{after}, {before}", after),),
    )  # fmt: skip
    return (*_describe_swap(facts, before, after), parted), (step, parting), notes


def plan_return(facts: data_roles.Facts | None, home: str, promote: writes.Promote) -> Parts:
    """Bring the data back to the region ``home``, losing nothing; pure."""
    if facts is None or promote == "none":
        return plan_promotion(facts, "", home, promote)
    changes: list[plans.Change] = []
    steps: list[plans.Step] = []
    notes: list[str] = []
    away = facts.writer
    if not facts.is_linked:
        steps.append(_join(home, away))
        changes.append(
            plans.Change(
                "update", model.MANAGED_CACHE_DATABASE, "default", home,
                properties=(_change("linkedDatabases", facts.links[home], data_roles.LINKED),),
            )
        )  # fmt: skip
        notes.append(f"The cache of {home} gives up what only it holds, and follows again.")
    if away == home:
        return changes, steps, (*notes, f"The database takes writes in {home} already.")
    caught_up = plans.Step(
        name=f"wait until the database of {home} has caught up",
        group=RETURN_GROUP,
        action="await_replica",
        arguments={"location": home},
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )
    promotion = _promote(
        facts, away, home, "planned", group=RETURN_GROUP, waits_for=(caught_up.name,)
    )
    forecast = writes.forecast("planned", facts.lag_seconds)
    notes.append(
        f"No write is confirmed for {forecast.silence[0]:g} to {forecast.silence[1]:g} s while the "
        f"database goes back to {home}; none that was confirmed is lost."
    )
    swap = _describe_swap(facts, away, home)
    return (*changes, *swap), (*steps, caught_up, promotion), notes


def _promote(
    facts: data_roles.Facts,
    before: str,
    after: str,
    promote: writes.Promote,
    *,
    group: str = GROUP,
    waits_for: tuple[str, ...] = (),
) -> plans.Step:
    is_forced = promote == "forced"
    return plans.Step(
        name=f"promote {facts.servers[after].name} ({promote})",
        group=group,
        action=PROMOTION,
        arguments={"location": after, "is_forced": is_forced},
        # In reverse order: first it follows, then it takes over.
        undo=(
            plans.Undo(PROMOTION, {"location": before, "is_forced": False}),
            plans.Undo("await_replica", {"location": before, "was_forced": is_forced}),
        ),
        after=waits_for,
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )


def _join(home: str, away: str) -> plans.Step:
    return plans.Step(
        name=f"link the cache of {home} again",
        group=RETURN_GROUP,
        action="join_cache",
        arguments={"location": home},
        undo=(plans.Undo("unlink_cache", {"location": away, "gone": home}),)
        if away != home
        else (),
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )


def _describe_swap(facts: data_roles.Facts, before: str, after: str) -> list[plans.Change]:
    old, new = facts.servers[before], facts.servers[after]
    swapped = [
        plans.Change(
            "update", model.SERVER, one.name, one.location,
            properties=(_change("replicationRole", one.role, other.role),),
        )
        for one, other in ((new, old), (old, new))
    ]  # fmt: skip
    moved = [
        plans.Change(
            "update", model.VIRTUAL_ENDPOINT, one.name, model.GLOBAL,
            properties=(_change("members", f"{old.name}, {new.name}", f"{new.name}, {old.name}"),),
        )
        for one in facts.endpoints
    ]  # fmt: skip
    return [*swapped, *moved]


def _change(name: str, before: str, after: str) -> plans.PropertyChange:
    return plans.PropertyChange(f"properties.{name}", before, after)


@actions.action(PROMOTION)
def promote_server(
    clients: connect.Clients, progress: actions.Progress, *, location: str, is_forced: bool
) -> str:
    """Make a region's server the primary; one that is already is as good."""
    id_ = data_roles.server_id(clients, location)
    if data_roles.is_primary(clients.postgres.get_server(id_)):
        return "takes writes already"
    clients.postgres.promote(
        id_, is_forced=is_forced, timeout=progress.remaining_seconds, progress=progress
    )
    return f"{location} takes writes"


@actions.action("await_replica")
def await_replica(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    location: str,
    was_forced: bool = False,
) -> str:
    """Wait until a region's server follows the primary, or is it, with nothing going on on it."""
    if was_forced:
        progress("what the replica had not received when it was forced stays lost")
    server = wait.wait_until(
        lambda: _look(clients, location),
        what=f"the database of {location} follows",
        timeout=progress.remaining_seconds,
        interval=_LOOK_SECONDS,
        progress=progress,
    )
    return server.replication_state or "takes writes"


def _look(clients: connect.Clients, location: str) -> wait.Seen[flexible.Server]:
    facts = data_roles.observe(clients)
    server = facts.servers.get(location) if facts else None
    if facts is None or server is None:
        raise errors.NotFoundError(
            f"there is no database in {location}: expected a replica. Make it anew: "
            "azrunbook run 01_provision_estate"
        )
    is_settled = all(one.state == data_roles.READY for one in facts.servers.values())
    is_following = data_roles.is_primary(server) or server.replication_state == data_roles.ACTIVE
    return wait.Seen(server, is_settled and is_following, data_roles.describe(server))


@actions.action("unlink_cache")
def unlink_cache(
    clients: connect.Clients, progress: actions.Progress, *, location: str, gone: str
) -> str:
    """Let a region's cache go on without another's; it keeps what it has."""
    caches = data_roles.list_caches(clients)
    linked = {one.lower() for one in clients.redis.list_links(caches[location])}
    if caches[gone].lower() not in linked:
        return "was not linked"
    clients.redis.unlink(
        caches[location], [caches[gone]], timeout=progress.remaining_seconds, progress=progress
    )
    return f"goes on without {gone}"


@actions.action("join_cache")
def join_cache(clients: connect.Clients, progress: actions.Progress, *, location: str) -> str:
    """Link a region's cache with the others again; what only it holds is given up."""
    caches = data_roles.list_caches(clients)
    others = [id_ for place, id_ in caches.items() if place != location]
    if data_roles.are_linked(data_roles.read_links(clients)):
        return "was linked"
    clients.redis.join(
        caches[location],
        clients.estate.project,
        others,
        timeout=progress.remaining_seconds,
        progress=progress,
    )

    def look() -> wait.Seen[None]:  # the operation ends before the caches have what they need
        links = data_roles.read_links(clients)
        return wait.Seen(None, data_roles.are_linked(links), data_roles.describe_links(links))

    wait.wait_until(
        look,
        what=f"the cache of {location} is linked",
        timeout=progress.remaining_seconds,
        interval=_LOOK_SECONDS,
        progress=progress,
    )
    return "linked"

"""Which region's database takes writes, what would take over, and whether the caches are linked.

Facts and checks of the drills 06 and 07, and of what must leave alone what these left. Reading
only; what changes roles is :mod:`.data_steps`. Roles are Azure's and not the estate file's: a
promotion swaps them, and the application follows by the virtual endpoint's name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from azrunbook import checks, connect, errors, estate, postgres as flexible
from azrunbook.resources import model, postgres, redis

LINKED = "Linked"
READY, ACTIVE = "Ready", "Active"
BACK = "azrunbook run 07_fail_back_region"


@dataclass(frozen=True)
class Facts:
    """The data of both regions; roles of servers are Azure's, regions are named by location.

    Attributes:
        servers: by location; a missing one does not exist.
        endpoints: names that lead to the server that takes writes.
        links: the state of each cache's link as the cache sees it, by location; empty without
            active geo-replication.
        lag_seconds: of the replica, as Azure tells it; None: it does not, or there is none.
    """

    servers: Mapping[str, flexible.Server]
    endpoints: tuple[flexible.Endpoint, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    lag_seconds: float | None = None

    @property
    def writer(self) -> str:
        """Where writes go now: a location, empty when none takes writes.

        Two that do are two sets of data; the first is the estate's primary region then.
        """
        return next((place for place, one in self.servers.items() if is_primary(one)), "")

    @property
    def replica_ids(self) -> list[str]:
        return [one.id for one in self.servers.values() if not is_primary(one)]

    def __str__(self) -> str:
        found = [f"{place} {describe(one)}" for place, one in self.servers.items()]
        lag = "" if self.lag_seconds is None else f", {self.lag_seconds:g} s late"
        links = f"; caches {describe_links(self.links)}" if self.links else ""
        return f"{'; '.join(found)}{lag}{links}"

    @property
    def is_linked(self) -> bool:
        return are_linked(self.links)


def are_linked(links: Mapping[str, str]) -> bool:
    return all(state == LINKED for state in links.values())


def describe_links(links: Mapping[str, str]) -> str:
    return "; ".join(f"{place}: {state}" for place, state in links.items())


def is_primary(server: flexible.Server) -> bool:
    return server.role == flexible.PRIMARY


def has_replica(declared: estate.Estate) -> bool:
    """Whether the estate declares a database that a promotion can move."""
    settings = declared.postgres
    return bool(settings and settings.replica and declared.secondary_enabled)


def observe(clients: connect.Clients) -> Facts | None:
    """Look at servers, virtual endpoints and caches of both regions; None: nothing to promote."""
    if not has_replica(clients.estate):
        return None
    found = {
        region.location: server
        for role, region in clients.estate.regions.items()
        if (server := find_server(clients, role))
    }
    facts = Facts(found)
    if not facts.writer:
        return facts
    writer = found[facts.writer]
    # As its primary shows it: only there the state is that of the stream between them.
    replicas = clients.postgres.list_replicas(writer.id)
    shown = {one.location: one for one in replicas}
    return Facts(
        servers={place: shown.get(place, one) for place, one in found.items()},
        endpoints=clients.postgres.list_endpoints(writer.id),
        links=read_links(clients),
        lag_seconds=measure_lag(clients, [one.id for one in replicas]),
    )


def measure_lag(clients: connect.Clients, replica_ids: Iterable[str]) -> float | None:
    """The lag of the latest replica; None where Azure tells of none."""
    told = [clients.postgres.measure_lag(one) for one in replica_ids]
    return max((one for one in told if one is not None), default=None)


def server_id(clients: connect.Clients, role: str) -> str:
    _, region = clients.estate.get_region(role)
    return postgres.server_id(clients.estate, clients.subscription_id, region)


def find_server(clients: connect.Clients, role: str) -> flexible.Server | None:
    try:
        return clients.postgres.get_server(server_id(clients, role))
    except errors.NotFoundError:
        return None


def list_caches(clients: connect.Clients) -> dict[str, str]:
    """The id of each cache that writes and is linked with the others, by location."""
    settings = clients.estate.redis
    if settings is None or settings.kind != "managed" or not settings.geo_replication:
        return {}
    return {
        one.region.location: f"{one.id}/databases/default"
        for one in redis.list_services(clients.estate, clients.subscription_id)
    }


def read_links(clients: connect.Clients) -> dict[str, str]:
    """Each cache's state: that of its group where all are in it, else who is missing."""
    caches = list_caches(clients)
    found = {}
    for place, id_ in caches.items():
        states = {one.lower(): state for one, state in clients.redis.list_links(id_).items()}
        missing = [where for where, one in caches.items() if one.lower() not in states]
        others = sorted(set(states.values()) - {LINKED})
        found[place] = f"without {', '.join(missing)}" if missing else ", ".join(others) or LINKED
    return found


def check_replica(facts: Facts, location: str, limit_seconds: float) -> list[checks.CheckResult]:
    """What is in a region follows the primary, and can take its place by the name of both."""
    replica, names = facts.servers.get(location), ", ".join(one.name for one in facts.endpoints)
    is_following = replica is not None and (replica.state, replica.replication_state) == (
        READY,
        ACTIVE,
    )
    return [
        checks.CheckResult(
            name=f"database replicates to {location}",
            passed=is_following,
            criterion=f"a replica, {READY} and its replication {ACTIVE}",
            found=describe(replica),
            advice="wait for it; a replica that is broken is deleted and made anew by "
            "01_provision_estate. promote=none leaves the data where it is",
        ),
        checks.CheckResult(
            name="replication lag",
            passed=(facts.lag_seconds or 0) <= limit_seconds,
            criterion=f"at most the recovery point's objective, {limit_seconds:g} s",
            found="not told" if facts.lag_seconds is None else f"{facts.lag_seconds:g} s",
            advice="wait until the replica has caught up; look at what is written to its primary",
        ),
        checks.CheckResult(
            name="virtual endpoint",
            passed=bool(facts.endpoints),
            criterion="a name that moves with the primary, or the application stays behind",
            found=names or "none",
            advice="set postgres.virtual_endpoint, then 01_provision_estate and 03_release_app",
        ),
    ]


def check_linked(facts: Facts) -> list[checks.CheckResult]:
    """Every cache has what the others have."""
    if not facts.links:
        return []
    return [
        checks.CheckResult(
            name="caches linked",
            passed=facts.is_linked,
            criterion="every cache of the group is linked",
            found=describe_links(facts.links),
            advice=BACK,
        )
    ]


def check_writer(facts: Facts, locations: Iterable[str]) -> checks.CheckResult:
    """Writes go where they should, and the applications' name leads there."""
    expected = sorted(locations)
    names = ", ".join(one.name for one in facts.endpoints) or "no virtual endpoint"
    return checks.CheckResult(
        name="database takes writes",
        passed=facts.writer in expected and bool(facts.endpoints),
        criterion=f"the primary is in {' or '.join(expected)}, by the virtual endpoint's name",
        found=f"{facts.writer or 'none'}, {names}",
        advice="look at the servers' roles in the portal before anything else",
    )


def describe(server: flexible.Server | None) -> str:
    if server is None:
        return "no server"
    return ", ".join(filter(None, (server.role, server.state, server.replication_state)))


def check_is_replica(facts: Facts, location: str) -> checks.CheckResult:
    """A server that is to come back follows the one that took over: no two sets of data."""
    server = facts.servers.get(location)
    return checks.CheckResult(
        name=f"database of {location} follows",
        passed=server is not None and (facts.writer == location or not is_primary(server)),
        criterion="it has the data already, or is a replica of the server that has",
        found=describe(server),
        advice="a server that was promoted by itself cannot follow again: save what only it has, "
        f"delete {model.SERVER} there and run 01_provision_estate, which makes it anew",
    )

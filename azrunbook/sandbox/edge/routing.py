"""Which route and which origin a request gets; sans-IO, no clock, no randomness.

Route: most specific first by protocol, then host, then path (exact before wildcard, longest
wildcard before shorter), as Front Door's "route matching" article lays down. Origin, as its
"routing methods" article: enabled and healthy, then lowest priority, then within the latency
window of the fastest, then by weight in turns. When no origin of a group is healthy, all enabled
ones are used in turn, whatever their priority ("complete health probe failure"): a wrong probe
must not take a working site down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from azrunbook.sandbox.edge import config


@dataclass(frozen=True)
class Health:
    """What is known of an origin; no latency means that no good probe has been seen."""

    is_healthy: bool
    latency_seconds: float | None = None


@dataclass(frozen=True)
class Candidate:
    """An origin a request may go to, with its share of the turns."""

    origin: config.Origin
    weight: int


@dataclass(frozen=True)
class Match:
    """A route together with the one of its patterns that matched."""

    route: config.Route
    pattern: str


def is_known_host(edge: config.EdgeConfig, host: str) -> bool:
    """Whether any route answers for this host, whatever the path and protocol."""
    return any(_host_rank(name, host) for route in edge.routes for name in route.hosts)


def find_route(edge: config.EdgeConfig, *, host: str, path: str, is_https: bool) -> Match | None:
    """The most specific route for a request; `host` without port, `path` without query."""
    best: tuple[tuple[int, int], Match] | None = None
    for route in edge.routes:
        if not (route.accepts_https if is_https else route.accepts_http):
            continue
        host_rank = max((_host_rank(name, host) for name in route.hosts), default=0)
        for pattern in route.patterns:
            path_rank = _path_rank(pattern, path)
            rank = (host_rank, path_rank)
            if host_rank and path_rank and (best is None or rank > best[0]):
                best = (rank, Match(route, pattern))
    return best[1] if best else None


def forward_path(match: Match, path: str) -> str:
    """The path the origin is asked for: the client's, unless the route has an origin path.

    With one, the part matched by the wildcard is appended to it; an exact pattern is replaced
    ("URL rewrite" article).
    """
    base = match.route.origin_path
    if not base:
        return path
    if not match.pattern.endswith("*"):
        return base
    return base.rstrip("/") + "/" + path[len(match.pattern) - 1 :].lstrip("/")


def uses_https(route: config.Route, *, is_https: bool) -> bool:
    """Whether the request goes on to the origin over TLS."""
    return {"HttpOnly": False, "HttpsOnly": True}.get(route.forwarding, is_https)


def select_candidates(
    group: config.OriginGroup, health: Callable[[config.Origin], Health]
) -> tuple[Candidate, ...]:
    """The origins a request of this group may go to now; empty when none is enabled."""
    enabled = [origin for origin in group.origins if origin.is_enabled]
    known = {origin.id: health(origin) for origin in enabled}
    healthy = [origin for origin in enabled if known[origin.id].is_healthy]
    if not healthy:
        return tuple(Candidate(origin, 1) for origin in enabled)
    first = min(origin.priority for origin in healthy)
    nearest = [origin for origin in healthy if origin.priority == first]
    latencies = {origin.id: known[origin.id].latency_seconds or 0.0 for origin in nearest}
    limit = min(latencies.values()) + group.balancing.additional_latency_seconds
    return tuple(Candidate(o, o.weight) for o in nearest if latencies[o.id] <= limit)


class Rotation:
    """Takes turns among candidates in the ratio of their weights, evenly spread.

    Smooth weighted round robin: at weights 3 and 1 the order is a a b a, not a a a b, so that
    shares also hold over a few requests. One per origin group.
    """

    def __init__(self) -> None:
        self._credit: dict[str, int] = {}

    def pick(self, candidates: Sequence[Candidate]) -> config.Origin | None:
        """The next origin, or None without candidates."""
        if not candidates:
            return None
        credit = {c.origin.id: self._credit.get(c.origin.id, 0) + c.weight for c in candidates}
        chosen = max(candidates, key=lambda c: credit[c.origin.id])
        credit[chosen.origin.id] -= sum(c.weight for c in candidates)
        self._credit = credit
        return chosen.origin


def _host_rank(name: str, host: str) -> int:
    """2 for the very host, 1 for a wildcard domain over it, 0 for another host."""
    if name == host:
        return 2
    label, _, parent = host.partition(".")
    return int(bool(label) and name == f"*.{parent}")


def _path_rank(pattern: str, path: str) -> int:
    """0 for no match; an exact match outranks every wildcard, a long one outranks a short one."""
    pattern, path = pattern.lower(), path.lower()
    if not pattern.endswith("*"):
        return len(path) + 2 if pattern == path else 0
    return len(pattern) if path.startswith(pattern[:-1]) else 0

"""What stands beside the declared releases and nobody declares: Helm releases and objects.

Looked for where the releases are, and under their names elsewhere; what else a cluster holds is
other people's. Told only: a person decides. What a controller, an owner or a release made is not
told, by the managers that the API server keeps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from azrunbook import connect, estate, live_drift
from azrunbook.procedures import release_steps

# A release as it is declared: and kind, namespace and name of its objects.
Declared = tuple[release_steps.Spec, frozenset[tuple[str, str, str]]]


@dataclass(frozen=True)
class Stranger:
    """A release or an object of one region's cluster; Helm does not say who made a release."""

    location: str
    kind: str
    name: str
    author: live_drift.Author | None = None


def observe(clients: connect.Clients, declared: Sequence[Declared]) -> tuple[Stranger, ...]:
    """Look into the clusters of all regions that have a declared release, at once."""

    def look(role: estate.RegionName) -> list[Stranger]:
        mine = [(spec, stated) for spec, stated in declared if spec.role == role]
        return [*_list_releases(clients, role, mine), *_list_objects(clients, role, mine)]

    roles = sorted({spec.role for spec, _ in declared})
    return tuple(one for found in clients.for_each(look, roles) for one in found)


def _list_releases(
    clients: connect.Clients, role: estate.RegionName, declared: Sequence[Declared]
) -> Iterator[Stranger]:
    known = {(spec.namespace, spec.name) for spec, _ in declared}
    namespaces, names = (set(one) for one in zip(*known, strict=True))
    for one in clients.region(role).releases.list():
        is_near = one.namespace in namespaces or one.name in names
        if is_near and (one.namespace, one.name) not in known:
            location = clients.estate.regions[role].location
            yield Stranger(location, release_steps.TYPE, f"{one.namespace}/{one.name}")


def _list_objects(
    clients: connect.Clients, role: estate.RegionName, declared: Sequence[Declared]
) -> Iterator[Stranger]:
    stated = {one for _, objects in declared for one in objects}
    for namespace in sorted({spec.namespace for spec, _ in declared}):
        for live in clients.region(role).objects.list_all(namespace):
            author, name = live_drift.find_stranger(live), str(live["metadata"]["name"])
            if author and (live["kind"], namespace, name) not in stated:
                location = clients.estate.regions[role].location
                yield Stranger(location, str(live["kind"]), f"{namespace}/{name}", author)

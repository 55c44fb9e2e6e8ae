"""What a drift audit looks at, layer by layer: Azure with its log, releases, objects, nodes.

Reading only. What a stopped cluster holds cannot be asked for, so each region says first whether it
can be looked into; its releases and nodes are then left out, not taken for missing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from azrunbook import activity_log, connect, errors, estate, live_drift, releases
from azrunbook.procedures import (
    app_release,
    drift_strangers,
    ingress_rollout,
    provision,
    release_steps,
    tear_down,
)
from azrunbook.resources import cluster, model

Part = Literal["ingress", "app"]
State = Literal["running", "stopped", "absent", "silent"]
_WORDS: Mapping[State, str] = {
    "running": "running",
    "stopped": "stopped, as a failover leaves it",
    "absent": "the cluster does not exist",
    "silent": "the cluster does not answer",
}


@dataclass(frozen=True)
class RegionState:
    """Whether one region's cluster can be looked into; ``silent``: it runs and does not answer."""

    role: estate.RegionName
    location: str
    cluster: str
    state: State

    @property
    def words(self) -> str:
        return _WORDS[self.state]


@dataclass(frozen=True)
class ObjectFact:
    """One object of a release that is not as its manifest says; it is gone when ``is_missing``.

    Attributes:
        reference: apiVersion, kind, and the metadata's name and namespace.
        differences: what the manifest states and is not so.
        additions: what it does not state and somebody added.
    """

    reference: Mapping[str, Any]
    is_missing: bool
    differences: tuple[live_drift.Difference, ...] = ()
    additions: tuple[live_drift.Addition, ...] = ()

    @property
    def removable(self) -> tuple[live_drift.Addition, ...]:
        """What of the additions may be taken out: what is hidden could not be put back."""
        return tuple(one for one in self.additions if one.value != live_drift.HIDDEN)

    @property
    def kind(self) -> str:
        return str(self.reference["kind"])

    @property
    def name(self) -> str:
        metadata = self.reference["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}"


@dataclass(frozen=True)
class ReleaseFact:
    """One region's release against its chart, and its objects against its manifest.

    Attributes:
        part: ``ingress`` or ``app``.
        newest: the last entry of its history, of one that is not as its chart; else None.
        stated: kind, namespace and name of each object of its manifest.
    """

    part: Part
    fact: release_steps.Fact
    newest: releases.Revision | None = None
    objects: tuple[ObjectFact, ...] = ()
    stated: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def is_drifted(self) -> bool:
        """Whether releasing again is what heals it; additions are taken out one by one."""
        lost = any(one.is_missing or one.differences for one in self.objects)
        return self.fact.action != "no_change" or lost


@dataclass(frozen=True)
class NodeFact:
    """One node: its pool, whether it is cordoned, and who cordoned it."""

    name: str
    pool: str
    is_cordoned: bool
    author: live_drift.Author | None


@dataclass(frozen=True)
class Layers:
    """Everything an audit has seen.

    Attributes:
        azure: every declared resource and what Azure has of it.
        undeclared: what stands in the estate's groups and nobody declares, by id.
        image: the app's image; None when there is no registry to ask.
        nodes: of each region that could be asked.
        strangers: what nobody declares beside the releases.
        writes: of what drifted in Azure, by id in lower case: who wrote it last; None: not told.
        log_error: why Azure's activity log could not be read; empty when it could.
    """

    azure: provision.Facts
    undeclared: Mapping[str, Mapping[str, Any]]
    regions: tuple[RegionState, ...]
    releases: tuple[ReleaseFact, ...] = ()
    image: app_release.Facts | None = None
    nodes: Mapping[estate.RegionName, tuple[NodeFact, ...]] = field(default_factory=dict)
    strangers: tuple[drift_strangers.Stranger, ...] = ()
    writes: Mapping[str, activity_log.Write | None] = field(default_factory=dict)
    log_error: str = ""


def observe(clients: connect.Clients) -> Layers:
    """Look at all layers; a region that does not answer is a fact, not an error."""
    azure = provision.observe(clients)
    found = tear_down.observe(clients)
    undeclared = {id_: found.existing[id_] for id_ in found.undeclared}
    writes, log_error = _find_writes(clients, azure, undeclared)
    regions = tuple(clients.for_each(lambda role: _look(clients, role, azure), _roles(clients)))
    running = [one.role for one in regions if one.state == "running"]
    image = _observe_app(clients, azure, running)
    specs = [one for one in ingress_rollout.list_specs(clients) if one.role in running]
    helm: list[tuple[Part, release_steps.Fact]] = [
        *(("ingress", fact) for fact in release_steps.observe(clients, specs)),
        *(("app", fact) for fact in (image.releases.regions if image else ())),
    ]
    observed = tuple(clients.for_each(lambda one: _observe_release(clients, *one), helm))
    return Layers(
        azure=azure,
        undeclared=undeclared,
        regions=regions,
        releases=observed,
        image=image,
        nodes={role: _list_nodes(clients, role) for role in running},
        strangers=drift_strangers.observe(
            clients, [(one.fact.spec, one.stated) for one in observed]
        ),
        writes=writes,
        log_error=log_error,
    )


def _find_writes(
    clients: connect.Clients, azure: provision.Facts, undeclared: Collection[str]
) -> tuple[dict[str, activity_log.Write | None], str]:
    """Who wrote each thing that drifted, and why it cannot be told."""
    drifted = [one for one in provision.plan(azure).changes if one.id and one.action != "no_change"]
    gone = {one.id: one.action == "create" for one in drifted} | dict.fromkeys(undeclared, False)

    def find(id_: str) -> activity_log.Write | None:
        return clients.activity_log.find_last(id_, is_gone=gone[id_])

    try:
        found = clients.for_each(find, gone)
    except errors.StepError as error:
        return {}, str(error)
    return {id_.lower(): one for id_, one in zip(gone, found, strict=True)}, ""


def _roles(clients: connect.Clients) -> list[estate.RegionName]:
    return list(clients.estate.regions)


def _look(clients: connect.Clients, role: estate.RegionName, azure: provision.Facts) -> RegionState:
    location = clients.estate.regions[role].location
    declared = next(
        one for one in azure.desired if one.type == model.CLUSTER and one.region == location
    )
    return RegionState(
        role, location, declared.name, _find_state(clients, role, azure.actual[declared.id])
    )


def _find_state(
    clients: connect.Clients, role: estate.RegionName, body: Mapping[str, Any] | None
) -> State:
    if body is None:
        return "absent"
    if cluster.is_stopped(body):
        return "stopped"
    try:
        clients.region(role).workloads.get_version()
    except errors.ConnectError:
        return "silent"
    return "running"


def _observe_app(
    clients: connect.Clients, azure: provision.Facts, roles: Collection[str]
) -> app_release.Facts | None:
    registry = next(one for one in azure.desired if one.type == model.REGISTRY)
    if azure.actual[registry.id] is None:
        return None
    return app_release.observe(clients, roles=roles)


def _observe_release(clients: connect.Clients, part: Part, fact: release_steps.Fact) -> ReleaseFact:
    """The objects of a release that is not deployed are nobody's word, and not compared."""
    if fact.current is None:
        return ReleaseFact(part, fact)
    spec, region = fact.spec, clients.region(fact.spec.role)
    newest = (
        region.releases.list_revisions(spec.name, spec.namespace)[-1]
        if fact.action != "no_change"
        else None
    )
    objects = [
        (_refer(one, spec.namespace), one)
        for one in region.releases.list_objects(spec.name, spec.namespace)
    ]
    stated = frozenset(
        (one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one, _ in objects
    )
    if fact.current.status != "deployed":
        return ReleaseFact(part, fact, newest, stated=stated)
    found = []
    for reference, declared in objects:
        live = region.objects.find(declared, spec.namespace)
        differences = live_drift.compare(declared, live) if live else ()
        additions = live_drift.list_additions(declared, live) if live else ()
        if live is None or differences or additions:
            found.append(ObjectFact(reference, live is None, differences, additions))
    return ReleaseFact(part, fact, newest, tuple(found), stated)


def _refer(declared: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    metadata = declared["metadata"]
    return {
        "apiVersion": declared["apiVersion"],
        "kind": declared["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata.get("namespace") or namespace,
        },
    }


def _list_nodes(clients: connect.Clients, role: estate.RegionName) -> tuple[NodeFact, ...]:
    bodies = clients.region(role).nodes.take_snapshot().nodes
    pools = {one.name: one.pool for one in clients.region(role).workloads.list_nodes()}
    return tuple(
        NodeFact(
            name=name,
            pool=pools.get(name, ""),
            is_cordoned=bool(body["spec"].get("unschedulable")),
            author=live_drift.find_author(body, ("spec", "unschedulable")),
        )
        for body in bodies
        for name in [str(body["metadata"]["name"])]
    )

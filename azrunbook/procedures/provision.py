"""Procedure 01: make Azure be what the estate file says.

Reads every declared resource, compares what is declared (and nothing else), and puts what differs
along the dependency graph, both regions at once. Running it again changes nothing; running it
after it was killed goes on where it stopped, because Azure is the state. With the second region
not enabled, what there is of it is deleted, users first and the group last. Origins that are
reached by private link wait for the ingress where it is not there yet (:mod:`.private_links`).
"""

import dataclasses
import html
from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from azrunbook import checks, connect, data_writer, errors, estate, plan as plans, resources
from azrunbook.procedures import actions, credentials, placing, preflights, private_links
from azrunbook.resources import model

RESOURCES, REMOVALS = "resources", "removals"
_SETTLED = frozenset({"Succeeded", "Ready"})
# Types whose operations take a quarter of an hour and more on Azure.
_SLOW = frozenset({model.CLUSTER, model.SERVER, model.MANAGED_CACHE, model.CACHE, model.CACHE_LINK})


@dataclass(frozen=True)
class Facts:
    """What is declared, what is to go, and what Azure has of both (None: nothing).

    ``writer`` is the region whose database takes writes, by role.
    """

    desired: tuple[resources.DesiredResource, ...]
    actual: Mapping[str, Mapping[str, Any] | None]
    removed: tuple[resources.DesiredResource, ...] = ()
    signing_in: credentials.Facts | None = None
    links: private_links.Facts = private_links.NONE
    writer: str = "primary"

    @property
    def due(self) -> tuple[resources.DesiredResource, ...]:
        """What is declared and can be there by now."""
        waiting = private_links.list_waiting(self.links)
        return tuple(one for one in self.desired if one not in waiting)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(one.type)}</td><td>{html.escape(one.path_name)}</td>"
            f"<td>{html.escape(one.region)}</td><td>{_state(self.actual[one.id])}</td></tr>"
            for one in self.desired
        )
        head = "<tr><th>type</th><th>name</th><th>region</th><th>in Azure now</th></tr>"
        return f"<table class='facts'>{head}{rows}</table>"


def observe(clients: connect.Clients) -> Facts:
    """Ask Azure for every resource that is declared or to be removed, all at once."""
    writer = data_writer.find(clients.arm, clients.estate, clients.subscription_id)
    desired = resources.desired_resources(clients.estate, clients.subscription_id, writer=writer)
    removed = resources.list_removed(clients.estate, clients.subscription_id)
    every = (*desired, *removed)
    with futures.ThreadPoolExecutor(max_workers=8) as pool:
        found = pool.map(lambda one: clients.arm.find(one.id, one.api_version), every)
        actual = {one.id: body for one, body in zip(every, found, strict=True)}
    signing_in = credentials.observe(clients)
    links = private_links.observe(clients)
    return Facts(desired, actual, removed, signing_in, links, writer)


def preflight(clients: connect.Clients) -> list[checks.CheckResult]:
    """Azure can be what the estate file says; see :mod:`.preflights`."""
    return preflights.check_all(clients)


def plan(facts: Facts) -> plans.Plan:
    """Decide what to create and update; pure.

    A resource that is as declared and did not come to its end (Failed, or still Creating when an
    earlier run was killed) is put again: the put waits for what is in progress.

    Raises:
        PlanError: the second region is to go, and the data is there.
    """
    changes = tuple(
        _finish(change, facts.actual[change.id])
        for change in resources.plan_changes(facts.due, facts.actual)
    )
    by_id = {change.id: change for change in changes}
    approvals, approving = private_links.plan_approvals(private_links.list_due(facts.links))
    steps = [
        _step(one, by_id, facts)
        for one in facts.due
        if by_id[one.id].action in {"create", "update"}
    ]
    gone = [one for one in facts.removed if facts.actual[one.id] is not None]
    _require_no_writer(gone, facts)
    return plans.Plan(
        title="Provision the estate",
        changes=(
            *changes,
            *approvals,
            *credentials.plan_changes(facts.signing_in),
            *(_deletion(one) for one in gone),
        ),
        steps=(
            *steps,
            *approving,
            *credentials.plan_steps(facts.signing_in),
            *_removals(gone),
        ),
        notes=(
            *_notes(changes, gone),
            *_note_writer(facts),
            *credentials.list_notes(facts.signing_in),
            *private_links.note_waiting(facts.links),
        ),
    )


def _deletion(one: resources.DesiredResource) -> plans.Change:
    return plans.Change("delete", one.type, one.name, one.region, one.id)


def _removals(gone: list[resources.DesiredResource]) -> list[plans.Step]:
    """Delete in reverse: what depends on a thing goes before it, and origins before all."""
    origins = [_removal_name(one) for one in gone if one.type == model.ORIGIN]
    steps = []
    for one in gone:
        users = [_removal_name(other) for other in gone if one.id in other.depends_on]
        if one.type == model.GROUP:
            users = [_removal_name(other) for other in gone if other.id != one.id]
        elif one.type != model.ORIGIN:
            users += origins
        steps.append(
            plans.Step(
                name=_removal_name(one),
                group=REMOVALS,
                action="delete_resource",
                arguments={"resource_id": one.id, "api_version": one.api_version},
                after=tuple(dict.fromkeys(users)),
                timeout_seconds=2700,
            )
        )
    return steps


def _removal_name(one: resources.DesiredResource) -> str:
    return f"delete {one.type} {one.path_name} [{one.region}]"


def _finish(change: plans.Change, actual: Mapping[str, Any] | None) -> plans.Change:
    state = _state(actual)
    if change.action != "no_change" or state in _SETTLED:
        return change
    unfinished = plans.PropertyChange("properties.provisioningState", state, "Succeeded")
    return dataclasses.replace(change, action="update", properties=(unfinished,))


def _step(
    one: resources.DesiredResource,
    changes: Mapping[str, plans.Change],
    facts: Facts,
) -> plans.Step:
    before = facts.actual[one.id]
    moved = {} if facts.writer == "primary" else {"writer": facts.writer}
    undo = (
        plans.Undo("delete_resource", {"resource_id": one.id, "api_version": one.api_version})
        if before is None
        else plans.Undo(
            "restore_resource",
            {"resource_id": one.id, "api_version": one.api_version, "body": before},
        )
    )
    needed = [
        _put_name(other)
        for other in facts.due
        if other.id in one.depends_on and changes[other.id].action in {"create", "update"}
    ]
    return plans.Step(
        name=_put_name(one),
        group=RESOURCES,
        action="put_resource",
        arguments={"resource_id": one.id, **moved},
        undo=(undo,),
        after=tuple(needed),
        timeout_seconds=2700 if one.type in _SLOW else 900,
    )


def _put_name(one: resources.DesiredResource) -> str:
    return f"put {one.type} {one.path_name} [{one.region}]"


def _notes(
    changes: tuple[plans.Change, ...], gone: list[resources.DesiredResource]
) -> tuple[str, ...]:
    notes = []
    if replaced := [change.name for change in changes if change.action == "replace"]:
        notes.append(
            f"{', '.join(replaced)} cannot be changed in place; this procedure refuses to replace "
            "it. Move what runs on it first, then delete it by hand and run again."
        )
    if gone:
        notes.append(
            f"the second region is not enabled: {len(gone)} resources of it are deleted, with "
            "their data. Nothing brings them back."
        )
    return tuple(notes)


def _note_writer(facts: Facts) -> list[str]:
    if facts.writer == "primary":
        return []
    note = (
        f"the database takes writes in the {facts.writer} region since a failover. Its roles, the "
        "virtual endpoint and the caches' links are left as they are; azrunbook run "
        "07_fail_back_region brings the data back."
    )
    return [note]


def _require_no_writer(gone: list[resources.DesiredResource], facts: Facts) -> None:
    """Raise a PlanError where a server that takes writes would go with the second region."""

    def takes_writes(one: resources.DesiredResource) -> bool:
        properties = (facts.actual[one.id] or {}).get("properties") or {}
        return one.type == model.SERVER and properties.get("replicationRole") == data_writer.PRIMARY

    if any(map(takes_writes, facts.desired)):
        return
    for one in filter(takes_writes, gone):
        raise errors.PlanError(
            f"{one.name} [{one.region}] would be deleted with the second region, and it alone "
            "takes writes: expected a replica. Enable the region again and bring the data back "
            "first: azrunbook run 07_fail_back_region. Nothing was changed."
        )


def verify(clients: connect.Clients) -> list[checks.CheckResult]:
    """Azure is as declared, and each region's nodes are ready."""
    facts = observe(clients)
    drift = [one for one in plan(facts).changes if one.action != "no_change"]
    pending = [one.name for one in facts.due if _state(facts.actual[one.id]) not in _SETTLED]
    return [
        checks.CheckResult(
            name="estate as declared",
            passed=not drift,
            criterion="a plan made now changes nothing",
            found="; ".join(f"{one.action} {one.name}" for one in drift) or "no change",
            advice="run this notebook again",
        ),
        checks.CheckResult(
            name="resources provisioned",
            passed=not pending,
            criterion=f"all {len(facts.due)} resources in state Succeeded",
            found=f"not yet: {', '.join(pending)}" if pending else "all Succeeded",
            advice="look at the resource in Azure; run this notebook again",
        ),
        *private_links.check(facts.links),
        *(_check_nodes(clients, role) for role in clients.estate.regions),
    ]


def _check_nodes(clients: connect.Clients, role: estate.RegionName) -> checks.CheckResult:
    pools = clients.estate.node_pools
    least = sum(pool.autoscale.min_count if pool.autoscale else pool.count for pool in pools)
    most = sum(pool.autoscale.max_count if pool.autoscale else pool.count for pool in pools)
    name = f"nodes ready in {clients.estate.regions[role].location}"
    # An autoscaled pool has as many as its autoscaler found right.
    wanted = f"{least} nodes" if least == most else f"{least} to {most} nodes"
    criterion = f"{wanted}, all ready, unless the cluster is stopped"

    def count() -> checks.CheckResult:
        region = clients.estate.regions[role]
        if clients.clusters.get(region.resource_group, clients.estate.cluster.name).is_stopped:
            found = "left out: the cluster is stopped (azrunbook run 07_fail_back_region)"
            return checks.CheckResult(name, passed=True, criterion=criterion, found=found)
        nodes = clients.region(role).workloads.list_nodes()
        ready = sum(node.is_ready for node in nodes)
        return checks.CheckResult(
            name=name,
            passed=ready == len(nodes) and least <= ready <= most,
            criterion=criterion,
            found=f"{ready} of {len(nodes)} ready",
            advice="kubectl describe nodes",
        )

    return checks.look(name, criterion, count)


def list_nodes(clients: connect.Clients) -> Any:
    """Every node of the regions whose clusters run, as a data frame."""
    import pandas as pd

    group_of = {role: region.resource_group for role, region in clients.estate.regions.items()}
    stopped = {
        role
        for role, group in group_of.items()
        if clients.clusters.get(group, clients.estate.cluster.name).is_stopped
    }
    rows = [
        {
            "region": region.location,
            "pool": node.pool,
            "node": node.name,
            "zone": node.zone,
            "version": node.version,
            "ready": node.is_ready,
        }
        for role, region in clients.estate.regions.items()
        if role not in stopped
        for node in clients.region(role).workloads.list_nodes()
    ]
    return pd.DataFrame(rows)


def _state(body: Mapping[str, Any] | None) -> str:
    if body is None:
        return "absent"
    properties = body.get("properties") or {}
    return str(properties.get("provisioningState") or properties.get("state") or "Succeeded")


@actions.action("put_resource")
def put_resource(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    resource_id: str,
    writer: str = "primary",
) -> None:
    """Put one declared resource and wait until Azure has it; ``writer`` as when it was planned."""
    placing.put(clients, progress, resource_id, writer=writer)


@actions.action("restore_resource")
def restore_resource(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    resource_id: str,
    api_version: str,
    body: Mapping[str, Any],
) -> None:
    """Put a resource back to what it was before."""
    clients.put(
        resource_id, api_version, body, timeout=progress.remaining_seconds, progress=progress
    )

"""The two regions as a drill sees them: cluster, origin, replicas, and who is affected.

Facts shared by failover and failback, so that both look at the same things and mean the same
words. Reading only, but for the two actions that stop and start a region's cluster.
"""

import html
from dataclasses import dataclass
from typing import Literal

from azrunbook import aks, checks, connect, errors, estate, front_door, plan as plans, writes
from azrunbook.procedures import actions, data_roles

_APP_READY_SECONDS = 600.0
_STEP_TIMEOUT_SECONDS = 1200
Power = Literal["Running", "Stopped"]


@dataclass(frozen=True)
class RegionFacts:
    """One region.

    Attributes:
        power: ``Running`` or ``Stopped``, of the cluster.
        provisioning: the cluster's provisioning state.
        replicas_ready: of the application; 0 when the cluster cannot be asked.
        priority: of the region's origin; the lowest healthy one serves.
    """

    role: estate.RegionName
    location: str
    cluster: str
    resource_group: str
    power: str
    provisioning: str
    is_origin_enabled: bool
    priority: int
    replicas_ready: int
    replicas: int

    @property
    def is_serving(self) -> bool:
        """Whether it could serve: running, enabled, every replica ready."""
        return (
            self.power == "Running"
            and self.is_origin_enabled
            and self.replicas_ready == self.replicas > 0
        )


@dataclass(frozen=True)
class Facts:
    """Both regions, which one the drill is about, and what the edge's settings predict.

    ``data``: the databases' and caches' roles; None where there is nothing that could be promoted.
    """

    target: RegionFacts
    others: tuple[RegionFacts, ...]
    prediction: front_door.Prediction
    objectives: estate.Objectives
    probe_interval_seconds: int
    data: data_roles.Facts | None = None

    @property
    def preferred(self) -> RegionFacts:
        """The region that serves when all are healthy."""
        return min((self.target, *self.others), key=lambda one: one.priority)

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in _row(one)) + "</tr>"
            for one in (self.target, *self.others)
        )
        titles = ("region", "role", "cluster", "power", "origin", "priority", "replicas ready")
        head = "".join(f"<th>{title}</th>" for title in titles)
        table = f"<table class='facts'><tr>{head}</tr>{rows}</table>"
        return f"{table}<p>Data: {html.escape(str(self.data))}</p>" if self.data else table


def _row(one: RegionFacts) -> tuple[object, ...]:
    return (
        one.location,
        one.role,
        one.cluster,
        one.power,
        "enabled" if one.is_origin_enabled else "disabled",
        one.priority,
        f"{one.replicas_ready} of {one.replicas}",
    )


def observe(clients: connect.Clients, *, region: str) -> Facts:
    """Look at both regions.

    Raises:
        NotFoundError: no such region in the estate, or its cluster does not exist.
    """
    target, _ = clients.estate.get_region(region)
    origins = {one.name: one for one in clients.front_door.list_origins()}

    def look(role: estate.RegionName) -> RegionFacts:
        return _observe_region(clients, role, origins)

    found = {one.role: one for one in clients.for_each(look, list(clients.estate.regions))}
    settings = clients.estate.front_door
    return Facts(
        target=found.pop(target),
        others=tuple(found.values()),
        prediction=front_door.predict_detection(settings.health_probe, settings.load_balancing),
        objectives=clients.estate.objectives,
        probe_interval_seconds=settings.health_probe.interval_seconds,
        data=data_roles.observe(clients),
    )


def _observe_region(
    clients: connect.Clients,
    role: estate.RegionName,
    origins: dict[str, front_door.Origin],
) -> RegionFacts:
    declared = clients.estate.regions[role]
    cluster = clients.clusters.get(declared.resource_group, clients.estate.cluster.name)
    origin = origins[declared.location]
    ready, wanted = 0, clients.estate.app.replicas
    if cluster.power == "Running":
        ready, wanted = count_replicas(clients, role)
    return RegionFacts(
        role=role,
        location=declared.location,
        cluster=cluster.name,
        resource_group=declared.resource_group,
        power=cluster.power,
        provisioning=cluster.provisioning_state,
        is_origin_enabled=origin.is_enabled,
        priority=origin.priority,
        replicas_ready=ready,
        replicas=wanted,
    )


def count_replicas(clients: connect.Clients, role: estate.RegionName) -> tuple[int, int]:
    """Ready and wanted replicas of the application in one region."""
    app = clients.estate.app
    found = clients.region(role).workloads.list_deployments(app.namespace, release=app.release)
    return sum(one.ready for one in found), sum(one.replicas for one in found)


def check_serving(one: RegionFacts) -> checks.CheckResult:
    """The region could serve all traffic."""
    return checks.CheckResult(
        name=f"{one.location} can serve",
        passed=one.is_serving,
        criterion="cluster running, origin enabled, every replica ready",
        found=(
            f"cluster {one.power}, origin {'enabled' if one.is_origin_enabled else 'disabled'}, "
            f"{one.replicas_ready} of {one.replicas} replicas ready"
        ),
        advice="azrunbook run 07_fail_back_region, or 03_release_app",
    )


def check_data(
    facts: Facts, locations: set[str], promote: writes.Promote
) -> list[checks.CheckResult]:
    """After a promotion, writes go where they should."""
    if promote == "none" or facts.data is None:
        return []
    return [data_roles.check_writer(facts.data, locations)]


def plan_power(target: RegionFacts, wanted: Power) -> tuple[plans.Change, plans.Step]:
    """What starting or stopping a region's cluster changes, and the step that does it; pure.

    A cluster that is in the wanted state already changes nothing and has no way back.
    """
    verb, back = ("start", "stop") if wanted == "Running" else ("stop", "start")
    is_there = target.power == wanted
    power = plans.PropertyChange("properties.powerState.code", target.power, wanted)
    change = plans.Change(
        action="no_change" if is_there else "update",
        type="Microsoft.ContainerService/managedClusters",
        name=target.cluster,
        region=target.location,
        properties=() if is_there else (power,),
    )
    step = plans.Step(
        name=f"{verb} {target.cluster} in {target.location}",
        group=f"{verb} the region",
        action=f"{verb}_cluster",
        arguments={"role": target.role},
        undo=() if is_there else (plans.Undo(f"{back}_cluster", {"role": target.role}),),
        timeout_seconds=_STEP_TIMEOUT_SECONDS,
    )
    return change, step


def _is_settled(cluster: aks.ManagedCluster, power: Power) -> bool:
    """Whether it has a power state and keeps it: one that is being stopped still says Running."""
    return cluster.power == power and cluster.provisioning_state not in {"Starting", "Stopping"}


@actions.action("stop_cluster")
def stop_cluster(
    clients: connect.Clients, progress: actions.Progress, *, role: estate.RegionName
) -> str:
    """Stop a region's cluster; one that is stopped already is as good."""
    region = clients.estate.regions[role]
    name = clients.estate.cluster.name
    if _is_settled(clients.clusters.get(region.resource_group, name), "Stopped"):
        return "was stopped"
    clients.clusters.stop(
        region.resource_group, name, timeout=progress.remaining_seconds, progress=progress
    )
    return "stopped"


@actions.action("start_cluster")
def start_cluster(
    clients: connect.Clients, progress: actions.Progress, *, role: estate.RegionName
) -> str:
    """Start a region's cluster and wait until its nodes and the application are ready again."""
    region = clients.estate.regions[role]
    name = clients.estate.cluster.name
    if not _is_settled(clients.clusters.get(region.resource_group, name), "Running"):
        clients.clusters.start(
            region.resource_group, name, timeout=progress.remaining_seconds, progress=progress
        )
    app = clients.estate.app
    try:
        clients.region(role).workloads.wait_for_rollout(
            app.namespace,
            release=app.release,
            timeout=min(progress.remaining_seconds, _APP_READY_SECONDS),
            progress=progress,
        )
    except errors.NotFoundError:
        return "started; the application is not released there"
    return "started, application ready"

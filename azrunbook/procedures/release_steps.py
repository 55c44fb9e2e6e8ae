"""Helm releases in every region: observe, plan and take back, for whatever is released.

Shared by the ingress and the application. A release is described by its chart and values; what it
would change is what Helm itself renders, compared with what is deployed. A release that a killed
client left half-way (``pending-upgrade``) is repaired before anything else is done to it.
"""

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azrunbook import checks, connect, estate, plan as plans, releases
from azrunbook.procedures import actions, rollout_watch

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
TYPE = "Helm release"
_TIMEOUT_SECONDS = 300
_SHARE_OF_HELM = 0.6


@dataclass(frozen=True)
class Spec:
    """What shall be released in one region.

    Attributes:
        chart: a folder or archive that Helm can read.
        values: the whole values, no secrets among them.
    """

    role: estate.RegionName
    location: str
    name: str
    namespace: str
    chart: Path
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Fact:
    """One region's release as it is (None: not there), and what releasing would change."""

    spec: Spec
    current: releases.Release | None
    changes: tuple[plans.PropertyChange, ...]
    action: plans.Action


@dataclass(frozen=True)
class Facts:
    """The release in every region."""

    regions: tuple[Fact, ...]
    notes: tuple[str, ...] = field(default=())

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _describe(one)) + "</tr>"
            for one in self.regions
        )
        head = "".join(
            f"<th>{title}</th>"
            for title in ("region", "release", "revision", "status", "chart", "app version")
        )
        return f"<table class='facts'><tr>{head}</tr>{rows}</table>"


def _describe(fact: Fact) -> tuple[str, ...]:
    if fact.current is None:
        return (fact.spec.location, fact.spec.name, "", "not installed", "", "")
    now = fact.current
    revision, chart = str(now.revision), f"{now.chart_name} {now.chart_version}"
    return (fact.spec.location, now.name, revision, now.status, chart, now.app_version)


def observe(clients: connect.Clients, specs: list[Spec]) -> tuple[Fact, ...]:
    """Look at the release in every region, both at once."""

    def look(spec: Spec) -> Fact:
        helm = clients.region(spec.role).releases
        current = helm.find(spec.name, spec.namespace)
        changes = tuple(helm.preview(current, spec.name, spec.namespace, spec.chart, spec.values))
        return Fact(spec, current, changes, _decide(current, changes))

    return tuple(clients.for_each(look, specs))


def _decide(
    current: releases.Release | None, changes: tuple[plans.PropertyChange, ...]
) -> plans.Action:
    if current is None:
        return "create"
    return "update" if changes or current.status != "deployed" else "no_change"


def list_changes(facts: tuple[Fact, ...]) -> tuple[plans.Change, ...]:
    """One change per region; pure."""
    return tuple(
        plans.Change(
            action=one.action,
            type=TYPE,
            name=f"{one.spec.namespace}/{one.spec.name}",
            region=one.spec.location,
            properties=one.changes,
        )
        for one in facts
    )


def list_steps(facts: tuple[Fact, ...], *, action: str) -> tuple[plans.Step, ...]:
    """One step per region that changes, with the way back to what is there now; pure.

    ``action`` is the procedure's own; it knows how to find chart and values again.
    """
    return tuple(_step(one, action) for one in facts if one.action != "no_change")


def _step(fact: Fact, action: str) -> plans.Step:
    spec = fact.spec
    where = {"role": spec.role, "name": spec.name, "namespace": spec.namespace}
    undo = (
        plans.Undo("roll_back_release", {**where, "revision": fact.current.revision})
        if fact.current and fact.current.status == "deployed"
        else plans.Undo("uninstall_release", where)
        if fact.current is None
        else plans.Undo("repair_release", where)
    )
    return plans.Step(
        name=f"release {spec.name} in {spec.location}",
        group="release",
        action=action,
        arguments={"role": spec.role},
        undo=(undo,),
        timeout_seconds=_TIMEOUT_SECONDS,
    )


def check(clients: connect.Clients, spec: Spec) -> list[checks.CheckResult]:
    """The release is deployed as declared and all its replicas are ready."""
    where = f"{spec.name} in {spec.location}"
    region = clients.region(spec.role)

    def as_declared() -> checks.CheckResult:
        fact = observe(clients, [spec])[0]
        return checks.CheckResult(
            name=f"release {where}",
            passed=fact.action == "no_change",
            criterion="deployed, and releasing again would change nothing",
            found=say_state(fact),
            advice="run this notebook again; helm history shows what happened",
        )

    def ready() -> checks.CheckResult:
        deployments = region.workloads.list_deployments(spec.namespace, release=spec.name)
        short = [one for one in deployments if not one.is_ready]
        counts = ", ".join(f"{one.name} {one.ready} of {one.replicas}" for one in deployments)
        return checks.CheckResult(
            name=f"replicas of {where}",
            passed=bool(deployments) and not short,
            criterion="every replica of every Deployment is ready and of this revision",
            found=counts or "no Deployment",
            advice=f"kubectl describe pods -n {spec.namespace}",
        )

    return [
        checks.look(f"release {where}", "deployed as declared", as_declared),
        checks.look(f"replicas of {where}", "every replica ready", ready),
    ]


def say_state(fact: Fact) -> str:
    """A release as it is, and what of it would change; pure."""
    if fact.current is None:
        return "not installed"
    paths = [one.path for one in fact.changes]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return fact.current.status + (f"; would change {paths[0]}{more}" if paths else "")


def check_ready_for_release(clients: connect.Clients) -> list[checks.CheckResult]:
    """Every region's cluster answers and has ready nodes."""

    def look(role: estate.RegionName) -> checks.CheckResult:
        name = f"cluster in {clients.estate.regions[role].location}"

        def count() -> checks.CheckResult:
            nodes = clients.region(role).workloads.list_nodes()
            ready = sum(node.is_ready for node in nodes)
            return checks.CheckResult(
                name=name,
                passed=ready > 0,
                criterion="running, with ready nodes",
                found=f"{ready} of {len(nodes)} nodes ready",
                advice="azrunbook run 01_provision_estate",
            )

        return checks.look(name, "running, with ready nodes", count, "01_provision_estate")

    return list(clients.for_each(look, list(clients.estate.regions)))


def release(
    clients: connect.Clients, progress: actions.Progress, spec: Spec, *, takes_over: bool = False
) -> str:
    """Repair what a killed client left, then install or upgrade and wait for the rollout.

    ``takes_over``: also of what others have changed since; see :mod:`azrunbook.releases`.
    """
    region = clients.region(spec.role)
    repaired = region.releases.repair_pending(spec.name, spec.namespace)
    if repaired:
        progress(repaired)
    with rollout_watch.told(region.workloads, spec.namespace, progress):
        revision = region.releases.install_or_upgrade(
            spec.name,
            spec.namespace,
            spec.chart,
            spec.values,
            # Helm takes its change back when its own deadline passes, and needs time for that.
            timeout=progress.remaining_seconds * _SHARE_OF_HELM,
            takes_over=takes_over,
        )
    return f"revision {revision.revision}" + (f"; before that {repaired}" if repaired else "")


@actions.action("roll_back_release")
def roll_back_release(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    name: str,
    namespace: str,
    revision: int,
) -> str:
    """Bring a release back to a revision; nothing to do when it is deployed as that already."""
    helm = clients.region(role).releases
    repaired = helm.repair_pending(name, namespace)
    current = helm.find(name, namespace)
    if current and current.revision == revision and current.status == "deployed":
        return f"revision {revision} is deployed"
    progress(repaired or f"rolling back to revision {revision}")
    helm.roll_back(name, namespace, revision, timeout=progress.remaining_seconds)
    return f"rolled back to revision {revision}"


@actions.action("uninstall_release")
def uninstall_release(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    name: str,
    namespace: str,
) -> str:
    """Remove a release that was not there before; one that is gone already is as good."""
    progress(f"uninstalling {name}")
    clients.region(role).releases.uninstall(name, namespace, timeout=progress.remaining_seconds)
    return "uninstalled"


@actions.action("repair_release")
def repair_release(
    clients: connect.Clients,
    _progress: Callable[[str], None],
    *,
    role: estate.RegionName,
    name: str,
    namespace: str,
) -> str:
    """End a release that stands half-way."""
    return clients.region(role).releases.repair_pending(name, namespace) or "nothing to repair"

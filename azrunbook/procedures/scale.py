"""Procedure 05: change sizes under traffic, and be told beforehand what each change will do.

In one region, the one that serves users. Replicas by Helm values, which Helm knows of; replicas by
``kubectl scale``, which it does not (drift, healed by releasing again); replicas by the autoscaler
under load; a node pool that is too small for what is to run, made larger and small again through
ARM; a node drained under a disruption budget. What is scheduled for room alone is a second release
of the application, in its namespace, that gets no traffic: the capacity probe. At the end all is
as it was.

Before each change :mod:`azrunbook.forecast` says from the live objects what will happen;
:mod:`scale_drill` compares that with what did.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import yaml

from azrunbook import aks, checks, connect, errors, estate, forecast, plan as plans
from azrunbook.procedures import app_release, ingress_rollout, regions, release_steps

PROBE = "capacity-probe"
POOL_LABEL = "kubernetes.azure.com/agentpool"
_MILLI = 1000
_SHARE_OF_NODE = Decimal("0.6")  # of what is free on the fullest node: two never fit on one
_RELEASE_SECONDS = 300
_POOL_SECONDS = 1800
_DRAIN_SECONDS = 900


@dataclass(frozen=True)
class Facts:
    """The region as it is.

    Attributes:
        release: the application's declared release there.
        declared: its replicas.
        most_replicas: the limit of its autoscaler, which is declared and not enabled.
        cpu_target_percent: what that aims at, of the requested CPU.
        pool: the node pool that will grow.
        probe_cpu_milli: CPU that a pod of the capacity probe requests: more than half of a node.
        node: the node that will be drained, one with pods of the application.
    """

    role: estate.RegionName
    location: str
    release: release_steps.Fact
    declared: int
    most_replicas: int
    cpu_target_percent: int
    pool: aks.NodePool
    probe_cpu_milli: int
    node: str
    snapshot: forecast.Snapshot

    @property
    def more_replicas(self) -> int:
        """What the application is scaled to by values."""
        return self.declared + 1

    def _repr_html_(self) -> str:
        rooms = forecast.measure_rooms(self.snapshot)
        head = "".join(
            f"<th>{title}</th>" for title in ("node", "pool", "usable", "free CPU", "free memory")
        )
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in _describe(room)) + "</tr>"
            for room in rooms
        )
        return (
            f"<p>{html.escape(self.location)}: {self.pool.name} has {self.pool.count} nodes "
            f"({html.escape(self.pool.vm_size)}); {html.escape(self.node)} will be drained.</p>"
            f"<table class='facts'><tr>{head}</tr>{rows}</table>"
        )


def _describe(room: forecast.Room) -> tuple[str, ...]:
    usable = "yes" if forecast.is_usable(room.node) else "no"
    memory = f"{room.memory / 2**30:.1f} GiB"
    return (room.name, get_pool_name(room.node), usable, f"{room.cpu:.2f}", memory)


def get_pool_name(node: forecast.Object) -> str:
    return str((node["metadata"].get("labels") or {}).get(POOL_LABEL, ""))


def find_serving(clients: connect.Clients) -> estate.RegionName:
    """The region that serves users: load reaches no other."""
    return regions.observe(clients, region="primary").preferred.role


def is_of_release(pod: forecast.Object, release: str) -> bool:
    """Whether the chart of a release made it."""
    labels = pod["metadata"].get("labels") or {}
    return bool(labels.get("app.kubernetes.io/instance") == release)


def observe(clients: connect.Clients, *, pool: str) -> Facts:
    """Look at the release, pool, nodes and pods of the region that serves users.

    Raises:
        NotFoundError: no such cluster or pool.
        PlanError: the pool's nodes differ too much for one probe a node.
    """
    role = find_serving(clients)
    declared, cluster = clients.estate.regions[role], clients.estate.cluster.name
    spec = get_spec(clients, role)
    autoscaling = with_autoscaling(spec).values["autoscaling"]
    snapshot = clients.region(role).nodes.take_snapshot()
    return Facts(
        role=role,
        location=declared.location,
        release=release_steps.observe(clients, [spec])[0],
        declared=int(spec.values["replicaCount"]),
        most_replicas=int(autoscaling["maxReplicas"]),
        cpu_target_percent=int(autoscaling["targetCpuPercent"]),
        pool=clients.clusters.get_pool(declared.resource_group, cluster, pool),
        probe_cpu_milli=choose_probe_cpu(snapshot, pool),
        node=choose_node(snapshot, spec.name, spec.namespace),
        snapshot=snapshot,
    )


def get_spec(clients: connect.Clients, role: str) -> release_steps.Spec:
    """The application's declared release in a region."""
    specs = app_release.list_specs(clients, clients.estate.app.version)
    return next(one for one in specs if one.role == role)


def with_replicas(spec: release_steps.Spec, replicas: int) -> release_steps.Spec:
    """The same release in another size; pure."""
    return replace(spec, values=ingress_rollout.merge(spec.values, {"replicaCount": replicas}))


def with_autoscaling(spec: release_steps.Spec) -> release_steps.Spec:
    """The same release with its declared autoscaler, whose least is the declared number."""
    defaults = yaml.safe_load((spec.chart / "values.yaml").read_text(encoding="utf-8"))
    autoscaling = {
        **defaults["autoscaling"],
        **spec.values.get("autoscaling", {}),
        "enabled": True,
        "minReplicas": spec.values["replicaCount"],
    }
    return replace(spec, values=ingress_rollout.merge(spec.values, {"autoscaling": autoscaling}))


def make_probe(
    spec: release_steps.Spec, *, pool: str, replicas: int, cpu_milli: int
) -> release_steps.Spec:
    """A release that only takes room in one pool: no traffic, no budget; pure."""
    cpu = {"cpu": f"{cpu_milli}m"}
    over: dict[str, Any] = {
        "replicaCount": replicas,
        "resources": {"requests": cpu, "limits": cpu},
        "nodeSelector": {POOL_LABEL: pool},
        "ingress": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    }
    return replace(spec, name=PROBE, values=ingress_rollout.merge(spec.values, over))


def choose_probe_cpu(snapshot: forecast.Snapshot, pool: str) -> int:
    """CPU in thousandths of a core of which exactly one fits on every node of the pool; pure.

    Raises:
        PlanError: there is no such number.
    """
    rooms = [
        room
        for room in forecast.measure_rooms(snapshot)
        if get_pool_name(room.node) == pool and forecast.is_usable(room.node)
    ]
    free = sorted(room.cpu for room in rooms)
    if not free or free[0] <= 0:
        raise errors.PlanError(
            f"node pool {pool} has no usable node with free CPU: expected at least one. "
            "Look at kubectl describe nodes, or choose another pool."
        )
    wanted = max(free[0] * _SHARE_OF_NODE, free[-1] * Decimal("0.51"))
    if wanted > free[0]:
        raise errors.PlanError(
            f"the nodes of pool {pool} have from {free[0]} to {free[-1]} cores free: expected less "
            "than twice as much on one as on another, or the probe would not fit one a node. "
            "Choose a pool that runs little else."
        )
    return int(wanted * _MILLI)


def choose_node(snapshot: forecast.Snapshot, release: str, namespace: str) -> str:
    """The usable node with most pods of the application; pure.

    Raises:
        PlanError: there is none.
    """
    counts: dict[str, int] = {}
    for node in snapshot.nodes:
        if not forecast.is_usable(node):
            continue
        name = node["metadata"]["name"]
        counts[name] = sum(
            pod["metadata"]["namespace"] == namespace and is_of_release(pod, release)
            for pod in snapshot.list_pods_on(name)
        )
    chosen = max(sorted(counts), key=lambda name: counts[name], default="")
    if not counts.get(chosen):
        raise errors.PlanError(
            f"no usable node runs a pod of {release} in {namespace}: expected one to drain. "
            "azrunbook run 03_release_app -p apply=true"
        )
    return chosen


def preflight(clients: connect.Clients, *, pool: str) -> list[checks.CheckResult]:
    """Released as declared where users are served, and nobody else sizes the pool."""
    found = app_release.preflight(clients)
    try:
        role = find_serving(clients)
    except errors.NotFoundError as error:
        advice = "azrunbook run 01_provision_estate 03_release_app -p apply=true"
        serving = checks.CheckResult("serving region", False, "one serves", str(error), advice)
        return [*found, serving]
    return [
        *found,
        *release_steps.check(clients, get_spec(clients, role)),
        _check_pool(clients, clients.estate.regions[role], pool),
    ]


def _check_pool(clients: connect.Clients, region: estate.Region, pool: str) -> checks.CheckResult:
    name = f"node pool {pool} in {region.location}"
    criterion = "there, and without cluster autoscaler, which would size it back"

    def look() -> checks.CheckResult:
        cluster = clients.estate.cluster.name
        found = clients.clusters.get_pool(region.resource_group, cluster, pool)
        autoscaled = "autoscaled" if found.is_autoscaled else "not autoscaled"
        return checks.CheckResult(
            name=name,
            passed=not found.is_autoscaled,
            criterion=criterion,
            found=f"{found.count} nodes, {autoscaled}",
            advice="choose another pool: -p pool=NAME",
        )

    return checks.look(name, criterion, look, "choose another pool: -p pool=NAME")


def plan(facts: Facts) -> plans.Plan:
    """All changes of size, each with its way back; pure.

    Raises:
        PlanError: the sizes would show nothing, or there is no release to come back to.
    """
    if facts.release.current is None:
        raise errors.PlanError(
            f"{facts.release.spec.name} is not installed in {facts.location}: there is nothing to "
            "scale. azrunbook run 03_release_app -p apply=true"
        )
    if facts.most_replicas <= facts.declared:
        raise errors.PlanError(
            f"autoscaling.maxReplicas is {facts.most_replicas}, and {facts.declared} replicas are "
            "declared: expected more, or there is nothing to scale to. Raise it in the values of "
            "this environment, for example maxReplicas: 4"
        )
    return plans.Plan(
        title=f"Scale the app and node pool {facts.pool.name} in {facts.location}, and back",
        changes=_list_changes(facts),
        steps=tuple(_list_steps(facts)),
        notes=(
            f"A probe requests {facts.probe_cpu_milli / _MILLI:g} cores: one fits on a node.",
            "No request may fail. At the end every size is what it was.",
        ),
    )


def _list_changes(facts: Facts) -> tuple[plans.Change, ...]:
    name, where, least = facts.release.spec.name, facts.location, facts.declared
    more, count = facts.more_replicas, facts.pool.count

    def change(type_: str, name: str, path: str, before: object, after: object) -> plans.Change:
        action: plans.Action = "create" if before is None else "update"
        properties = (plans.PropertyChange(path, before, after),)
        return plans.Change(action, type_, name, where, properties=properties)

    return (
        change("Helm release", name, "replicaCount", least, more),
        change("Deployment", name, "spec.replicas", more, more + 1),
        change("HorizontalPodAutoscaler", name, "spec.maxReplicas", None, facts.most_replicas),
        change("Helm release", PROBE, "replicaCount", None, count + 1),
        change("node pool", facts.pool.name, "count", count, count + 1),
        change("Node", facts.node, "spec.unschedulable", False, True),
    )


def _list_steps(facts: Facts) -> list[plans.Step]:
    spec, role, where, more = facts.release.spec, facts.role, facts.location, facts.more_replicas
    pool_name, count = facts.pool.name, facts.pool.count
    release = {"role": role, "name": spec.name, "namespace": spec.namespace}
    back = plans.Undo("scale_back_release", {"role": role})
    probe = {"role": role, "name": PROBE, "namespace": spec.namespace}

    def step(
        name: str, group: str, action: str, arguments: Mapping[str, Any], **more: Any
    ) -> plans.Step:
        more = {"timeout_seconds": _RELEASE_SECONDS, **more}
        return plans.Step(f"{name} in {where}", group, action, {"role": role, **arguments}, **more)

    pool = {"pool": pool_name, "count": count}
    return [
        step(f"release {spec.name} with {more} replicas", "scale by values",
             "release_scaled", {"replicas": more}, undo=(back,)),
        step(f"kubectl scale {spec.name} to {more + 1}", "scale past Helm",
             "scale_deployment", {**release, "replicas": more + 1}, undo=(back,)),
        step(f"heal {spec.name}", "heal", "scale_back_release", {}),
        step(f"release {spec.name} with autoscaling", "autoscale", "release_autoscaled",
             {}, undo=(back,)),
        step(f"release {spec.name} with {facts.declared} replicas", "fixed size",
             "scale_back_release", {}),
        step(f"fill {pool_name} with {count + 1} probes", "fill the pool", "fill_pool",
             {"pool": pool_name, "fitting": count, "cpu_milli": facts.probe_cpu_milli},
             undo=(plans.Undo("remove_probes", probe),)),
        step(f"grow {pool_name} to {count + 1} nodes", "grow the pool", "scale_pool",
             {**pool, "count": count + 1, "placed": count + 1}, timeout_seconds=_POOL_SECONDS,
             undo=(plans.Undo("scale_pool", {"role": role, **pool}),)),
        step("remove the probes", "empty the pool", "remove_probes", probe),
        step(f"shrink {pool_name} to {count} nodes", "shrink the pool", "scale_pool", pool,
             timeout_seconds=_POOL_SECONDS),
        step(f"drain {facts.node}", "drain", "drain_node", {"node": facts.node},
             timeout_seconds=_DRAIN_SECONDS,
             undo=(plans.Undo("uncordon_node", {"role": role, "node": facts.node}),)),
        step(f"uncordon {facts.node}", "uncordon", "uncordon_node", {"node": facts.node}),
    ]  # fmt: skip

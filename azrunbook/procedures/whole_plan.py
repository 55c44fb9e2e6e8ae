"""The whole estate as one plan: infrastructure, edge, ingress and app, with one hash.

Made of the plans of procedures 01, 02 and 03, both regions at once. Reading only; it has no steps,
because each procedure makes its own steps again when it runs. What cannot be asked yet, because
the infrastructure below it is not there, is shown as to be created, with a note. Of a region whose
cluster is stopped only the infrastructure is shown.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from typing import Any

from azrunbook import connect, errors, plan as plans, resources
from azrunbook.procedures import (
    app_release,
    engines,
    ingress_rollout,
    private_links,
    release_steps,
)
from azrunbook.resources import cluster, model

INFRASTRUCTURE, INGRESS, APP = "01_provision_estate", "02_roll_out_ingress", "03_release_app"
_ABSENT = "the infrastructure below it is not there yet; its objects are known once 01 has run"


def observe(clients: connect.Clients, engine: str) -> dict[str, plans.Plan]:
    """Plan each procedure, by its notebook's stem, in the order in which they run.

    Raises:
        ParameterError: no such engine.
        ConnectError: a cluster runs and does not answer.
    """
    facts = engines.observe(clients, engine)
    below = _read_below(clients)
    if None in below.values():
        ingress, app = plan_absent(clients, engine)
    else:
        # A stopped cluster (a region that was failed over) cannot be asked what it runs.
        running = [
            role
            for role, region in clients.estate.regions.items()
            if not cluster.is_stopped(below[model.CLUSTER, region.location] or {})
        ]
        makers: list[Callable[[], plans.Plan]] = [
            lambda: ingress_rollout.plan(
                ingress_rollout.observe(clients, roles=running), engine=engine
            ),
            lambda: app_release.plan(app_release.observe(clients, roles=running)),
        ]
        clients.for_each(clients.region, running)  # each only once
        with futures.ThreadPoolExecutor(len(makers)) as pool:
            ingress, app = pool.map(lambda make: make(), makers)
    return {INFRASTRUCTURE: engines.plan(facts), INGRESS: ingress, APP: app}


def _read_below(clients: connect.Clients) -> dict[tuple[str, str], Mapping[str, Any] | None]:
    """What releases need, by type and region: every cluster, and the registry."""
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    needed = [one for one in desired if one.type in {model.CLUSTER, model.REGISTRY}]
    found = clients.for_each(lambda one: clients.arm.find(one.id, one.api_version), needed)
    return {(one.type, one.region): body for one, body in zip(needed, found, strict=True)}


def options(stem: str, engine: str) -> dict[str, str]:
    """Parameters by which a procedure's notebook does what was planned by an engine."""
    return {} if stem == APP else {"engine": engine}


def plan_absent(clients: connect.Clients, engine: str) -> tuple[plans.Plan, plans.Plan]:
    """Ingress and app before there is anything to release them to."""
    ingress, app = clients.ingress, clients.estate.app
    image = plans.Change("create", "container image", f"{app.image}:{app.version}", model.GLOBAL)
    facts = ingress_rollout.Facts((), links=private_links.observe(clients))
    edge = ingress_rollout.plan(facts, engine=engine)
    return (
        _plan_release(
            clients, "Roll out the ingress", ingress.namespace, ingress.release, *edge.changes
        ),
        _plan_release(clients, f"Release the app {app.version}", app.namespace, app.release, image),
    )


def _plan_release(
    clients: connect.Clients, title: str, namespace: str, release: str, *more: plans.Change
) -> plans.Plan:
    found = [
        plans.Change("create", release_steps.TYPE, f"{namespace}/{release}", region.location)
        for region in clients.estate.regions.values()
    ]
    return plans.Plan(title, (*more, *found), notes=(f"{release}: {_ABSENT}",))


def merge(parts: Iterable[plans.Plan]) -> plans.Plan:
    """One plan over all of them; pure."""
    found = list(parts)
    return plans.Plan(
        title="The whole estate",
        changes=tuple(change for part in found for change in part.changes),
        notes=tuple(note for part in found for note in part.notes),
    )


def require_hash(now: plans.Plan, approved: str) -> None:
    """See that a plan is the one that was approved; ``approved`` may be the start of its hash.

    Raises:
        PlanError: it is another one; nothing was changed.
    """
    if not now.hash.startswith(approved):
        raise errors.PlanError(
            f"the plan is another one now: {now.hash[:12]} ({now.summarize()}), approved was "
            f"{approved[:12]}. Nothing was changed. Look at it again: azrunbook plan"
        )

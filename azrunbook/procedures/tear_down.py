"""Procedure 09: delete an environment's resource groups and everything in them.

Asks for the environment's name, written out, because nothing brings the data back. Refuses when a
group holds something that the estate file does not declare: it may be somebody else's. With the
second engine terraform destroys first (:mod:`.terraform_removal`), so that its state ends empty;
what it leaves goes with the groups.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azrunbook import checks, connect, plan as plans, resources
from azrunbook.procedures import actions, engines, terraform_removal
from azrunbook.resources import model

_LOCKS_API = "2020-05-01"
_GROUP = "Microsoft.Resources/resourceGroups"
_FIRST = {model.PROFILE.lower(), model.CACHE_LINK.lower()}


@dataclass(frozen=True)
class Facts:
    """What the resource groups of the environment hold now, by ARM id."""

    groups: tuple[resources.DesiredResource, ...]
    existing: Mapping[str, Mapping[str, Any]]
    declared: tuple[resources.DesiredResource, ...]
    by_terraform: terraform_removal.Facts | None = None

    @property
    def undeclared(self) -> list[str]:
        """Ids that stand in the groups and not in the estate file."""
        known = {one.id.lower() for one in self.declared}
        known |= resources.list_companions(self.declared)
        return [one for one in self.existing if one.lower() not in known]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(str(body['type']))}</td>"
            f"<td>{html.escape(str(body['name']))}</td>"
            f"<td>{html.escape(str(body.get('location', '')))}</td></tr>"
            for body in self.existing.values()
        )
        head = "<tr><th>type</th><th>name</th><th>location</th></tr>"
        return f"<table class='facts'>{head}{rows}</table>"


def observe(clients: connect.Clients, engine: str = "arm") -> Facts:
    """List what is in the groups, and the groups themselves; and what terraform has of them.

    Raises:
        ParameterError: no such engine.
        PreflightError: what the engine needs is not on this machine.
    """
    engines.require(engine)
    declared = resources.desired_resources(clients.estate, clients.subscription_id)
    groups = tuple(one for one in declared if one.type == _GROUP)
    existing: dict[str, Mapping[str, Any]] = {}
    for group in groups:
        body = clients.arm.find(group.id, group.api_version)
        if body is None:
            continue
        existing[group.id] = body
        for one in clients.arm.list(f"{group.id}/resources", group.api_version):
            existing[str(one["id"])] = one
    for link in (one for one in declared if one.type == model.CACHE_LINK):
        if body := clients.arm.find(link.id, link.api_version):
            existing[link.id] = body
    by_terraform = terraform_removal.observe(clients) if engine == "terraform" else None
    return Facts(groups, existing, declared, by_terraform)


def preflight(clients: connect.Clients, *, confirm: str, apply: bool) -> list[checks.CheckResult]:
    """The environment was named, and nothing undeclared would be lost."""
    environment = clients.estate.environment
    facts = observe(clients)
    undeclared, locks = facts.undeclared, _list_locks(clients, facts)
    results = [
        checks.CheckResult(
            name="only declared resources",
            passed=not undeclared,
            criterion="the groups hold nothing that the estate file does not declare",
            found=", ".join(undeclared) or "nothing else",
            advice="move or delete it by hand first; this procedure deletes whole groups",
        ),
        checks.CheckResult(
            name="locks",
            passed=not locks,
            criterion="nothing in the groups is locked",
            found=", ".join(locks) or "no lock",
            advice="ask whoever set it; az lock delete --ids ID",
        ),
    ]
    if apply:
        results.append(
            checks.CheckResult(
                name="confirmed by name",
                passed=confirm == environment,
                criterion=f"confirm={environment}",
                found=f"confirm={confirm or '(empty)'}",
                advice=f"azrunbook run 09_tear_down_estate -p apply=true -p confirm={environment}",
            )
        )
    return results


def _list_locks(clients: connect.Clients, facts: Facts) -> list[str]:
    return [
        str(lock["id"])
        for group in facts.groups
        if group.id in facts.existing
        for lock in clients.arm.list(f"{group.id}/providers/{model.LOCK}", _LOCKS_API)
    ]


def plan(facts: Facts) -> plans.Plan:
    """Delete Front Door and links between caches, then every group; terraform's own first; pure.

    A linked cache cannot be deleted and keeps its group from going.
    """
    by_id = {one.id.lower(): one for one in facts.declared}
    changes = tuple(
        plans.Change(
            action="delete",
            type=str(body["type"]),
            name=str(body["name"]),
            region=str(body.get("location", "")),
            id=resource_id,
        )
        for resource_id, body in facts.existing.items()
    )
    by_terraform = terraform_removal.list_changes(facts.by_terraform, facts.existing)
    steps = terraform_removal.list_steps(facts.by_terraform, list(facts.existing))
    steps += [
        _delete(by_id[one.lower()], "front door")
        for one, body in facts.existing.items()
        if str(body["type"]).lower() in _FIRST
    ]
    steps += [
        _delete(group, "resource groups") for group in facts.groups if group.id in facts.existing
    ]
    return plans.Plan(
        title="Tear down the estate",
        changes=(*changes, *by_terraform),
        steps=tuple(steps),
        notes=("Nothing brings the data back.",) if changes else (),
    )


def _delete(one: resources.DesiredResource, group: str) -> plans.Step:
    return plans.Step(
        name=f"delete {one.name} [{one.region}]",
        group=group,
        action="delete_resource",
        arguments={"resource_id": one.id, "api_version": one.api_version},
        timeout_seconds=2700,
    )


def verify(clients: connect.Clients) -> list[checks.CheckResult]:
    """None of the groups exists."""
    left = [
        group.name
        for group in observe(clients).groups
        if clients.arm.find(group.id, group.api_version)
    ]
    return [
        checks.CheckResult(
            name="resource groups gone",
            passed=not left,
            criterion="none of the environment's resource groups exists",
            found=", ".join(left) or "none",
            advice="look at what keeps the group in Azure; run this notebook again",
        )
    ]


@actions.action("delete_resource")
def delete_resource(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    resource_id: str,
    api_version: str,
) -> None:
    """Delete a resource; one that is gone already is as good."""
    clients.delete(resource_id, api_version, timeout=progress.remaining_seconds, progress=progress)

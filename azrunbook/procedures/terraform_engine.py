"""Provisioning by the second engine: ``infra/<env>`` planned and applied by terraform.

One step applies exactly the plan that was shown. Its undo destroys what that apply created; what it
updated is put back by putting the estate file back and running again, which the plan says. What is
verified afterwards is the same as for the other engine, and asks Azure, not Terraform's state.

What Azure has and the state has not is imported by the plan: it was made by the other engine, or by
a terraform that was killed before it could write it down. Without that, making it again would fail.
"""

import dataclasses
import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from azrunbook import connect, plan as plans, resources, terraform
from azrunbook.procedures import actions, credentials, placing, private_links
from azrunbook.resources import terraform_addresses

GROUP = "terraform"
_APPLY_SECONDS = 7200.0


@dataclass(frozen=True)
class Facts:
    """What terraform read, as the plan that it made of it; and who holds the credentials."""

    saved: terraform.SavedPlan
    signing_in: credentials.Facts | None = None
    links: private_links.Facts = private_links.NONE

    def _repr_html_(self) -> str:
        return f"<p>terraform asked Azure: {html.escape(self.saved.plan.summarize())}</p>"


def observe(clients: connect.Clients) -> Facts:
    """Let terraform install its providers, look at Azure and plan; changes nothing.

    Raises:
        PreflightError: terraform or a provider cannot be had; says what to do.
        EstateError: the configuration is not valid.
        PlanError: terraform cannot plan.
    """
    module = clients.terraform
    module.init()
    module.validate()
    links = private_links.observe(clients)
    waits = bool(private_links.list_waiting(links))
    saved = module.plan(
        "Provision the estate",
        variables={**variables(), "ingress_is_up": "false" if waits else "true"},
        imports=find_imports(clients),
    )
    return Facts(saved, credentials.observe(clients), links)


def variables() -> dict[str, str]:
    """A new password each time: Azure gets one where a server is made, and no file ever does."""
    return {"postgres_password": placing.make_password()}


def find_imports(clients: connect.Clients) -> dict[str, str]:
    """What Azure has of the estate and the state has not: ids by address."""
    return find_existing(clients, but=clients.terraform.list_addresses())


def find_existing(clients: connect.Clients, *, but: Collection[str] = ()) -> dict[str, str]:
    """What Azure has of the estate: ids by terraform's address, but for some; asks no terraform."""
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    known = terraform_addresses.list_imports(clients.estate, desired)
    lacking = [one for one in known if one.address not in frozenset(but)]
    versions = {one.id: one.api_version for one in desired}
    wanted = list(dict.fromkeys(one.resource_id for one in lacking))
    found = clients.for_each(lambda id_: clients.arm.find(id_, versions[id_]), wanted)
    bodies = dict(zip(wanted, found, strict=True))
    return {
        one.address: one.id
        for one in lacking
        if (body := bodies[one.resource_id]) is not None and one.is_in(body)
    }


def plan(facts: Facts) -> plans.Plan:
    """Terraform's plan with the one step that applies it, and the application's Secret; pure."""
    found = facts.saved.plan
    others = [change.name for change in found.changes if change.action in {"update", "replace"}]
    notes = [*found.notes, *private_links.note_waiting(facts.links, again=True)]
    approvals, approving = private_links.plan_approvals(private_links.list_due(facts.links))
    if others:
        notes.append(
            f"an undo does not take back the changes of {', '.join(others)}: put the estate file "
            "back and run again"
        )
    return dataclasses.replace(
        found,
        changes=(*found.changes, *approvals, *credentials.plan_changes(facts.signing_in)),
        steps=(*_list_steps(facts.saved), *approving, *credentials.plan_steps(facts.signing_in)),
        notes=(*notes, *credentials.list_notes(facts.signing_in)),
    )


def _list_steps(saved: terraform.SavedPlan) -> list[plans.Step]:
    if saved.is_empty:
        return []
    created = [change.id for change in saved.plan.changes if change.action == "create"]
    return [
        plans.Step(
            name="terraform apply",
            group=GROUP,
            action="apply_terraform",
            arguments=dataclasses.asdict(saved.file),
            undo=(plans.Undo("destroy_by_terraform", {"addresses": created}),) if created else (),
            timeout_seconds=_APPLY_SECONDS,
        )
    ]


@actions.action("apply_terraform")
def apply_terraform(
    clients: connect.Clients, progress: actions.Progress, *, name: str, digest: str
) -> None:
    """Apply the plan that was shown, and no other."""
    clients.terraform.apply(
        terraform.PlanFile(name, digest),
        variables=variables(),
        timeout=progress.remaining_seconds,
        progress=progress,
    )


@actions.action("destroy_by_terraform")
def destroy_by_terraform(
    clients: connect.Clients, progress: actions.Progress, *, addresses: Sequence[str]
) -> str:
    """Destroy what an apply created, as far as it came; waits for one that is still ending."""
    module = clients.terraform
    module.init()
    saved = module.plan(
        "Undo",
        variables=variables(),
        destroy=True,
        targets=addresses,
        patience=progress.remaining_seconds / 2,
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    module.apply(
        saved.file,
        variables=variables(),
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    return saved.plan.summarize()

"""Tearing down by the second engine: terraform destroys what it made, and what it had not known.

azurerm deletes no group that holds something else, so what Azure has of the estate and the state
has not is imported first, one by one: a destroying plan imports nothing. The destroying plan is
made again after that, and refused when it reaches beyond what was shown.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from azrunbook import connect, errors, plan as plans
from azrunbook.procedures import actions, terraform_engine

GROUP = terraform_engine.GROUP
_TAKE_IN = "take into terraform's state"
_SECONDS = 7200.0


@dataclass(frozen=True)
class Facts:
    """What terraform would destroy, and what it does not know: ids by address."""

    destroyed: tuple[plans.Change, ...]
    lacking: Mapping[str, str]


def observe(clients: connect.Clients) -> Facts:
    """Let terraform say what it has; changes nothing.

    Raises:
        PreflightError: terraform or a provider cannot be had; says what to do.
        PlanError: terraform cannot plan.
    """
    module = clients.terraform
    module.init()
    lacking = terraform_engine.find_imports(clients)
    saved = module.plan("Tear down", variables=terraform_engine.variables(), destroy=True)
    module.discard(saved.file)
    return Facts(saved.plan.changes, lacking)


def list_changes(facts: Facts | None, shown: Collection[str]) -> list[plans.Change]:
    """What terraform destroys besides what is shown: of an estate file before this one; pure."""
    if facts is None:
        return []
    return [change for change in facts.destroyed if not _is_within(change.id, shown)]


def list_steps(facts: Facts | None, shown: Collection[str]) -> list[plans.Step]:
    """Take in what is not known, then destroy; nothing where terraform has nothing; pure."""
    if facts is None or not (facts.destroyed or facts.lacking):
        return []
    within = [*shown, *(change.id for change in list_changes(facts, shown))]
    take_in = plans.Step(
        name=_TAKE_IN,
        group=GROUP,
        action="take_in_by_terraform",
        arguments={"imports": dict(facts.lacking)},
        timeout_seconds=_SECONDS,
    )
    destroy = plans.Step(
        name="terraform destroy",
        group=GROUP,
        action="destroy_all_by_terraform",
        arguments={"within": within},
        after=(_TAKE_IN,) if facts.lacking else (),
        timeout_seconds=_SECONDS,
    )
    return [take_in, destroy] if facts.lacking else [destroy]


def _is_within(resource_id: str, shown: Collection[str]) -> bool:
    """Whether an id is one of these or of something below one."""
    return any(f"{resource_id.lower()}/".startswith(f"{one.lower()}/") for one in shown)


@actions.action("take_in_by_terraform")
def take_in_by_terraform(
    clients: connect.Clients, progress: actions.Progress, *, imports: Mapping[str, str]
) -> str:
    """Import what exists; what the state holds by now is left as it is."""
    module = clients.terraform
    held = set(module.list_addresses())
    for address, resource_id in imports.items():
        if address not in held:
            progress(f"importing {address}")
            module.take_in(address, resource_id, variables=terraform_engine.variables())
    return f"{len(imports)} taken in"


@actions.action("destroy_all_by_terraform")
def destroy_all_by_terraform(
    clients: connect.Clients, progress: actions.Progress, *, within: Sequence[str]
) -> str:
    """Destroy what the state holds.

    Raises:
        PlanError: that is more than was shown; nothing was changed.
    """
    module = clients.terraform
    saved = module.plan(
        "Tear down",
        variables=terraform_engine.variables(),
        destroy=True,
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    beyond = [one.id for one in saved.plan.changes if not _is_within(one.id, within)]
    if beyond:
        module.discard(saved.file)
        raise errors.PlanError(
            f"terraform would also destroy {', '.join(beyond)}: expected only what was shown. "
            "Nothing was changed. Run this notebook again and look at its plan."
        )
    module.apply(
        saved.file,
        variables=terraform_engine.variables(),
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    return saved.plan.summarize()

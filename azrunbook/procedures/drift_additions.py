"""Taking out of a release's objects what somebody added, and putting it back: steps and actions.

Releasing again does not do it: Helm leaves alone what it never set. What is hidden (a Secret's
values, variables named like secrets) is told and not touched, because its way back would have to
stand in the journal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from azrunbook import connect, estate, live_drift, live_patches, plan as plans
from azrunbook.procedures import actions, drift_facts

_QUICK_SECONDS = 180


def list_steps(layers: drift_facts.Layers, group: str) -> list[plans.Step]:
    """One step per object; pure."""
    steps = []
    for one in layers.releases:
        spec = one.fact.spec
        for found in one.objects:
            added = [_write(it) for it in found.removable]
            where = {"role": spec.role, "reference": found.reference, "additions": added}
            if added:
                name = f"take additions out of {found.kind} {found.name} in {spec.location}"
                undo = plans.Undo("return_additions", where)
                steps.append(
                    plans.Step(
                        name=name,
                        group=group,
                        action="remove_additions",
                        arguments={**where, "waits_for": "" if one.is_drifted else spec.name},
                        undo=(undo,),
                        timeout_seconds=_QUICK_SECONDS,
                    )
                )
    return steps


def _write(one: live_drift.Addition) -> Mapping[str, Any]:
    return {
        "path": one.path,
        "steps": list(one.steps),
        "value": one.value,
        "manager": one.author.manager,
    }


def _read(additions: Sequence[Mapping[str, Any]]) -> list[live_drift.Addition]:
    return [
        live_drift.Addition(
            one["path"], tuple(one["steps"]), one["value"], live_drift.Author(one["manager"], "")
        )
        for one in additions
    ]


@actions.action("remove_additions")
def remove_additions(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    waits_for: str,
    reference: Mapping[str, Any],
    additions: Sequence[Mapping[str, Any]],
) -> str:
    """Take out what is still there of it.

    ``waits_for``: the release whose pods shall be without it then; empty when it is released again
    after this, because what else has changed may keep its pods from running until then.
    """
    region, namespace = clients.region(role), reference["metadata"]["namespace"]
    live = region.objects.find(reference, namespace)
    removals = live_patches.list_removals(live, _read(additions)) if live else []
    if not removals:
        return "gone already"
    region.objects.patch(reference, namespace, removals)
    if waits_for:
        region.workloads.wait_for_rollout(
            namespace, release=waits_for, timeout=progress.remaining_seconds, progress=progress
        )
    return f"without {', '.join(one['path'] for one in additions)}"


@actions.action("return_additions")
def return_additions(
    clients: connect.Clients,
    _progress: actions.Progress,
    *,
    role: estate.RegionName,
    reference: Mapping[str, Any],
    additions: Sequence[Mapping[str, Any]],
) -> str:
    """Put back what is not there any more, and wait for nothing: it may never have worked.

    Each in the name of who had added it: as this runbook's own it would be drift no more.
    """
    objects, namespace = clients.region(role).objects, reference["metadata"]["namespace"]
    returned = []
    for one in _read(additions):
        live = objects.find(reference, namespace)
        if live and (operations := live_patches.list_returns(live, [one])):
            objects.patch(reference, namespace, operations, manager=one.author.manager)
            returned.append(one.path)
    return f"with {', '.join(returned)} again" if returned else "nothing to put back"

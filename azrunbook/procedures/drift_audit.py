"""Procedure 08: find what is not as declared, in all layers, say who did it, and heal it.

The verdict is that of ``terraform plan -detailed-exitcode``: *passed* only when nothing has drifted
(any more), in a dry run as well. Healing puts, releases, uncordons, and takes out of a release's
objects what was added to them; it deletes no thing: what nobody declares may be somebody else's, so
it is told and stays drift until a person decides.
A region that is stopped cannot be looked into, and what was not looked at is no evidence: the
audit says that it is failed over and does not pass.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from azrunbook import checks, connect, estate, plan as plans, resources
from azrunbook.procedures import (
    actions,
    app_release,
    drift_additions,
    drift_facts,
    drift_findings,
    provision,
    release_steps,
    static_assets,
)
from azrunbook.resources import model

AZURE, NODES, RELEASES = "azure", "nodes", "releases"
_QUICK_SECONDS = 60
_ADVICE = "azrunbook run 08_audit_drift -p apply=true; what nobody declares, by hand"


@dataclass(frozen=True)
class Facts:
    """What was seen, and what of it is not as declared."""

    layers: drift_facts.Layers

    @property
    def findings(self) -> drift_findings.Findings:
        return drift_findings.list_all(self.layers)


def observe(clients: connect.Clients) -> Facts:
    """Look at every layer."""
    return Facts(drift_facts.observe(clients))


def preflight(clients: connect.Clients) -> list[checks.CheckResult]:
    """Azure answers and the environment has been provisioned."""
    groups = [one for one in _list_groups(clients) if clients.arm.find(one.id, one.api_version)]
    return [
        checks.CheckResult(
            name="something to audit",
            passed=bool(groups),
            criterion="at least one of the environment's resource groups exists",
            found=", ".join(one.name for one in groups) or "none",
            advice="azrunbook run 01_provision_estate -p apply=true",
        )
    ]


def _list_groups(clients: connect.Clients) -> list[resources.DesiredResource]:
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    return [one for one in desired if one.type == model.GROUP]


def plan(facts: Facts) -> plans.Plan:
    """The steps of the procedures that heal what drifted; pure."""
    layers = facts.layers
    azure = provision.plan(layers.azure)
    drifted = [
        change
        for change in azure.changes
        if change.action not in {"no_change", "delete"}
        and not drift_findings.is_left_on_purpose(change, layers)
        and not drift_findings.is_unseen(change, layers)
    ]
    return plans.Plan(
        title="Heal what drifted",
        changes=(*drifted, *_list_changes(layers)),
        steps=(
            *_list_azure_steps(azure, drifted, layers),
            *_list_node_steps(layers),
            *_list_release_steps(layers),
        ),
        notes=(*azure.notes, *_list_notes(layers)),
    )


def _list_azure_steps(
    azure: plans.Plan, drifted: Iterable[plans.Change], layers: drift_facts.Layers
) -> list[plans.Step]:
    """Provisioning's own steps as one group, each after those that it needs."""
    kept = {change.id for change in drifted} - _list_unreachable(layers)
    steps = [
        dataclasses.replace(one, group=AZURE)
        for one in azure.steps
        if one.action == "put_resource" and one.arguments["resource_id"] in kept
    ]
    later = [
        dataclasses.replace(one, group=AZURE, after=tuple(other.name for other in steps))
        for one in azure.steps
        if one.action == "approve_link"
        or (
            one.action == "write_credentials"
            and all(region.state != "stopped" for region in layers.regions)
        )
    ]
    return [*steps, *later]


def _list_unreachable(layers: drift_facts.Layers) -> set[str]:
    """Ids of the clusters that are stopped: Azure refuses to change them."""
    stopped = {one.location for one in layers.regions if one.state == "stopped"}
    return {
        one.id
        for one in layers.azure.desired
        if one.region in stopped and one.type in {model.CLUSTER, model.MAINTENANCE}
    }


def _list_changes(layers: drift_facts.Layers) -> list[plans.Change]:
    changes: list[plans.Change] = []
    for one in layers.releases:
        location = one.fact.spec.location
        if one.is_drifted:
            changes += release_steps.list_changes((_force(one),))
        changes += [_describe(found, location) for found in one.objects]
    if layers.image and not layers.image.is_built:
        changes.append(plans.Change("create", "container image", layers.image.image, model.GLOBAL))
    if layers.image:
        changes += static_assets.plan_uploads(layers.image.assets)[0]
    locations = {one.role: one.location for one in layers.regions}
    return changes + [
        plans.Change(
            "update",
            "Node",
            node.name,
            locations[role],
            properties=(plans.PropertyChange("spec.unschedulable", True, None),),
        )
        for role, nodes in layers.nodes.items()
        for node in nodes
        if node.is_cordoned
    ]


def _describe(found: drift_facts.ObjectFact, location: str) -> plans.Change:
    return plans.Change(
        action="create" if found.is_missing else "update",
        type=found.kind,
        name=found.name,
        region=location,
        properties=(
            *(plans.PropertyChange(it.path, it.actual, it.declared) for it in found.differences),
            *(plans.PropertyChange(it.path, it.value, None) for it in found.removable),
        ),
    )


def _list_node_steps(layers: drift_facts.Layers) -> list[plans.Step]:
    locations = {one.role: one.location for one in layers.regions}
    return [
        plans.Step(
            name=f"uncordon {node.name} in {locations[role]}",
            group=NODES,
            action="uncordon_node",
            arguments={"role": role, "node": node.name},
            undo=(plans.Undo("cordon_node", {"role": role, "node": node.name}),),
            timeout_seconds=_QUICK_SECONDS,
        )
        for role, nodes in layers.nodes.items()
        for node in nodes
        if node.is_cordoned
    ]


def _list_release_steps(layers: drift_facts.Layers) -> list[plans.Step]:
    """Release again over what others changed; the app after its image and its region's ingress.

    What was added is taken out before: a release would wait for pods that it keeps from running.
    The way back is the release's revision, not what others had done past Helm.
    """
    drifted = [one for one in layers.releases if one.is_drifted]
    ingress = release_steps.list_steps(
        tuple(_force(one) for one in drifted if one.part == "ingress"), action="release_ingress"
    )
    removals = drift_additions.list_steps(layers, RELEASES)
    steps = [*removals, *(_take_over(one, _list_same(one, removals)) for one in ingress)]
    if layers.image is None:
        return steps
    forced = tuple(_force(one) for one in drifted if one.part == "app")
    whole = dataclasses.replace(layers.image, releases=release_steps.Facts(forced))
    for one in app_release.plan(whole).steps:
        if one.action == "release_app":
            steps.append(_take_over(one, _list_same(one, steps)))
        else:
            steps.append(dataclasses.replace(one, group=RELEASES))
    return steps


def _list_same(step: plans.Step, earlier: Iterable[plans.Step]) -> tuple[str, ...]:
    """The earlier steps of a release's region, and the image's."""
    return tuple(
        one.name
        for one in earlier
        if one.action == "build_image" or one.arguments["role"] == step.arguments["role"]
    )


def _force(one: drift_facts.ReleaseFact) -> release_steps.Fact:
    """A release whose objects drifted has to be released again, though Helm sees no change."""
    if one.is_drifted and one.fact.action == "no_change":
        return dataclasses.replace(one.fact, action="update")
    return one.fact


def _take_over(step: plans.Step, after: tuple[str, ...]) -> plans.Step:
    arguments = {**step.arguments, "takes_over": True}
    return dataclasses.replace(step, group=RELEASES, arguments=arguments, after=after)


def _list_notes(layers: drift_facts.Layers) -> list[str]:
    notes = [
        f"{one.location}: {one.words}. It was not looked into and nothing of it is healed; "
        f"azrunbook run 07_fail_back_region brings it back."
        for one in layers.regions
        if one.state == "stopped"
    ]
    if layers.undeclared or layers.strangers:
        names = ", ".join(
            [str(body["name"]) for body in layers.undeclared.values()]
            + [f"{one.kind} {one.name} in {one.location}" for one in layers.strangers]
        )
        notes.append(f"nobody declares {names}; it may be somebody else's and is not deleted.")
    if layers.log_error:
        notes.append(f"who wrote what in Azure cannot be told: {layers.log_error}")
    return notes


def verify(clients: connect.Clients) -> list[checks.CheckResult]:
    """Every region was looked into, and no layer has drifted."""
    facts = observe(clients)
    unseen = [one for one in facts.layers.regions if one.state != "running"]
    looked = checks.CheckResult(
        name="every region looked into",
        passed=not unseen,
        criterion="the clusters of all regions run and answer",
        found="; ".join(f"{one.location}: {one.words}" for one in unseen) or "all of them",
        advice="azrunbook run 07_fail_back_region, then audit again",
    )
    return [looked, *(_check(facts.findings, layer) for layer in drift_findings.LAYERS)]


def _check(findings: drift_findings.Findings, layer: drift_findings.Layer) -> checks.CheckResult:
    drift = findings.list_drift(layer)
    return checks.CheckResult(
        name=f"{layer} as declared",
        passed=not drift,
        criterion="nothing drifted",
        found="; ".join(map(str, drift)) or "nothing drifted",
        advice=_ADVICE,
    )


@actions.action("cordon_node")
def cordon_node(
    clients: connect.Clients,
    _progress: actions.Progress,
    *,
    role: estate.RegionName,
    node: str,
) -> str:
    """Keep pods off the node again."""
    clients.region(role).nodes.cordon(node)
    return f"{node} takes no pods"

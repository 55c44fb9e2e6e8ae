"""What each procedure plans from what it observed, as truth tables: facts in, steps out."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from azrunbook import errors, estate, front_door, plan as plans, releases, resources
from azrunbook.procedures import (
    app_release,
    ingress_rollout,
    provision,
    region_failback,
    region_failover,
    regions,
    release_steps,
    tear_down,
)
from azrunbook.resources import model, references

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
CLUSTER = "managedClusters"


@pytest.fixture(scope="module")
def declared():
    return resources.desired_resources(estate.load("dv"), SUBSCRIPTION)


def as_azure_has_it(one, **properties):
    """The declared body with what Azure adds to every resource, and what others refer to."""
    known = {"principalId": "p", "clientId": "c"} if "Identities" in one.type else {}
    there = {"provisioningState": "Succeeded", **known, **one.body.get("properties", {})}
    if "oidcIssuerProfile" in there:
        there["oidcIssuerProfile"] = {"enabled": True, "issuerURL": "https://issuer"}
    there |= properties
    return {"id": one.id, "name": one.name, "type": one.type, **one.body, "properties": there}


def whole(declared):
    found = {one.id: as_azure_has_it(one) for one in declared}
    return {id_: references.resolve(body, found.get) for id_, body in found.items()}


def make_facts(declared, **changed):
    """Everything as declared, but for these: kind of the resource to its body."""
    actual = whole(declared)
    for one in declared:
        kind = one.type.rpartition("/")[2]
        if kind in changed:
            actual[one.id] = references.resolve(changed[kind](one), actual.get)
    return provision.Facts(declared, actual)


def absent(_one):
    return None


def in_state(state):
    return lambda one: as_azure_has_it(one, provisioningState=state)


@pytest.mark.parametrize(
    ("changed", "actions", "undo"),
    [
        ({}, set(), set()),
        # What trusts the cluster's issuer is told the new one's.
        ({CLUSTER: absent}, {"create", "update"}, {"delete_resource", "restore_resource"}),
        ({CLUSTER: in_state("Succeeded")}, set(), set()),
        ({CLUSTER: in_state("Failed")}, {"update"}, {"restore_resource"}),
        ({CLUSTER: in_state("Canceled")}, {"update"}, {"restore_resource"}),
        ({CLUSTER: in_state("Creating")}, {"update"}, {"restore_resource"}),
        ({"routes": absent}, {"create"}, {"delete_resource"}),
        ({"virtualNetworks": lambda one: {**as_azure_has_it(one), "tags": {}}}, {"update"},
         {"restore_resource"}),
        ({CLUSTER: lambda one: as_azure_has_it(one, dnsPrefix="other")}, {"replace"}, set()),
    ],
)  # fmt: skip
def test_what_is_not_as_declared_is_put(declared, changed, actions, undo):
    """Each state of a resource leads to its action and its way back; a replacement to no step."""
    planned = provision.plan(make_facts(declared, **changed))
    assert {one.action for one in planned.changes} - {"no_change"} == actions
    assert {one.undo[0].action for one in planned.steps} == undo
    assert bool(planned.notes) == ("replace" in actions)


def test_a_step_waits_for_what_it_needs_and_for_nothing_else(declared):
    """No layer waits for another one as a whole: Front Door is made while the clusters are."""
    planned = provision.plan(provision.Facts(declared, dict.fromkeys(one.id for one in declared)))
    waits = {one.name.split()[1].rpartition("/")[2]: len(one.after) for one in planned.steps}
    # Its network, its control plane's identity, and the three roles of it and its kubelets.
    assert (waits[CLUSTER], waits["profiles"], waits["resourceGroups"]) == (5, 1, 0)
    assert (waits["afdEndpoints"], waits["origins"]) == (1, 1)
    assert waits["routes"] >= 2
    assert planned.groups == (provision.RESOURCES,)


def test_a_step_does_not_wait_for_what_is_there(declared):
    """Only the routes are missing: they wait for nobody."""
    planned = provision.plan(make_facts(declared, routes=absent))
    assert [one.after for one in planned.steps] == [(), ()]


def test_a_region_that_is_not_enabled_goes_users_first():
    """Every resource of it is deleted, in reverse: origins before all, its group after all."""
    alone = estate.load("dv").model_copy(update={"secondary_enabled": False})
    kept = resources.desired_resources(alone, SUBSCRIPTION)
    removed = resources.list_removed(alone, SUBSCRIPTION)
    planned = provision.plan(provision.Facts(kept, whole((*kept, *removed)), removed))
    deleted = [change for change in planned.changes if change.action == "delete"]
    assert len(deleted) == len(removed) == len(planned.steps)
    assert "Nothing brings them back" in planned.notes[0]
    waits = {step.name.removeprefix("delete "): step.after for step in planned.steps}
    assert waits["Microsoft.Cdn/profiles/originGroups/origins "
                 "afd-aks-multiregion-dv/og-hello-world/westus2 [westus2]"] == ()  # fmt: skip
    group = "Microsoft.Resources/resourceGroups rg-aks-secondary-westus2 [westus2]"
    assert len(waits[group]) == len(removed) - 1
    names = [name for name, after in waits.items() if "origins" not in name]
    assert all(any("/origins " in one for one in waits[name]) for name in names)
    assert {step.group for step in planned.steps} == {provision.REMOVALS}


def test_a_region_is_not_removed_with_the_only_server_that_takes_writes():
    """After a failover the data is there; a region whose server follows may go."""
    alone = estate.load("dv").model_copy(update={"secondary_enabled": False})
    kept = resources.desired_resources(alone, SUBSCRIPTION)
    removed = resources.list_removed(alone, SUBSCRIPTION)
    actual = whole((*kept, *removed))
    servers = {
        one.region: actual[one.id]["properties"]
        for one in (*kept, *removed)
        if one.type == model.SERVER
    }
    servers["westus2"]["replicationRole"] = "Primary"
    servers["eastus"]["replicationRole"] = "GeoAsyncReplica"
    with pytest.raises(errors.PlanError, match="it alone takes writes"):
        provision.plan(provision.Facts(kept, actual, removed))
    servers["eastus"]["replicationRole"] = "Primary"
    assert provision.plan(provision.Facts(kept, actual, removed)).steps


def region(role="primary", **changed):
    location = {"primary": "eastus", "secondary": "westus2"}[role]
    facts = {
        "role": role,
        "location": location,
        "cluster": "aks",
        "resource_group": f"rg-{location}",
        "power": "Running",
        "provisioning": "Succeeded",
        "is_origin_enabled": True,
        "priority": 1 if role == "primary" else 2,
        "replicas_ready": 2,
        "replicas": 2,
    }
    return regions.RegionFacts(**{**facts, **changed})


def drill(target, *others):
    return regions.Facts(
        target=target,
        others=others,
        prediction=front_door.Prediction(5, 10, 10, 15),
        objectives=SimpleNamespace(recovery_time_seconds=60),
        probe_interval_seconds=5,
    )


DOWN = [
    {"power": "Stopped"},
    {"is_origin_enabled": False},
    {"replicas_ready": 1},
    {"replicas_ready": 0, "replicas": 0},
]


@pytest.mark.parametrize("changed", DOWN)
def test_a_region_is_not_failed_over_to_one_that_cannot_serve(changed):
    """Stopped, disabled, not all replicas, none at all: refused before anything is changed."""
    facts = drill(region(), region("secondary", **changed))
    with pytest.raises(errors.PlanError, match="no other region can serve"):
        region_failover.plan(facts)


def test_the_only_region_is_not_failed_over():
    """An estate without a second region has nowhere to go."""
    with pytest.raises(errors.PlanError, match="there is none"):
        region_failover.plan(drill(region()))


def test_a_failover_stops_one_cluster_and_knows_how_to_start_it():
    """One step, its undo, and the impact in words."""
    planned = region_failover.plan(drill(region(), region("secondary")))
    (step,) = planned.steps
    assert (step.action, step.undo[0].action) == ("stop_cluster", "start_cluster")
    assert step.arguments == step.undo[0].arguments == {"role": "primary"}
    assert "5 to 10 s" in planned.notes[0]


@pytest.mark.parametrize(
    ("changed", "steps", "undo"),
    [
        ({}, [], []),
        ({"power": "Stopped", "replicas_ready": 0}, ["start_cluster"], ["stop_cluster"]),
        ({"replicas_ready": 1}, ["start_cluster"], []),
    ],
)
def test_a_failback_starts_what_is_not_serving(changed, steps, undo):
    """Only a cluster that was stopped is stopped again by the undo."""
    planned = region_failback.plan(drill(region(**changed), region("secondary")))
    assert [one.action for one in planned.steps] == steps
    assert [one.action for step in planned.steps for one in step.undo] == undo
    assert planned.is_empty == (not steps)


def test_the_preferred_region_is_the_one_with_the_lowest_priority():
    """Whichever the drill is about."""
    facts = drill(region("secondary"), region())
    assert facts.preferred.location == "eastus"


def release(status="deployed", revision=3):
    return releases.Release("hello-world", "hello-world", revision, status, "app", "1.0.0", "1")


CHANGED = (plans.PropertyChange("image", "app:1", "app:2"),)


@pytest.mark.parametrize(
    ("current", "changes", "action", "undo"),
    [
        (None, CHANGED, "create", "uninstall_release"),
        (release(), (), "no_change", None),
        (release(), CHANGED, "update", "roll_back_release"),
        (release("failed"), (), "update", "repair_release"),
        (release("pending-upgrade"), CHANGED, "update", "repair_release"),
        (release("pending-install", 1), CHANGED, "update", "repair_release"),
    ],
)
def test_a_release_leads_to_its_action_and_its_way_back(current, changes, action, undo):
    """What is deployed comes back by its revision; what was never there is removed."""
    spec = release_steps.Spec("primary", "eastus", "hello-world", "hello-world", Path(), {})
    assert release_steps._decide(current, changes) == action
    facts = (release_steps.Fact(spec, current, changes, action),)
    steps = release_steps.list_steps(facts, action="release_app")
    assert [one.undo[0].action for one in steps] == ([undo] if undo else [])
    if undo == "roll_back_release":
        assert steps[0].undo[0].arguments["revision"] == 3


@pytest.mark.parametrize(
    ("current", "changes", "said"),
    [
        (None, CHANGED, "not installed"),
        (release(), (), "deployed"),
        (release(), CHANGED, "deployed; would change image"),
        (release("failed"), CHANGED * 3, "failed; would change image and 2 more"),
    ],
)
def test_a_release_that_is_not_as_declared_says_where(current, changes, said):
    """A check that fails names what differs, so that nobody has to look for it."""
    spec = release_steps.Spec("primary", "eastus", "hello-world", "hello-world", Path(), {})
    assert release_steps.say_state(release_steps.Fact(spec, current, changes, "update")) == said


@pytest.mark.parametrize("is_built", [True, False])
def test_an_image_is_built_once(is_built):
    """The build is the first step, unless the registry has it; the version goes with each step."""
    spec = release_steps.Spec("primary", "eastus", "hello-world", "hello-world", Path(), {})
    fact = release_steps.Fact(spec, None, CHANGED, "create")
    digest = "sha256:" + "cd" * 32 if is_built else ""
    facts = app_release.Facts("2.0.0", "r/hello:2.0.0", "ab" * 32, digest,
                              release_steps.Facts((fact,)))  # fmt: skip
    planned = app_release.plan(facts)
    assert [one.action for one in planned.steps] == (
        ["release_app"] if is_built else ["build_image", "release_app"]
    )
    assert {one.arguments["version"] for one in planned.steps} == {"2.0.0"}


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_values_are_laid_over_one_another_as_helm_does(base, over, merged):
    """Mappings merge, everything else is replaced; neither layer is changed."""
    kept = str((base, over))
    assert ingress_rollout.merge(base, over) == merged
    assert str((base, over)) == kept


PUBLIC = {"dns-label-name": "aks-multiregion-dv"}
PRIVATE = {
    "load-balancer-internal": "true",
    "pls-create": "true",
    "pls-name": "pls-aks-multiregion-staging",
}


@pytest.mark.parametrize(
    ("environment", "kind", "annotations"),
    [
        ("dv", "LoadBalancer", PUBLIC),
        ("dv", "ClusterIP", {}),
        ("staging", "LoadBalancer", PRIVATE),
    ],
)
def test_a_load_balancer_is_made_as_front_door_reaches_it(environment, kind, annotations):
    """By a public name, or inside the network behind a private link service."""
    ingress = estate.load_ingress("dv").model_copy(update={"service_type": kind})
    service = ingress_rollout.plan_values(ingress, estate.load(environment).front_door)["service"]
    assert service["spec"]["type"] == kind
    prefix = "service.beta.kubernetes.io/azure-"
    assert service["annotations"] == {f"{prefix}{key}": v for key, v in annotations.items()}


def tear_down_facts(declared, *foreign):
    groups = tuple(one for one in declared if one.type.endswith("resourceGroups"))
    existing = {one.id: as_azure_has_it(one) for one in declared}
    existing |= {one: {"type": "Microsoft.Web/sites", "name": one} for one in foreign}
    return tear_down.Facts(groups, existing, declared)


def test_tearing_down_deletes_front_door_first_and_then_the_groups(declared):
    """Everything in them is a change of the plan; nothing of it can be undone."""
    planned = tear_down.plan(tear_down_facts(declared))
    assert len(planned.changes) == len(declared)
    assert [one.group for one in planned.steps] == ["front door"] + ["resource groups"] * 3
    assert [one.undo for one in planned.steps] == [()] * 4
    assert tear_down.plan(tear_down.Facts((), {}, declared)).steps == ()


def test_what_is_not_declared_is_told_whatever_case_azure_writes_it_in(declared):
    """An id that differs in its letters' case only is the same resource."""
    facts = tear_down_facts(declared, "/subscriptions/x/somebody-elses")
    assert facts.undeclared == ["/subscriptions/x/somebody-elses"]
    upper = {one.upper(): body for one, body in facts.existing.items()}
    assert len(tear_down.Facts((), upper, declared).undeclared) == 1

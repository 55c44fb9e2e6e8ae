"""Disruption budgets and evictions over a registry."""

import pytest

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.subresources import pods as subresources
from azrunbook.sandbox.kube.writes import Write


def budget(world, name="web", app="web", **spec):
    selector = {"matchLabels": {"app": app}}
    return world.make("poddisruptionbudgets", name, spec={"selector": selector, **spec})


def evict(world, pod, **body):
    return subresources.evict(world.registry, "default", pod["metadata"]["name"], body, Write())


def allowed(world, name="web"):
    return world.find("poddisruptionbudgets", name)["status"].get("disruptionsAllowed")


async def test_eviction_beyond_the_budget_is_refused_with_the_counts(world):
    """429 TooManyRequests, whose cause says how many pods are needed and healthy."""
    world.deployment("web", replicas=2)
    await world.until(lambda: world.is_complete("web"))
    budget(world, minAvailable="100%")
    found = await world.until(
        lambda: world.condition("poddisruptionbudgets", "web", "DisruptionAllowed")
    )
    assert (found["status"], found["reason"]) == ("False", "InsufficientPods")
    with pytest.raises(errors.StatusError) as refused:
        evict(world, world.list("pods")[0])
    error = refused.value
    assert (error.code, error.reason) == (429, "TooManyRequests")
    assert error.message == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = error.details["causes"]
    assert cause == {
        "reason": "DisruptionBudget",
        "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
    }


async def test_evicted_pod_says_why_it_goes(world):
    """The condition DisruptionTarget is in the pod before it is deleted."""
    world.deployment("web", replicas=1)
    await world.until(lambda: world.is_complete("web"))
    (pod,) = world.list("pods")
    name = pod["metadata"]["name"]
    world.patch("pods", name, {"metadata": {"finalizers": ["example.com/hold"]}})
    evict(world, pod)
    found = world.condition("pods", name, "DisruptionTarget")
    assert (found["reason"], found["message"]) == (
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )


async def test_pod_of_two_budgets_cannot_be_evicted(world):
    """500, as the eviction subresource does not support it."""
    world.deployment("web", replicas=2)
    await world.until(lambda: world.is_complete("web"))
    budget(world, maxUnavailable=1)
    budget(world, "other", maxUnavailable=1)
    await world.until(lambda: allowed(world) == allowed(world, "other") == 1)
    with pytest.raises(errors.StatusError, match="more than one PodDisruptionBudget") as refused:
        evict(world, world.list("pods")[0])
    assert refused.value.code == 500


@pytest.mark.parametrize(
    ("policy", "is_evicted"), [("AlwaysAllow", True), ("IfHealthyBudget", False)]
)
async def test_unready_pods_go_as_the_policy_says(world, policy, is_evicted):
    """Below its budget an application keeps its broken pods unless they may always go."""
    world.deployment("web", replicas=2)
    await world.until(lambda: world.is_complete("web"))
    budget(world, minAvailable=2, unhealthyPodEvictionPolicy=policy)
    broken = world.list("pods")[0]
    world.say_running(broken, ready=False)
    await world.until(
        lambda: world.find("poddisruptionbudgets", "web")["status"].get("currentHealthy") == 1
    )
    if is_evicted:
        evict(world, broken)
        return
    with pytest.raises(errors.StatusError, match="disruption budget"):
        evict(world, broken)


async def test_budget_over_daemons_cannot_count_what_is_expected(world):
    """Daemon pods have no number of replicas: SyncFailed, and nothing may go."""
    template = world.template("agent")
    spec = {"selector": {"matchLabels": {"app": "agent"}}, "template": template}
    world.make("daemonsets", "agent", spec=spec)
    await world.until(lambda: len(world.list("pods")) == 3)
    budget(world, app="agent", maxUnavailable=1)
    found = await world.until(
        lambda: (
            (c := world.condition("poddisruptionbudgets", "web", "DisruptionAllowed")).get("reason")
            == "SyncFailed"
            and c
        )
    )
    assert found["message"] == "daemonsets.apps does not implement the scale subresource"
    assert allowed(world) == 0


async def test_budget_over_bare_pods_warns_that_nobody_counts_them(world):
    """A percentage of pods that no controller made is a percentage of nothing."""
    pod = {"containers": [{"name": "c", "image": "app:1"}]}
    world.make("pods", "bare", spec=pod, metadata={"labels": {"app": "web"}})
    budget(world, maxUnavailable=1)
    (message,) = await world.until(lambda: world.events("UnmanagedPods"))
    assert message.startswith("Pods selected by this PodDisruptionBudget (selector: app=web)")

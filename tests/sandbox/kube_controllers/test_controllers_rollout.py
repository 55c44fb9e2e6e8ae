"""Deployments and ReplicaSets over a registry, with a kubelet that only writes status."""

import pytest


async def test_deployment_becomes_scheduled_pods(world):
    """A Deployment leads to a ReplicaSet, pods on nodes, and complete conditions."""
    world.deployment("web", replicas=3)
    await world.until(lambda: world.is_complete("web"))
    nodes = {pod["spec"]["nodeName"] for pod in world.list("pods")}
    assert nodes == {"node-1", "node-2", "node-3"}
    progressing = world.condition("deployments", "web", "Progressing")
    (replica_set,) = world.list("replicasets")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert progressing["message"] == (
        f'ReplicaSet "{replica_set["metadata"]["name"]}" has successfully progressed.'
    )


async def test_replica_set_is_named_after_its_hash_and_owned(world):
    """The hash is in the name, the labels and the selector; the Deployment controls the set."""
    made = world.deployment("web")
    await world.until(lambda: world.list("replicasets"))
    (replica_set,) = world.list("replicasets")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{digest}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {
        "app": "web",
        "pod-template-hash": digest,
    }
    (owner,) = replica_set["metadata"]["ownerReferences"]
    assert owner["uid"] == made["metadata"]["uid"]
    assert owner["controller"] is True
    assert owner["blockOwnerDeletion"] is True


async def test_rolling_update_replaces_every_pod(world):
    """A new image ends with only new pods and revision 2."""
    world.deployment("web", replicas=4)
    await world.until(lambda: world.is_complete("web"))
    world.set_image("web", "app:2")
    await world.until(lambda: world.is_complete("web") and world.images() == ["app:2"] * 4)
    annotations = world.find("deployments", "web")["metadata"]["annotations"]
    assert annotations["deployment.kubernetes.io/revision"] == "2"


async def test_rolling_update_stays_within_its_bounds(world):
    """At no write are more pods wanted than the surge allows, or fewer running than needed."""
    world.deployment("web", replicas=4)
    await world.until(lambda: world.is_complete("web"))
    await world.settle()
    counts = []

    def note(resource, _before, _after):
        if resource.plural in ("pods", "replicasets"):
            live = [p for p in world.list("pods") if "deletionTimestamp" not in p["metadata"]]
            wanted = sum(one["spec"]["replicas"] for one in world.list("replicasets"))
            counts.append((wanted, sum("podIP" in p["status"] for p in live)))

    world.registry.after_write.append(note)
    world.set_image("web", "app:2")
    await world.until(lambda: world.is_complete("web") and world.images() == ["app:2"] * 4)
    assert max(wanted for wanted, _ in counts) == 5
    assert min(running for _, running in counts) == 3


async def test_update_that_never_gets_ready_keeps_the_old_pods(world):
    """Without readiness the rollout stops at maxUnavailable; the old pods serve on."""
    world.deployment("web", replicas=4)
    await world.until(lambda: world.is_complete("web"))
    world.ready_kubelets = False
    world.set_image("web", "app:broken")
    await world.until(lambda: world.images().count("app:broken") == 2)
    await world.settle()
    assert world.images().count("app:1") == 3
    assert world.find("deployments", "web")["status"]["availableReplicas"] == 3


async def test_stuck_rollout_exceeds_its_deadline(world):
    """After progressDeadlineSeconds without progress the condition says so."""
    world.ready_kubelets = False
    world.deployment("web", progressDeadlineSeconds=1)
    found = await world.until(
        lambda: (
            (c := world.condition("deployments", "web", "Progressing")).get("reason")
            == "ProgressDeadlineExceeded"
            and c
        )
    )
    assert found["status"] == "False"
    assert found["message"].endswith("has timed out progressing.")


async def test_undo_reuses_the_old_replica_set_under_a_new_revision(world):
    """Going back to an earlier template revives its ReplicaSet as revision 3."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    world.set_image("web", "app:2")
    await world.until(lambda: world.is_complete("web") and world.images() == ["app:2"] * 2)
    world.set_image("web", "app:1")
    await world.until(lambda: world.is_complete("web") and world.images() == ["app:1"] * 2)
    sets = world.list("replicasets")
    newest = next(one for one in sets if one["spec"]["replicas"])
    assert len(sets) == 2
    assert newest["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert newest["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"


async def test_recreate_never_mixes_versions(world):
    """With Recreate no new pod exists while an old one is left."""
    world.deployment("web", strategy={"type": "Recreate"})
    await world.until(lambda: world.is_complete("web"))
    mixed = []
    world.registry.after_write.append(
        lambda *_: mixed.append(1) if len(set(world.images())) > 1 else None
    )
    world.set_image("web", "app:2")
    await world.until(lambda: world.is_complete("web") and world.images() == ["app:2"] * 2)
    assert not mixed


async def test_paused_deployment_scales_but_does_not_roll(world):
    """While paused a new template waits and a new size does not."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    world.patch("deployments", "web", {"spec": {"paused": True}})
    world.set_image("web", "app:2")
    world.patch("deployments", "web", {"spec": {"replicas": 3}})
    await world.until(lambda: len(world.list("pods")) == 3)
    await world.settle()
    assert world.images() == ["app:1"] * 3
    assert world.condition("deployments", "web", "Progressing")["reason"] == "DeploymentPaused"


async def test_history_limit_deletes_old_replica_sets(world):
    """Only as many empty ReplicaSets are kept as revisionHistoryLimit says."""
    world.deployment("web", revisionHistoryLimit=1)
    for version in (2, 3, 4):
        await world.until(lambda: world.is_complete("web"))
        world.set_image("web", f"app:{version}")
        await world.until(
            lambda v=version: world.is_complete("web") and world.images() == [f"app:{v}"] * 2
        )
    await world.until(lambda: len(world.list("replicasets")) == 2)


async def test_scaling_down_gives_up_the_pod_that_is_not_ready(world):
    """Of a ready and an unready pod the unready one goes."""
    world.deployment("web", replicas=3)
    await world.until(lambda: world.is_complete("web"))
    victim = world.list("pods")[1]
    world.say_running(victim, ready=False)
    world.patch("deployments", "web", {"spec": {"replicas": 2}})
    await world.until(lambda: len(world.list("pods")) == 2)
    assert victim["metadata"]["name"] not in {p["metadata"]["name"] for p in world.list("pods")}


async def test_deleted_pod_is_replaced(world):
    """A pod that somebody deletes comes back under another name."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    gone = world.list("pods")[0]["metadata"]["name"]
    world.delete("pods", gone)
    await world.until(lambda: world.find("pods", gone) is None and len(world.list("pods")) == 2)


async def test_min_ready_seconds_delays_availability(world):
    """A ready pod counts as available only after minReadySeconds."""
    world.deployment("web", replicas=1, minReadySeconds=1)
    await world.until(lambda: world.find("deployments", "web")["status"].get("readyReplicas") == 1)
    assert not world.find("deployments", "web")["status"].get("availableReplicas")
    await world.until(lambda: world.is_complete("web"))


async def test_quota_like_refusal_shows_as_replica_failure(world):
    """A pod that cannot be created is said in a condition and an event."""
    world.deployment("web", replicas=0)
    await world.until(lambda: world.list("replicasets"))
    original = world.registry.create

    def refuse(resource, namespace, obj, **options):
        if resource.plural == "pods":
            error = world.registry.get
            return error(resource, namespace, "refused")
        return original(resource, namespace, obj, **options)

    world.registry.create = refuse
    world.patch("deployments", "web", {"spec": {"replicas": 1}})
    found = await world.until(lambda: world.condition("deployments", "web", "ReplicaFailure"))
    assert found["reason"] == "FailedCreate"
    assert world.events("FailedCreate") == ['Error creating: pods "refused" not found']


@pytest.mark.parametrize("expected", ["Scaled up replica set", "Created pod:", "Successfully"])
async def test_rollout_tells_its_story_in_events(world, expected):
    """Deployment, ReplicaSet and scheduler each write their event."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    assert any(event["message"].startswith(expected) for event in world.list("events"))


async def test_objects_survive_a_restart_of_the_controllers(world):
    """What changed while the controllers were away is reconciled when they are back."""
    world.deployment("web")
    await world.until(lambda: world.is_complete("web"))
    await world.stop()
    world.patch("deployments", "web", {"spec": {"replicas": 4}})
    await world.start()
    await world.until(lambda: world.is_complete("web") and len(world.list("pods")) == 4)

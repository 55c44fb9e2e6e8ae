"""DaemonSets, StatefulSets, Jobs and CronJobs over a registry."""

import datetime as dt
from fractions import Fraction

from azrunbook.sandbox.kube import times


def names(world):
    return sorted(pod["metadata"]["name"] for pod in world.list("pods"))


def daemon_set(world, name="agent", image="agent:1", **spec):
    selector = {"matchLabels": {"app": name}}
    made = {"selector": selector, "template": world.template(name, image), **spec}
    return world.make("daemonsets", name, spec=made)


def stateful_set(world, name="db", replicas=3, **spec):
    selector = {"matchLabels": {"app": name}}
    parts = {"replicas": replicas, "selector": selector, "serviceName": name}
    template = world.template(name, "db:1")
    return world.make("statefulsets", name, spec={**parts, "template": template, **spec})


def finish(world, pod, phase):
    """Say that a pod's process has ended, as a kubelet does."""
    status = {**pod["status"], "phase": phase}
    world.access.write_status(world.resource("pods"), pod, status)


def job_template(world, **spec):
    return {"template": world.template("work", "work:1", restartPolicy="Never"), **spec}


async def test_daemon_set_runs_once_on_every_node(world):
    """Every node has one pod; a new node gets one too."""
    daemon_set(world)
    await world.until(
        lambda: world.find("daemonsets", "agent")["status"].get("numberAvailable") == 3
    )
    world.node("node-4")
    await world.until(
        lambda: world.find("daemonsets", "agent")["status"].get("numberAvailable") == 4
    )
    nodes = sorted(pod["spec"]["nodeName"] for pod in world.list("pods"))
    assert nodes == ["node-1", "node-2", "node-3", "node-4"]


async def test_daemon_set_with_a_surge_never_leaves_a_node_without(world):
    """With maxSurge a node's old pod goes only when its new one is ready."""
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    daemon_set(world, updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    await world.until(
        lambda: world.find("daemonsets", "agent")["status"].get("numberAvailable") == 3
    )
    bare = []

    def note(_resource, _before, _after):
        live = [p for p in world.list("pods") if "deletionTimestamp" not in p["metadata"]]
        serving = {p["spec"].get("nodeName") for p in live if "podIP" in p["status"]}
        bare.extend({"node-1", "node-2", "node-3"} - serving)

    world.registry.after_write.append(note)
    body = {"spec": {"template": world.template("agent", "agent:2")}}
    world.patch("daemonsets", "agent", body)
    await world.until(lambda: world.images() == ["agent:2"] * 3)
    assert not bare


async def test_daemon_set_stays_away_from_tainted_nodes(world):
    """A node whose taint is not tolerated has none and is not counted."""
    world.node("gpu", taints=[{"key": "gpu", "effect": "NoSchedule"}])
    daemon_set(world)
    await world.until(
        lambda: world.find("daemonsets", "agent")["status"].get("numberAvailable") == 3
    )
    await world.settle()
    assert "gpu" not in {pod["spec"]["nodeName"] for pod in world.list("pods")}


async def test_daemon_set_update_replaces_every_pod(world):
    """A new image reaches all nodes, and the status says so."""
    daemon_set(world)
    await world.until(
        lambda: world.find("daemonsets", "agent")["status"].get("numberAvailable") == 3
    )
    template = world.template("agent", "agent:2")
    world.patch("daemonsets", "agent", {"spec": {"template": template}})
    await world.until(
        lambda: (
            world.images() == ["agent:2"] * 3
            and world.find("daemonsets", "agent")["status"].get("updatedNumberScheduled") == 3
        )
    )


async def test_stateful_set_starts_in_order(world):
    """The next ordinal is created only when the one before is ready."""
    world.ready_kubelets = False
    stateful_set(world)
    await world.until(lambda: names(world) == ["db-0"])
    await world.settle()
    assert names(world) == ["db-0"]
    world.say_running(world.find("pods", "db-0"))
    await world.until(lambda: names(world) == ["db-0", "db-1"])


async def test_stateful_set_pod_keeps_its_name(world):
    """A deleted pod comes back under its name, with its labels."""
    stateful_set(world, replicas=1)
    first = await world.until(lambda: world.find("pods", "db-0"))
    await world.until(lambda: world.find("statefulsets", "db")["status"].get("readyReplicas"))
    world.delete("pods", "db-0")
    await world.until(
        lambda: (
            (p := world.find("pods", "db-0")) and p["metadata"]["uid"] != first["metadata"]["uid"]
        )
    )
    labels = world.find("pods", "db-0")["metadata"]["labels"]
    assert labels["statefulset.kubernetes.io/pod-name"] == "db-0"
    assert labels["apps.kubernetes.io/pod-index"] == "0"


async def test_stateful_set_scales_down_from_the_top(world):
    """The highest ordinal goes first."""
    stateful_set(world)
    await world.until(lambda: names(world) == ["db-0", "db-1", "db-2"])
    await world.until(lambda: world.find("statefulsets", "db")["status"]["availableReplicas"] == 3)
    world.patch("statefulsets", "db", {"spec": {"replicas": 1}})
    await world.until(lambda: names(world) == ["db-0"])


async def test_stateful_set_update_ends_with_one_revision(world):
    """After an update all pods run the new template and current is update."""
    stateful_set(world, replicas=2)
    await world.until(lambda: world.find("statefulsets", "db")["status"]["availableReplicas"] == 2)
    template = world.template("db", "db:2")
    world.patch("statefulsets", "db", {"spec": {"template": template}})
    await world.until(lambda: world.images() == ["db:2"] * 2)

    def is_settled():
        status = world.find("statefulsets", "db")["status"]
        return status["currentRevision"] == status["updateRevision"]

    await world.until(is_settled)
    assert len(world.list("controllerrevisions")) == 2


async def test_job_completes_when_enough_pods_have_succeeded(world):
    """Two of two: Complete, counted, and the pods let go."""
    world.make("jobs", "work", spec=job_template(world, completions=2, parallelism=2))
    await world.until(lambda: sum("podIP" in p["status"] for p in world.list("pods")) == 2)
    for pod in world.list("pods"):
        finish(world, pod, "Succeeded")
    found = await world.until(lambda: world.condition("jobs", "work", "Complete"))
    status = world.find("jobs", "work")["status"]
    assert found["reason"] == "CompletionsReached"
    assert status["succeeded"] == 2
    assert status["completionTime"]
    await world.until(
        lambda: not any(pod["metadata"].get("finalizers") for pod in world.list("pods"))
    )


async def test_job_fails_beyond_its_back_off_limit(world):
    """With backoffLimit 0 the first failure ends it."""
    world.make("jobs", "work", spec=job_template(world, backoffLimit=0))
    await world.until(lambda: world.list("pods") and "podIP" in world.list("pods")[0]["status"])
    finish(world, world.list("pods")[0], "Failed")
    found = await world.until(lambda: world.condition("jobs", "work", "Failed"))
    assert found["reason"] == "BackoffLimitExceeded"
    assert world.find("jobs", "work")["status"]["failed"] == 1


async def test_job_is_deleted_after_its_time_to_live(world):
    """TtlSecondsAfterFinished 0 removes the Job and its pods."""
    world.make("jobs", "work", spec=job_template(world, ttlSecondsAfterFinished=0))
    await world.until(lambda: world.list("pods") and "podIP" in world.list("pods")[0]["status"])
    finish(world, world.list("pods")[0], "Succeeded")
    await world.until(lambda: world.find("jobs", "work") is None and not world.list("pods"))


async def test_failing_job_is_failed_once_its_pods_are_gone(world):
    """FailureTarget says why at once, Failed with the same words when nothing runs any more."""
    spec = job_template(world, parallelism=2, completions=2, activeDeadlineSeconds=1)
    world.make("jobs", "work", spec=spec)
    await world.until(lambda: len(world.list("pods")) == 2)
    held = world.list("pods")[0]["metadata"]
    finalizers = [*held["finalizers"], "example.com/hold"]
    world.patch("pods", held["name"], {"metadata": {"finalizers": finalizers}})
    target = await world.until(lambda: world.condition("jobs", "work", "FailureTarget"))
    await world.until(lambda: len(world.list("pods")) == 1)
    await world.settle()
    assert not world.condition("jobs", "work", "Failed")
    assert world.find("jobs", "work")["status"]["terminating"] == 1
    world.patch("pods", held["name"], {"metadata": {"finalizers": None}})
    failed = await world.until(lambda: world.condition("jobs", "work", "Failed"))
    assert failed["reason"] == target["reason"] == "DeadlineExceeded"
    assert failed["message"] == target["message"]


async def test_success_policy_completes_a_job_by_its_leader(world):
    """When index 0 has succeeded the others are stopped and the Job is complete."""
    policy = {"rules": [{"succeededIndexes": "0"}]}
    spec = job_template(
        world, completions=3, parallelism=3, completionMode="Indexed", successPolicy=policy
    )
    world.make("jobs", "work", spec=spec)
    await world.until(lambda: len([p for p in world.list("pods") if p["status"].get("podIP")]) == 3)
    leader = next(
        pod
        for pod in world.list("pods")
        if pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "0"
    )
    finish(world, leader, "Succeeded")
    found = await world.until(lambda: world.condition("jobs", "work", "Complete"))
    assert (found["reason"], found["message"]) == ("SuccessPolicy", "Matched rules at index 0")
    await world.until(lambda: len(world.list("pods")) == 1)


async def test_suspended_job_runs_nothing(world):
    """A suspended Job has no pods; resumed it starts."""
    world.make("jobs", "work", spec=job_template(world, suspend=True))
    await world.until(lambda: world.condition("jobs", "work", "Suspended"))
    assert not world.list("pods")
    world.patch("jobs", "work", {"spec": {"suspend": False}})
    await world.until(lambda: world.list("pods"))


async def test_cron_job_makes_a_job_when_due(world):
    """A schedule that was due a minute ago leads to a Job named after its instant."""
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": job_template(world)}}
    made = world.make("cronjobs", "tick", spec={**spec, "suspend": True})
    earlier = times.parse(made["metadata"]["creationTimestamp"]) - dt.timedelta(minutes=2)
    status = {"lastScheduleTime": times.stamp(earlier)}
    world.patch("cronjobs", "tick", {"status": status}, subresource="status")
    world.patch("cronjobs", "tick", {"spec": {"suspend": False}})
    (found,) = await world.until(lambda: world.list("jobs"))
    scheduled = times.parse(world.find("cronjobs", "tick")["status"]["lastScheduleTime"])
    assert found["metadata"]["name"] == f"tick-{int(scheduled.timestamp()) // 60}"


async def test_forbidden_run_is_made_up_for_when_the_running_job_ends(world):
    """With Forbid a due Job waits for the one that runs, and only the last missed one is made."""
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "suspend": True}
    world.make("cronjobs", "tick", spec={**spec, "jobTemplate": {"spec": job_template(world)}})
    early = times.stamp(times.now() - dt.timedelta(minutes=3))
    world.patch("cronjobs", "tick", {"status": {"lastScheduleTime": early}}, subresource="status")
    world.patch("cronjobs", "tick", {"spec": {"suspend": False}})
    (first,) = await world.until(lambda: world.list("jobs"))
    await world.settle()
    world.patch("cronjobs", "tick", {"status": {"lastScheduleTime": early}}, subresource="status")
    await world.until(lambda: world.events("JobAlreadyActive"))
    assert len(world.list("jobs")) == 1
    world.delete("jobs", first["metadata"]["name"], propagationPolicy="Background")
    await world.until(
        lambda: (
            [o["metadata"]["uid"] for o in world.list("jobs")]
            not in ([], [first["metadata"]["uid"]])
        )
    )
    assert len(world.list("jobs")) == 1
    assert world.events("MissingJob")


async def test_job_made_by_hand_from_a_cron_job_is_no_run_of_it(world):
    """It is noticed, and neither counts as active nor holds back a run that is due."""
    spec = {"schedule": "* * * * *", "concurrencyPolicy": "Forbid", "suspend": True}
    cron = world.make(
        "cronjobs", "tick", spec={**spec, "jobTemplate": {"spec": job_template(world)}}
    )
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "tick",
        "uid": cron["metadata"]["uid"],
        "controller": True,
    }
    world.make("jobs", "by-hand", spec=job_template(world), metadata={"ownerReferences": [owner]})
    found = await world.until(lambda: world.events("UnexpectedJob"))
    assert found[0] == "Saw a job that the controller did not create or forgot: by-hand"
    early = times.stamp(times.now() - dt.timedelta(minutes=3))
    world.patch("cronjobs", "tick", {"status": {"lastScheduleTime": early}}, subresource="status")
    world.patch("cronjobs", "tick", {"spec": {"suspend": False}})
    await world.until(lambda: len(world.list("jobs")) == 2)
    (active,) = await world.until(lambda: world.find("cronjobs", "tick")["status"].get("active"))
    assert active["name"] != "by-hand"


def autoscaler(world, **spec):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    metrics = [{"type": "Resource", "resource": resource}]
    parts = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5, "metrics": metrics}
    return world.make("horizontalpodautoscalers", "web", spec={**parts, **spec})


async def test_autoscaler_grows_with_use_up_to_its_maximum(world):
    """Pods at 200 % of their request lead to the maximum, said in conditions and events."""
    resources = {"requests": {"cpu": "100m"}}
    containers = [{"name": "c", "image": "app:1", "resources": resources}]
    world.deployment("web", replicas=1, template_spec={"containers": containers})
    await world.until(lambda: world.is_complete("web"))
    world.usage = {world.list("pods")[0]["metadata"]["name"]: {"cpu": Fraction(1, 5)}}
    autoscaler(world, maxReplicas=3)
    await world.until(lambda: world.find("deployments", "web")["spec"]["replicas"] == 3)
    limited = world.condition("horizontalpodautoscalers", "web", "ScalingLimited")
    assert limited["reason"] == "TooManyReplicas"
    assert world.events("SuccessfulRescale")[0] == (
        "New size: 3; reason: cpu resource utilization (percentage of request) above target"
    )


async def test_autoscaler_without_metrics_says_so_and_leaves_the_size(world):
    """Nothing measured, nothing scaled."""
    world.deployment("web", replicas=2)
    await world.until(lambda: world.is_complete("web"))
    autoscaler(world)
    found = await world.until(
        lambda: world.condition("horizontalpodautoscalers", "web", "ScalingActive")
    )
    assert (found["status"], found["reason"]) == ("False", "FailedGetResourceMetric")
    assert world.find("deployments", "web")["spec"]["replicas"] == 2


async def test_autoscaler_names_the_target_that_is_not_there(world):
    """A wrong name in scaleTargetRef is said as the API says it."""
    autoscaler(world)
    found = await world.until(
        lambda: world.condition("horizontalpodautoscalers", "web", "AbleToScale")
    )
    assert (found["status"], found["reason"]) == ("False", "FailedGetScale")
    assert world.events("FailedGetScale")[0] == 'deployments.apps "web" not found'


async def test_new_autoscaler_does_not_shrink_at_once(world):
    """The size that it finds counts as recommended for the window of scaling down."""
    resources = {"requests": {"cpu": "100m"}}
    containers = [{"name": "c", "image": "app:1", "resources": resources}]
    world.deployment("web", replicas=3, template_spec={"containers": containers})
    await world.until(lambda: world.is_complete("web"))
    world.usage = {pod["metadata"]["name"]: {"cpu": Fraction(0)} for pod in world.list("pods")}
    autoscaler(world)
    found = await world.until(
        lambda: (
            (c := world.condition("horizontalpodautoscalers", "web", "AbleToScale")).get("reason")
            == "ScaleDownStabilized"
            and c
        )
    )
    assert found["status"] == "True"
    assert world.find("deployments", "web")["spec"]["replicas"] == 3

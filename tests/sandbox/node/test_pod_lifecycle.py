"""Pods on a node, seen through a real API server."""

import psutil
import pytest

READY = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}


def shell(script):
    return {"command": ["sh", "-c", script]}


async def test_a_pod_becomes_ready_answers_and_ends_gracefully(world, node, until):
    """From assignment to removal: address, conditions, events, log, SIGTERM."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    pod = world.pod()
    status, answer = await world.ask(pod["status"]["podIP"])
    assert status == 200
    assert answer["env"]["HOSTNAME"] == "web"
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["hostIP"] == node.config.address
    assert world.container()["imageID"].startswith("registry.example/server@sha256:")
    await until(lambda: {"Pulled", "Created", "Started"} <= world.reasons())
    [worker] = node.workers.values()
    run = worker.runners["main"].run
    world.delete_pod()
    await until(lambda: world.pod() is None)
    assert not psutil.pid_exists(run._child.pid)
    await until(lambda: "Killing" in world.reasons())
    assert world.supervisor.list_children() == []


@pytest.mark.usefixtures("node")
async def test_two_pods_listen_on_the_same_port(world, until):
    """Any address means the pod's own, so port 8080 is free in every pod."""
    world.create_pod("one", readinessProbe=READY)
    world.create_pod("two", readinessProbe=READY)
    await until(lambda: world.is_ready("one") and world.is_ready("two"))
    ips = {name: world.pod(name)["status"]["podIP"] for name in ("one", "two")}
    for name, ip in ips.items():
        assert (await world.ask(ip))[1]["env"]["HOSTNAME"] == name


@pytest.mark.usefixtures("node")
async def test_readiness_follows_the_probe(world, until):
    """A failing readiness probe takes the pod out and does not restart it."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    ip = world.pod()["status"]["podIP"]
    await world.ask(ip, "/set/503")
    await until(lambda: world.condition("Ready") == "False")
    assert world.container()["restartCount"] == 0
    await until(lambda: "Unhealthy" in world.reasons())
    await world.ask(ip, "/set/200")
    await until(world.is_ready)


@pytest.mark.usefixtures("node")
async def test_a_failing_liveness_probe_restarts_the_container(world, until):
    """The container is stopped with its grace and started again."""
    probe = {**READY, "failureThreshold": 2}
    world.create_pod(livenessProbe=probe, readinessProbe=READY)
    await until(world.is_ready)
    ip = world.pod()["status"]["podIP"]
    await world.ask(ip, "/set/500")
    await until(lambda: world.container()["restartCount"] == 1)
    await until(world.is_ready)
    assert world.container()["lastState"]["terminated"]["exitCode"] == 0


@pytest.mark.usefixtures("node")
async def test_a_startup_probe_holds_the_others_back(world, until):
    """Neither started nor ready before it passes; readiness at once after it."""
    script = shell("sleep 1; touch $HOME/up; exec sleep 300")
    startup = {"exec": {"command": ["sh", "-c", "test -e $HOME/up"]}, "periodSeconds": 1}
    world.create_pod(**script, startupProbe=startup)
    await until(lambda: "running" in world.container().get("state", {}))
    assert world.container()["started"] is False
    assert world.is_ready() is False
    await until(world.is_ready)
    assert world.container()["started"] is True


@pytest.mark.usefixtures("node")
async def test_a_crashing_container_backs_off(world, until):
    """Restarted at once, then after a growing delay, with the kubelet's words."""
    world.create_pod(**shell("echo dying; exit 3"))
    await until(lambda: world.container().get("restartCount", 0) >= 2)
    await until(lambda: "waiting" in world.container()["state"])
    waiting = world.container()["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff"
    assert "restarting failed container=main pod=web_default(" in waiting["message"]
    ended = world.container()["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    await until(lambda: "BackOff" in world.reasons())
    assert world.pod()["status"]["phase"] == "Running"


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    ("policy", "script", "phase"),
    [
        ("Never", "exit 0", "Succeeded"),
        ("Never", "exit 1", "Failed"),
        ("OnFailure", "true", "Succeeded"),
    ],
)
async def test_a_pod_that_ends_has_a_final_phase(world, until, policy, script, phase):
    """Restart policy and exit code decide."""
    world.create_pod(**shell(script), spec={"restartPolicy": policy})
    await until(lambda: world.pod()["status"].get("phase") == phase)
    assert world.condition("Ready") == "False"
    world.delete_pod()
    await until(lambda: world.pod() is None)


@pytest.mark.usefixtures("node")
async def test_an_unknown_image_is_not_pulled(world, until):
    """ErrImagePull, then ImagePullBackOff, and the pod can still be deleted."""
    world.create_pod(image="registry.example/nothing:9")
    await until(lambda: "waiting" in world.container().get("state", {}))
    await until(lambda: world.container()["state"]["waiting"]["reason"] == "ImagePullBackOff")
    assert (
        "registry.example/nothing:9: not found" in world.container()["state"]["waiting"]["message"]
    )
    assert world.pod()["status"]["phase"] == "Pending"
    await until(lambda: {"Pulling", "Failed", "BackOff"} <= world.reasons())
    world.delete_pod()
    await until(lambda: world.pod() is None)


@pytest.mark.usefixtures("node")
async def test_a_missing_program_is_a_start_error(world, until):
    """The container ends with 128 and runc's words."""
    world.create_pod(command=["no-such-program"], spec={"restartPolicy": "Never"})
    await until(lambda: world.pod()["status"].get("phase") == "Failed")
    ended = world.container()["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "executable file not found in $PATH" in ended["message"]


@pytest.mark.usefixtures("node")
async def test_init_containers_run_before_and_sidecars_beside(world, until):
    """An init container ends first; a sidecar stays and is stopped last."""
    init = [
        {"name": "first", "image": world_image(), **shell("sleep 0.3")},
        {"name": "side", "image": world_image(), "restartPolicy": "Always", **shell("sleep 300")},
    ]
    world.create_pod(spec={"initContainers": init}, readinessProbe=READY)
    await until(lambda: world.condition("Initialized") == "False")
    await until(world.is_ready)
    statuses = {s["name"]: s for s in world.pod()["status"]["initContainerStatuses"]}
    assert statuses["first"]["state"]["terminated"]["exitCode"] == 0
    assert "running" in statuses["side"]["state"]
    world.delete_pod(grace=1)
    await until(lambda: world.pod() is None)
    assert world.supervisor.list_children() == []


def world_image():
    return "registry.example/server:1"


@pytest.mark.usefixtures("node")
async def test_a_stubborn_process_is_killed_after_its_grace(world, until):
    """SIGTERM is ignored, SIGKILL follows, and the final status says 137."""
    script = shell("trap '' TERM; echo up; while :; do sleep 1; done")
    world.create_pod(**script)
    await until(world.is_ready)
    async with world.watched() as seen:
        world.delete_pod(grace=1)
        await until(lambda: world.pod() is None)
    states = [s for pod in seen for s in pod["status"].get("containerStatuses", ())]
    assert states[-1]["state"]["terminated"]["exitCode"] == 137


async def test_a_pre_stop_hook_runs_before_the_signal(world, node, until):
    """What the hook does is done while the container still serves."""
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> $HOME/../../../stopped"]}}}
    world.create_pod(readinessProbe=READY, lifecycle=hook)
    await until(world.is_ready)
    marker = node.config.log_dir / "pods" / world.pod()["metadata"]["uid"] / "stopped"
    [worker] = node.workers.values()
    runner = worker.runners["main"]
    await runner.stop(5)
    assert marker.read_text() == "hook\n"


@pytest.mark.usefixtures("node")
async def test_memory_over_the_limit_is_an_oom_kill(world, until):
    """The container is killed with 137 and says OOMKilled."""
    code = "import time; held = bytearray(120_000_000); time.sleep(300)"
    world.create_pod(
        command=["python", "-c", code],
        resources={"limits": {"memory": "64Mi"}},
        spec={"restartPolicy": "Never"},
    )
    await until(lambda: world.pod()["status"].get("phase") == "Failed")
    ended = world.container()["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


async def test_stopping_the_agent_kills_and_tells_nobody(world, node, until):
    """The node is gone: no process, an unchanged pod; back again, the pod starts anew."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    before = world.pod()
    await node.stop()
    assert world.supervisor.list_children() == []
    assert world.pod()["status"] == before["status"]
    await node.start()
    await until(lambda: world.container()["restartCount"] == 1)
    await until(world.is_ready)
    assert world.pod()["status"]["podIP"] == before["status"]["podIP"]
    assert world.container()["lastState"]["terminated"]["exitCode"] == 255
    await until(lambda: "SandboxChanged" in world.reasons())


async def test_a_forced_deletion_ends_the_process_too(world, node, until):
    """The object goes at once, the process soon after."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    world.delete_pod(grace=0)
    assert world.pod() is None
    await until(lambda: not world.supervisor.list_children())
    await until(lambda: not node.workers)


async def test_an_orderly_shutdown_stops_the_pods_and_says_so(world, node, until):
    """The containers end by SIGTERM, and the pod is Failed for good."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    await node.stop(drain=True)
    status = world.pod()["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    await node.start()
    await until(lambda: node.workers)
    assert world.supervisor.list_children() == []


async def test_a_taken_port_is_an_error_of_the_start(world, node):
    """A second agent on the same address does not come up, and can be stopped."""
    with pytest.raises(OSError, match="address already in use"):
        await world.start_node()
    assert node.workers == {}


@pytest.mark.usefixtures("node")
async def test_a_readiness_gate_is_waited_for(world, until):
    """The pod is ready when somebody has set the gate's condition."""
    gate = "example.com/gate"
    world.create_pod(readinessProbe=READY, spec={"readinessGates": [{"conditionType": gate}]})
    await until(lambda: world.condition("ContainersReady") == "True")
    assert world.is_ready() is False
    patch = {"status": {"conditions": [{"type": gate, "status": "True"}]}}
    world.registry.patch(
        world.resource("pods"),
        "default",
        "web",
        patch,
        content_type="application/strategic-merge-patch+json",
        subresource="status",
    )
    await until(world.is_ready)

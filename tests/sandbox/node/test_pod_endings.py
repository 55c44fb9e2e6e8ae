"""How containers end: in order, in time, with all that they started."""

import asyncio
import contextlib

import psutil
import pytest

from azrunbook.sandbox.node import launch

IMAGE = "registry.example/server:1"
# Children, a daemon that left the session, one that lost its parent too, and no end on SIGTERM.
FAMILY = """
for number in 1 2 3 4 5 6 7 8 9 10; do sleep 301 & done
setsid sleep 301 &
(setsid sh -c 'sleep 301 & sleep 301' &)
trap '' TERM
echo up
"""


def list_marked(mark):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(launch.MARK) == mark:
                found.append(process.pid)
    return found


def exit_codes(seen):
    statuses = [s for pod in seen for s in pod["status"].get("containerStatuses", ())]
    return [s["state"]["terminated"]["exitCode"] for s in statuses if "terminated" in s["state"]]


@pytest.mark.parametrize(
    "end", ["while :; do sleep 1; done", "until test -e /tmp/go; do sleep 0.1; done; exit 0"]
)
async def test_nothing_that_a_container_started_survives_it(world, node, until, end):
    """Children, daemons and orphans: whether it was killed or ended by itself."""
    world.create_pod(command=["sh", "-c", FAMILY + end], spec={"restartPolicy": "Never"})
    await until(lambda: node.workers and next(iter(node.workers.values())).runners)
    runner = next(iter(node.workers.values())).runners["main"]
    mark = (await until(lambda: runner.run))._mark
    await until(lambda: len(list_marked(mark)) >= 13)
    if end.startswith("while"):
        world.delete_pod(grace=1)
        await until(lambda: world.pod() is None)
    else:
        await world.run_kubectl("exec", "web", "--", "touch", "/tmp/go")  # noqa: S108 - its own
        await until(lambda: world.pod()["status"]["phase"] == "Succeeded")
    assert list_marked(mark) == []


@pytest.mark.usefixtures("node")
async def test_hook_then_signal_then_sidecars(world, until, tmp_path):
    """The order of an end: preStop, the main container, the sidecars from the last on."""
    order = tmp_path / "order"

    def noting(word):
        trap = f"trap 'echo {word} >> {order}; exit 0' TERM"
        return ["sh", "-c", f"{trap}; echo up; while :; do sleep 0.05; done"]

    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"sleep 0.2; echo hook >> {order}"]}}}
    sidecars = [
        {"name": name, "image": IMAGE, "restartPolicy": "Always", "command": noting(name)}
        for name in ("first", "second")
    ]
    volume = {"name": "out", "hostPath": {"path": str(tmp_path)}}
    mount = [{"name": "out", "mountPath": str(tmp_path)}]
    for sidecar in sidecars:
        sidecar["volumeMounts"] = mount
    world.create_pod(
        command=noting("main"),
        lifecycle=hook,
        volumeMounts=mount,
        spec={"initContainers": sidecars, "volumes": [volume]},
    )
    await until(world.is_ready)
    logs = [f"--container={name}" for name in ("main", "first", "second")]
    for each in logs:
        assert await world.kubectl("logs", "web", each) == "up\n"
    world.delete_pod()
    await until(lambda: world.pod() is None)
    assert order.read_text().split() == ["hook", "main", "second", "first"]


@pytest.mark.usefixtures("node")
async def test_a_hook_may_be_a_request(world, until):
    """The container still serves it; the signal comes after."""
    hook = {"preStop": {"httpGet": {"path": "/goodbye", "port": 8080}}}
    ready = {"httpGet": {"path": "/health", "port": 8080}}
    world.create_pod(lifecycle=hook, readinessProbe=ready)
    await until(world.is_ready)
    following = asyncio.create_task(world.kubectl("logs", "web", "-f"))
    deleting = asyncio.create_task(world.kubectl("delete", "pod", "web"))
    said = await following
    await deleting
    assert 0 < said.index("GET /goodbye") < said.index("terminating")


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    ("container", "spec", "code"),
    [
        ({"command": ["sleep", "300"]}, {}, 143),
        (
            {
                "command": ["sh", "-c", "trap 'exit 4' USR1; echo up; while :; do sleep 0.1; done"],
                "lifecycle": {"stopSignal": "SIGUSR1"},
            },
            {"os": {"name": "linux"}},
            4,
        ),
    ],
)
async def test_the_stop_signal_decides_the_exit_code(world, until, container, spec, code):
    """SIGTERM ends what does not catch it with 143; a pod may name another signal."""
    world.create_pod(**container, spec=spec)
    await until(world.is_ready)
    if "lifecycle" in container:
        await until(lambda: world.log_text() == "up\n")
    async with world.watched() as seen:
        world.delete_pod()
        await until(lambda: world.pod() is None)
    assert exit_codes(seen)[-1] == code


@pytest.mark.usefixtures("node")
async def test_a_second_deletion_leaves_less_time(world, until):
    """Deleted with its grace of half a minute, then with one second: killed after that."""
    world.create_pod(command=["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"])
    await until(lambda: world.is_ready() and world.log_text() == "up\n")
    await world.kubectl("delete", "pod", "web", "--wait=false")
    async with world.watched() as seen:
        await world.kubectl("delete", "pod", "web", "--grace-period=1")
    assert exit_codes(seen)[-1] == 137


@pytest.mark.usefixtures("node")
async def test_a_crash_loop_keeps_its_logs(world, until):
    """Between two runs, and after the next has begun, the log of the last one is there."""
    script = "echo run; test -e $HOME/again && exec sleep 300; touch $HOME/again; exit 3"
    world.create_pod(command=["sh", "-c", script])
    await until(lambda: world.is_ready() and world.container()["restartCount"] == 1)
    assert await world.kubectl("logs", "web", "--previous") == "run\n"
    assert await world.kubectl("logs", "web") == "run\n"
    assert world.container()["lastState"]["terminated"]["exitCode"] == 3


async def test_logs_between_two_runs_are_those_of_the_last(world, until):
    """In a CrashLoopBackOff of ten seconds, with --previous and without."""
    await world.start_node()
    world.create_pod(command=["sh", "-c", "echo dying; exit 3"])
    await until(lambda: "BackOff" in world.reasons())
    assert await world.kubectl("logs", "web") == "dying\n"
    assert await world.kubectl("logs", "web", "--previous") == "dying\n"
    shown = await world.kubectl("get", "pod", "web", "--no-headers")
    assert "CrashLoopBackOff" in shown


async def test_a_program_that_is_missing_is_a_run_container_error(world, until):
    """Tried again: it waits with that reason, and the last state is the failed start."""
    await world.start_node()
    async with world.watched() as seen:
        world.create_pod(command=["no-such-program"])
        await until(lambda: "BackOff" in world.reasons())
    reasons = {
        s["state"]["waiting"]["reason"]
        for pod in seen
        for s in pod.get("status", {}).get("containerStatuses", ())
        if "waiting" in s["state"]
    }
    assert {"RunContainerError", "CrashLoopBackOff"} <= reasons
    assert world.container()["lastState"]["terminated"]["reason"] == "StartError"
    code, _, problem = await world.run_kubectl("logs", "web")
    assert code == 1
    assert "is waiting to start" in problem


@pytest.mark.usefixtures("node")
async def test_logs_are_chosen_as_kubectl_asks(world, until):
    """By label and container, the last lines, with instants, and followed to their end."""
    counting = ["sh", "-c", "for n in 1 2 3; do echo $n; done; sleep 1; echo 4"]
    other = {"name": "other", "image": IMAGE, "command": ["sh", "-c", "echo other"]}
    main = {"name": "main", "image": IMAGE, "command": counting}
    world.create_pod(spec={"containers": [main, other], "restartPolicy": "Never"})
    await until(lambda: world.pod()["status"].get("phase") == "Running")
    followed = await world.kubectl("logs", "web", "-c", "main", "-f")
    assert followed.split() == ["1", "2", "3", "4"]
    assert await world.kubectl("logs", "web", "-c", "main", "--tail=2") == "3\n4\n"
    whole = await world.kubectl("logs", "-l", "app=web", "--all-containers", "--prefix")
    assert "[pod/web/other] other\n" in whole
    stamped = await world.kubectl("logs", "web", "-c", "other", "--timestamps", "--since=1h")
    assert stamped.split()[0].endswith("Z")
    code, _, problem = await world.run_kubectl("logs", "web", "-c", "main", "--previous")
    assert code == 1
    assert 'previous terminated container "main" in pod "web" not found' in problem

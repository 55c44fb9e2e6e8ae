"""exec, attach and cp through kubectl and the Python client, to real processes."""

import asyncio
import json

import pytest
from kubernetes import client, config as client_config, stream

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
WAITING = {"command": ["sh", "-c", "echo started; exec sleep 300"]}


@pytest.fixture
async def pod(world, node, until):  # noqa: ARG001 - the pod's node
    """A pod that does nothing, with a ConfigMap on /etc/app."""
    world.create("configmaps", {**CONFIG, "data": {"color": "green"}})
    volume = {"name": "settings", "configMap": {"name": "settings"}}
    world.create_pod(
        **WAITING,
        env=[{"name": "COLOR", "value": "red"}],
        volumeMounts=[{"name": "settings", "mountPath": "/etc/app"}],
        spec={"volumes": [volume], "terminationGracePeriodSeconds": 0},
    )
    await until(world.is_ready)


@pytest.mark.usefixtures("pod")
async def test_exec_has_the_containers_environment_and_streams(world):
    """Variables, both outputs apart, the exit code, and input to its end."""
    script = "echo $COLOR $HOSTNAME; cat /etc/app/color; echo bad >&2; exit 3"
    code, out, problem = await world.run_kubectl("exec", "web", "--", "sh", "-c", script)
    assert (code, out) == (3, "red web\ngreen")
    assert problem.startswith("bad\n")
    assert "exit code 3" in problem
    given = b"line\n" * 50_000
    assert await world.kubectl("exec", "-i", "web", "--", "wc", "-l", given=given) == "50000\n"
    assert [child.pid for child in world.supervisor.list_children()][1:] == []


@pytest.mark.usefixtures("pod")
async def test_exec_says_what_it_cannot_do(world):
    """A missing program, container and pod, and a user without permission."""
    code, _, problem = await world.run_kubectl("exec", "web", "--", "no-such-program")
    assert code == 1
    assert "executable file not found in $PATH" in problem
    _, _, problem = await world.run_kubectl("exec", "web", "-c", "other", "--", "true")
    assert "container other is not valid for pod web" in problem
    _, _, problem = await world.run_kubectl("exec", "nobody", "--", "true")
    assert 'pods "nobody" not found' in problem
    rules = [{"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["get"]}]
    name = {"metadata": {"name": "looker"}}
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "looker"}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "looker"}
    group = "rbac.authorization.k8s.io"
    world.create("clusterroles", {**name, "rules": rules}, group=group, namespace=None)
    binding = {**name, "roleRef": reference, "subjects": [subject]}
    world.create("clusterrolebindings", binding, group=group, namespace=None)
    _, _, problem = await world.run_kubectl("exec", "web", "--", "true", user=("looker", []))
    assert 'cannot create resource "pods/exec"' in problem


@pytest.mark.usefixtures("pod")
async def test_exec_on_a_lost_node_says_that_it_cannot_be_reached(world, node):
    """The API server has no kubelet to ask; neither way of connecting hides that."""
    await node.stop()
    code, _, problem = await world.run_kubectl("exec", "web", "--", "true")
    assert code == 1
    assert "error dialing backend" in problem


@pytest.mark.usefixtures("pod")
async def test_files_are_copied_both_ways(world, tmp_path):
    """With kubectl cp: into the container's own /tmp, and out of it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_text("hello")
    await world.kubectl("cp", str(tmp_path / "folder"), "web:/tmp/copied")
    assert await world.kubectl("exec", "web", "--", "cat", "/tmp/copied/a.txt") == "hello"  # noqa: S108
    await world.kubectl("cp", "web:/tmp/copied/a.txt", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "hello"


def execute(kubeconfig, **options):
    api = client_config.new_client_from_config(str(kubeconfig))
    try:
        core = client.CoreV1Api(api)
        return stream.stream(
            core.connect_get_namespaced_pod_exec,
            *("web", "default"),
            **{"stdin": False, "stdout": True, "stderr": True, "tty": False, **options},
        )
    finally:
        api.close()


@pytest.mark.usefixtures("pod")
async def test_the_python_client_runs_commands(world):
    """Its v4 and v5 framing: output as text, the exit code, and typed input."""
    kubeconfig = world.write_kubeconfig()
    out = await asyncio.to_thread(execute, kubeconfig, command=["sh", "-c", "echo $COLOR"])
    assert out == "red\n"

    def talk():
        command = ["sh", "-c", "read A; echo got $A; exit 7"]
        talking = execute(kubeconfig, command=command, stdin=True, _preload_content=False)
        talking.write_stdin("word\n")
        talking.run_forever(timeout=20)
        return talking.read_stdout(), talking.returncode

    assert await asyncio.to_thread(talk) == ("got word\n", 7)


@pytest.mark.usefixtures("pod")
async def test_a_terminal_has_the_size_of_the_window(world):
    """A pseudo terminal that is resized, and whose Ctrl-C is a signal."""
    kubeconfig = world.write_kubeconfig()

    def talk():
        script = "trap 'stty size; exit 5' INT; echo ready; while :; do sleep 0.1; done"
        talking = execute(
            kubeconfig, command=["sh", "-c", script], stdin=True, tty=True, _preload_content=False
        )
        talking.write_channel(4, json.dumps({"Width": 97, "Height": 31}))
        assert talking.readline_stdout(timeout=20).strip() == "ready"
        talking.write_stdin("\x03")
        talking.run_forever(timeout=20)
        return talking.read_stdout(), talking.returncode

    out, code = await asyncio.to_thread(talk)
    assert "31 97" in out
    assert code == 5


@pytest.mark.usefixtures("node")
async def test_attach_reaches_the_containers_own_process(world, until):
    """What is typed is its input; its end is the end of the attachment."""
    script = 'echo ready; read A; echo "got $A"; exit 0'
    world.create_pod(command=["sh", "-c", script], stdin=True, spec={"restartPolicy": "Never"})
    await until(world.is_ready)
    assert "got word" in await world.kubectl("attach", "-i", "web", given=b"word\n")
    await until(lambda: world.pod()["status"]["phase"] == "Succeeded")
    assert await world.kubectl("logs", "web") == "ready\ngot word\n"

"""Images that cannot run here, where the sandbox was asked to simulate them."""

import json

import pytest

from azrunbook.sandbox.host import grants

NOTHING = "registry.example/nothing:9"
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "hook", "namespace": "default"},
    "spec": {
        "template": {
            "spec": {
                "restartPolicy": "Never",
                "initContainers": [{"name": "first", "image": NOTHING}],
                "containers": [{"name": "main", "image": NOTHING}],
            }
        }
    },
}


@pytest.fixture
async def simulating(world):
    """A node that simulates, in a cluster that lets it label pods."""
    grants.let_nodes_label_pods(world.registry)
    return await world.start_node(unrunnable="simulate")


@pytest.mark.usefixtures("simulating")
async def test_a_simulated_pod_is_ready_and_says_what_it_is(world, until):
    """By label, condition, event and log; there is no process, and deleting it works."""
    world.create_pod(image=NOTHING, spec={"terminationGracePeriodSeconds": 1})
    await until(world.is_ready)
    assert world.supervisor.list_children() == []
    chosen = await world.kubectl("get", "pods", "-l", "azrunbook.dev/simulated=true", "-o", "name")
    assert chosen == "pod/web\n"
    assert world.condition("sandbox.azrunbook.dev/Simulated") == "True"
    await until(lambda: "Simulated" in world.reasons())
    log = await world.kubectl("logs", "web")
    assert log.startswith("Container main is simulated, nothing runs in it: ")
    assert log.rstrip().endswith(f"{NOTHING}: not found")
    code, _, problem = await world.run_kubectl("exec", "web", "--", "true")
    assert code == 1
    assert "Container main is simulated, nothing runs in it" in problem
    world.delete_pod()
    await until(lambda: world.pod() is None)


@pytest.mark.usefixtures("simulating")
async def test_a_simulated_job_completes(world):
    """Init container and container end with 0, so a chart's hooks never hold it up."""
    await world.kubectl("apply", "-f", "-", given=json.dumps(JOB).encode())
    await world.kubectl("wait", "job/hook", "--for=condition=Complete", "--timeout=30s")
    shown = await world.kubectl("get", "pods", "--no-headers")
    assert "Completed" in shown


async def test_a_node_may_not_label_pods_unless_it_simulates(world, node):
    """The permission is the simulation's only; a node writes status and nothing else."""
    world.create_pod()
    code, _, problem = await world.run_kubectl(
        *("label", "pod", "web", "a=b"), user=(f"system:node:{node.config.name}", ["system:nodes"])
    )
    assert code == 1
    assert 'cannot patch resource "pods"' in problem


@pytest.mark.usefixtures("simulating")
async def test_a_simulated_pod_does_not_wait_for_what_it_mounts(world, until):
    """A Secret that a simulated hook would have made holds nothing up; an event names it."""
    volume = {"name": "cert", "secret": {"secretName": "made-by-a-hook"}}
    world.create_pod(image=NOTHING, spec={"volumes": [volume]})
    await until(world.is_ready)
    events = world.registry.list(world.resource("events"), "default")
    said = [one["message"] for one in events if one["reason"] == "Simulated"]
    assert any('secret "made-by-a-hook" not found; not waited for' in text for text in said)
    world.create_pod("real", spec={"volumes": [volume]})
    await until(lambda: "FailedMount" in world.reasons("real"))

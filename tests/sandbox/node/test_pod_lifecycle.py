"""Pods on a node, seen through a real API server."""

import psutil

READY = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}


async def test_a_pod_becomes_ready_answers_and_ends_gracefully(world, node, until):
    """From assignment to removal: address, conditions, events, log, SIGTERM."""
    world.create_pod(readinessProbe=READY)
    await until(world.is_ready)
    pod = world.pod()
    status, answer = await world.ask(pod["status"]["podIP"])
    assert status == 200
    assert answer["env"]["HOSTNAME"] == "web"
    assert answer["env"]["KUBERNETES_SERVICE_PORT"] == "6443"
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["hostIP"] == node.config.address
    assert world.container()["imageID"].startswith("registry.example/server@sha256:")
    await until(lambda: {"Pulled", "Created", "Started"} <= world.reasons())
    [worker] = node.workers.values()
    run = worker.runners["main"].run
    log = run.log
    world.delete_pod()
    await until(lambda: world.pod() is None)
    assert log.is_open is False
    assert not psutil.pid_exists(run._child.pid)
    await until(lambda: "Killing" in world.reasons())
    assert world.supervisor.list_children() == []

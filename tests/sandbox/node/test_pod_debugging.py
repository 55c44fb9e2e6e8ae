"""Ephemeral containers, as kubectl debug adds them to a pod that runs."""

import pytest

IMAGE = "registry.example/server:1"


@pytest.mark.usefixtures("node")
async def test_a_debugging_container_runs_once_beside_the_others(world, until):
    """It has the pod's address and volumes, a status and a log of its own, and leaves it ready."""
    world.create_pod(command=["sh", "-c", "echo up; exec sleep 300"])
    await until(world.is_ready)
    script = 'echo "looking at $AZRUNBOOK_POD_ADDRESS"; exit 4'
    options = ("--image", IMAGE, "--container", "look", "--attach=false")
    await world.kubectl("debug", "web", *options, "--", "sh", "-c", script)

    def ended():
        found = world.pod()["status"].get("ephemeralContainerStatuses") or [{}]
        return found[0].get("state", {}).get("terminated")

    assert (await until(ended))["exitCode"] == 4
    address = world.pod()["status"]["podIP"]
    assert await world.kubectl("logs", "web", "-c", "look") == f"looking at {address}\n"
    assert world.is_ready()
    assert world.pod()["status"]["phase"] == "Running"


@pytest.mark.usefixtures("node")
async def test_a_debugging_container_ends_with_its_pod(world, until):
    """One that runs on is stopped; one whose image is missing is waited for by nobody."""
    world.create_pod(
        command=["sh", "-c", "echo up; exec sleep 300"], spec={"terminationGracePeriodSeconds": 1}
    )
    await until(world.is_ready)
    for name, image in (("stay", IMAGE), ("lost", "registry.example/nothing:9")):
        options = ("--image", image, "--container", name, "--attach=false")
        await world.kubectl("debug", "web", *options, "--", "sleep", "300")

    def states():
        found = world.pod()["status"].get("ephemeralContainerStatuses") or ()
        return {each["name"]: each["state"] for each in found}

    await until(lambda: "running" in states().get("stay", {}))
    await until(lambda: "waiting" in states().get("lost", {}))
    assert await world.kubectl("exec", "web", "-c", "stay", "--", "echo", "here") == "here\n"
    world.delete_pod()
    await until(lambda: world.pod() is None)
    assert world.supervisor.list_children() == []


@pytest.mark.usefixtures("node")
async def test_a_pod_for_one_command_is_run_and_removed(world):
    """With kubectl run -i --rm: typed input, the output, and nothing is left."""
    command = ("sh", "-c", 'read A; echo "got $A"')
    options = ("--image", IMAGE, "--restart=Never", "-i", "--rm", "--quiet")
    out = await world.kubectl("run", "once", *options, "--", *command, given=b"word\n")
    assert "got word" in out
    assert world.pod("once") is None

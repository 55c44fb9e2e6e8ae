"""The images of the estate itself: Traefik's binary, and the application of this repository."""

import io
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ARGUMENTS = [
    "--entryPoints.web.address=:8000/tcp",
    "--entryPoints.websecure.address=:8443/tcp",
    "--entryPoints.traefik.address=:8080/tcp",
    "--entryPoints.metrics.address=:9100/tcp",
    "--ping=true",
    "--providers.kubernetesingress",
]
PING = {"httpGet": {"path": "/ping", "port": 8080}, "periodSeconds": 1}


@pytest.mark.usefixtures("node")
async def test_two_traefiks_serve_their_own_addresses(world, until):
    """The chart's arguments work as they are, twice on one machine."""
    for name in ("one", "two"):
        world.create_pod(name, image="traefik:v3.7.11", args=ARGUMENTS, readinessProbe=PING)
    await until(lambda: world.is_ready("one") and world.is_ready("two"), seconds=30)
    addresses = {world.pod(name)["status"]["podIP"] for name in ("one", "two")}
    assert len(addresses) == 2


def pack_app():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(ROOT / "app", arcname=".")
    return out.getvalue()


@pytest.mark.usefixtures("node")
async def test_the_application_is_built_served_and_drained(world, until):
    """Two versions differ; after SIGTERM readiness fails first, and the pod still answers."""
    for version in ("1.0.0", "1.0.1"):
        name = f"registry.example/hello-world:{version}"
        arguments = {"APP_VERSION": version}
        await world.store.build(
            pack_app(), "Dockerfile", [name], lambda _: None, arguments=arguments
        )
        probe = {**PING, "httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 1}
        pod = version.replace(".", "-")
        drain = [{"name": "DRAIN_SECONDS", "value": "2"}]
        world.create_pod(pod, image=name, readinessProbe=probe, env=drain)
    await until(lambda: world.is_ready("1-0-0") and world.is_ready("1-0-1"), seconds=30)
    for version in ("1.0.0", "1.0.1"):
        ip = world.pod(version.replace(".", "-"))["status"]["podIP"]
        status, answer = await world.ask(ip, "/api/info")
        assert (status, answer["version"]) == (200, version)
    world.delete_pod("1-0-0")
    await until(lambda: world.condition("Ready", "1-0-0") == "False")
    ip = world.pod("1-0-0")["status"]["podIP"]
    assert (await world.ask(ip, "/api/info"))[0] == 200
    await until(lambda: world.pod("1-0-0") is None)

"""Volumes of pods: what is in them, with which modes, and how changes reach them."""

import base64
import json

import pytest

IDLE = ["sh", "-c", "echo up; exec sleep 300"]


@pytest.fixture
async def quick_node(world):
    """A node that looks for changes of ConfigMaps and Secrets often."""
    return await world.start_node(volume_sync_seconds=0.2)


def make(world, plural, name, data):
    world.create(plural, {"metadata": {"name": name}, "data": data})


async def cat(world, *paths):
    return await world.kubectl("exec", "web", "--", "cat", *paths)


@pytest.mark.usefixtures("quick_node")
async def test_changes_reach_a_mounted_volume_but_no_sub_path(world, until, tmp_path):
    """A key that is changed, one that is added and one that is removed; a label, too."""
    make(world, "configmaps", "settings", {"color": "red", "old": "x"})
    mounts = [
        {"name": "settings", "mountPath": "/etc/app"},
        {"name": "settings", "mountPath": "/etc/one/color", "subPath": "color"},
        {"name": "labels", "mountPath": "/etc/pod"},
    ]
    item = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "labels", "downwardAPI": {"items": [item]}},
    ]
    world.create_pod(command=IDLE, volumeMounts=mounts, spec={"volumes": volumes})
    await until(world.is_ready)
    assert await cat(world, "/etc/app/color", "/etc/one/color") == "redred"
    patch = {"data": {"color": "blue", "old": None, "new": "y"}}
    await world.kubectl("patch", "configmap", "settings", "--type=merge", "-p", json.dumps(patch))
    await world.kubectl("label", "pod", "web", "tier=front")
    place = tmp_path / "node-0" / "pods" / world.pod()["metadata"]["uid"] / "volumes"
    await until(lambda: (place / "settings" / "color").read_text() == "blue")
    await until(lambda: 'tier="front"' in (place / "labels" / "labels").read_text())
    assert await cat(world, "/etc/app/color", "/etc/one/color") == "bluered"
    assert await world.kubectl("exec", "web", "--", "ls", "/etc/app") == "color\nnew\n"


@pytest.mark.usefixtures("quick_node")
async def test_items_modes_and_optional_sources(world, until):
    """A projected volume of several sources: paths and modes of items, what may be missing."""
    make(world, "secrets", "keys", {"token": base64.b64encode(b"s3").decode()})
    item = {"key": "token", "path": "deep/key", "mode": 0o400}
    cpu = {"containerName": "main", "resource": "limits.cpu", "divisor": "1m"}
    sources = [
        {"secret": {"name": "keys", "items": [item]}},
        {"configMap": {"name": "missing", "optional": True}},
        {"downwardAPI": {"items": [{"path": "cpu", "resourceFieldRef": cpu}]}},
        {"serviceAccountToken": {"path": "token", "audience": "vault"}},
    ]
    volumes = [
        {"name": "all", "projected": {"sources": sources, "defaultMode": 0o440}},
        {"name": "work", "emptyDir": {}},
    ]
    mounts = [
        {"name": "all", "mountPath": "/etc/all"},
        {"name": "work", "mountPath": "/work", "subPathExpr": "$(POD)/data"},
    ]
    name = {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    world.create_pod(
        command=IDLE,
        env=[name],
        resources={"limits": {"cpu": "250m"}},
        volumeMounts=mounts,
        spec={"volumes": volumes},
    )
    await until(world.is_ready)
    assert await cat(world, "/etc/all/deep/key", "/etc/all/cpu") == "s3250"
    paths = ["/etc/all/deep/key", "/etc/all/cpu"]
    modes = await world.kubectl("exec", "web", "--", "stat", "-L", "-c", "%a", *paths)
    assert modes.split() == ["400", "440"]
    token = await cat(world, "/etc/all/token")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == ["vault"]
    await world.kubectl("exec", "web", "--", "touch", "/work/here")


@pytest.mark.usefixtures("quick_node")
async def test_the_service_account_is_at_its_fixed_path(world, until):
    """Token, CA and namespace where every in-cluster client looks; not if it is not wanted."""
    world.create_pod(command=IDLE)
    await until(world.is_ready)
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert await cat(world, f"{folder}/namespace") == "default"
    code = f"print(len(open('{folder}/token').read().split('.')))"
    assert await world.kubectl("exec", "web", "--", "python", "-c", code) == "3\n"
    world.create_pod("bare", command=IDLE, spec={"automountServiceAccountToken": False})
    await until(lambda: world.is_ready("bare"))
    asked = await world.run_kubectl("exec", "bare", "--", "cat", f"{folder}/token")
    assert asked[0] == 1


@pytest.mark.usefixtures("quick_node")
async def test_a_sub_path_that_leaves_its_volume_is_refused(world, until):
    """By way of a variable, which the API server cannot check."""
    world.create_pod(
        command=IDLE,
        volumeMounts=[{"name": "work", "mountPath": "/work", "subPathExpr": "$(OUT)"}],
        env=[{"name": "OUT", "value": "../.."}],
        spec={"volumes": [{"name": "work", "emptyDir": {}}]},
    )
    await until(lambda: "waiting" in world.container().get("state", {}))
    await until(lambda: "subPath ../.." in world.container()["state"]["waiting"].get("message", ""))

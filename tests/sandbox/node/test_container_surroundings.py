"""What a container sees: environment, volumes, credentials, addresses."""

import base64
import json

import pytest

from azrunbook.sandbox.host import addons

READY = {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1}


async def read_env(world, until, **pod):
    world.create_pod(readinessProbe=READY, **pod)
    await until(world.is_ready)
    return (await world.ask(world.pod()["status"]["podIP"]))[1]["env"]


def make_config(world, name, data, plural="configmaps"):
    kind = {"configmaps": "ConfigMap", "secrets": "Secret"}[plural]
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}
    world.create(plural, body)


@pytest.mark.usefixtures("node")
async def test_env_comes_from_fields_config_maps_and_secrets(world, until):
    """Values, references, prefixes, and later ones that refer to earlier ones."""
    make_config(world, "settings", {"COLOR": "green", "SIZE": "big"})
    make_config(world, "keys", {"token": base64.b64encode(b"s3").decode()}, "secrets")
    env = await read_env(
        world,
        until,
        envFrom=[{"prefix": "C_", "configMapRef": {"name": "settings"}}],
        env=[
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "URL", "value": "http://$(POD_IP)/$(C_COLOR)/$(NOT_SET)"},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        ],
        resources={"limits": {"cpu": "1500m"}},
    )
    ip = world.pod()["status"]["podIP"]
    assert env["C_SIZE"] == "big"
    assert env["TOKEN"] == "s3"
    assert env["URL"] == f"http://{ip}/green/$(NOT_SET)"
    assert env["CPU"] == "2"


@pytest.mark.usefixtures("node")
async def test_a_missing_config_map_holds_the_container(world, until):
    """CreateContainerConfigError, until the object is there."""
    reference = [{"configMapRef": {"name": "late"}}]
    world.create_pod(envFrom=reference, readinessProbe=READY)
    await until(lambda: "waiting" in world.container().get("state", {}))
    await until(
        lambda: world.container()["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    )
    assert 'configmap "late" not found' in world.container()["state"]["waiting"]["message"]
    make_config(world, "late", {"A": "1"})
    await until(world.is_ready)


@pytest.mark.usefixtures("node")
async def test_the_pod_has_its_service_account(world, until):
    """KUBECONFIG leads to the API server with a token of the pod's own account."""
    env = await read_env(world, until)
    with open(env["KUBECONFIG"]) as file:  # noqa: ASYNC230, PTH123 - one small file
        kubeconfig = json.load(file)
    assert kubeconfig["clusters"][0]["cluster"]["server"] == world.cluster.url
    with open(kubeconfig["users"][0]["user"]["tokenFile"]) as file:  # noqa: ASYNC230, PTH123
        claims = file.read().split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert decoded["sub"] == "system:serviceaccount:default:default"


@pytest.mark.usefixtures("node")
async def test_mounted_files_are_read_at_their_mount_path(world, until):
    """By a path in an argument, in a variable, and built into Python code."""
    make_config(world, "files", {"a.txt": "from the map"})
    code = "import os; print(open('/etc/app/a.txt').read(), os.listdir('/etc/app/..data'))"
    script = f'cat "$0" "$FILE"; python -c "{code}"; sleep 300'
    world.create_pod(
        command=["sh", "-c", script, "/etc/app/a.txt"],
        env=[{"name": "FILE", "value": "/etc/app/a.txt"}],
        volumeMounts=[{"name": "files", "mountPath": "/etc/app"}],
        spec={"volumes": [{"name": "files", "configMap": {"name": "files"}}]},
    )
    await until(world.is_ready)
    [worker] = [w for a in world.agents for w in a.workers.values()]
    path = worker.runners["main"].find_log(previous=False)
    await until(lambda: b"['a.txt']" in path.read_bytes())
    assert path.read_bytes().count(b"from the map") == 3


@pytest.mark.usefixtures("node")
async def test_root_is_refused_where_it_must_not_be(world, until):
    """RunAsNonRoot with an image that runs as root is an error of the container."""
    world.create_pod(securityContext={"runAsNonRoot": True, "runAsUser": 0})
    await until(lambda: "waiting" in world.container().get("state", {}))
    await until(
        lambda: world.container()["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    )


@pytest.mark.usefixtures("node")
async def test_a_missing_volume_source_holds_the_pod(world, until):
    """FailedMount until the ConfigMap is there."""
    world.create_pod(
        readinessProbe=READY,
        spec={"volumes": [{"name": "v", "configMap": {"name": "files"}}]},
    )
    await until(lambda: "FailedMount" in world.reasons())
    make_config(world, "files", {"a.txt": "x"})
    await until(world.is_ready)


async def test_a_persistent_volume_outlives_its_pod_and_is_the_same_on_another_node(world, until):
    """What one pod writes into a claim, the next pod reads, on a node that shares the disks."""
    addons.install(world.registry)
    shared = world.folder / "shared"
    for number in (0, 1):
        await world.start_node(number, disks_dir=shared)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"metadata": {"name": "data"}, "spec": {**spec, "storageClassName": "azurefile"}}
    world.create("persistentvolumeclaims", claim)
    mount = {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "restartPolicy": "Never",
    }

    async def run(name, node, script):
        mounts = [{"name": "data", "mountPath": "/data"}]
        command = ["python", "-c", script]
        world.create_pod(name, node=node, spec=mount, command=command, volumeMounts=mounts)
        await until(lambda: world.pod(name)["status"].get("phase") in ("Succeeded", "Failed"))
        assert world.pod(name)["status"]["phase"] == "Succeeded"

    await run("writer", "node-0", "open('/data/word', 'w').write('kept')")
    world.delete_pod("writer")
    await until(lambda: world.pod("writer") is None)
    await run("reader", "node-1", "assert open('/data/word').read() == 'kept'")

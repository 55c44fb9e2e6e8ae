"""Persistent volumes: made, bound, waited for, kept in use, grown and reclaimed."""

import pytest

from azrunbook.sandbox.host import addons

DISK = "disk.csi.azure.com"


def claim(world, name, *, size="1Gi", **spec):
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return world.make("persistentvolumeclaims", name, spec={**wanted, **spec})


def pod(world, name, claim_name):
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": claim_name}}
    return world.make("pods", name, spec={**world.template(name)["spec"], "volumes": [volume]})


def volume(world, name, *, size="1Gi", **spec):
    base = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": size},
        "hostPath": {"path": "/mnt"},
        "storageClassName": "",
    }
    return world.make("persistentvolumes", name, spec={**base, **spec})


def phase(world, name):
    return world.find("persistentvolumeclaims", name)["status"]["phase"]


def message(world, name):
    return world.condition("pods", name, "PodScheduled").get("message", "")


@pytest.fixture
def aks(world):
    """The world with the storage classes of AKS."""
    addons.install(world.registry)
    return world


async def test_a_disk_is_made_when_its_first_pod_has_a_node(aks):
    """A claim of the default class waits for its consumer, is bound to a new volume, and runs."""
    claim(aks, "data")
    await aks.until(lambda: aks.events("WaitForFirstConsumer"))
    assert phase(aks, "data") == "Pending"
    pod(aks, "web", "data")
    await aks.until(lambda: aks.find("pods", "web")["status"]["phase"] == "Running")
    bound = aks.find("persistentvolumeclaims", "data")
    assert bound["status"]["capacity"] == {"storage": "1Gi"}
    made = aks.find("persistentvolumes", bound["spec"]["volumeName"], None)
    assert made["spec"]["csi"]["driver"] == DISK
    assert (made["spec"]["claimRef"]["name"], made["status"]["phase"]) == ("data", "Bound")


async def test_a_claim_in_use_goes_with_its_last_pod_and_takes_its_volume(aks):
    """A deleted claim stays while a pod mounts it; then it and its volume are gone."""
    claim(aks, "data")
    pod(aks, "web", "data")
    await aks.until(lambda: aks.find("pods", "web")["status"]["phase"] == "Running")
    aks.delete("persistentvolumeclaims", "data")
    await aks.until(
        lambda: "deletionTimestamp" in aks.find("persistentvolumeclaims", "data")["metadata"]
    )
    aks.delete("pods", "web")
    await aks.until(lambda: aks.find("persistentvolumeclaims", "data") is None)
    await aks.until(lambda: not aks.list("persistentvolumes", None))


async def test_a_file_share_is_made_at_once_and_grows_when_asked(aks):
    """A class that binds immediately needs no pod; a larger request is granted."""
    claim(aks, "share", storageClassName="azurefile-csi")
    await aks.until(lambda: phase(aks, "share") == "Bound")
    larger = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
    aks.patch("persistentvolumeclaims", "share", larger)
    await aks.until(
        lambda: (
            aks.find("persistentvolumeclaims", "share")["status"]["capacity"]["storage"] == "5Gi"
        )
    )


async def test_the_smallest_fitting_volume_is_bound_and_kept_after_its_claim(world):
    """Without a class an existing volume is bound; Retain leaves it Released."""
    volume(world, "small")
    volume(world, "large", size="9Gi")
    volume(world, "fitting", size="3Gi")
    claim(world, "data", size="2Gi", storageClassName="")
    await world.until(lambda: phase(world, "data") == "Bound")
    assert world.find("persistentvolumeclaims", "data")["spec"]["volumeName"] == "fitting"
    world.delete("persistentvolumeclaims", "data")
    await world.until(
        lambda: world.find("persistentvolumes", "fitting", None)["status"]["phase"] == "Released"
    )
    assert world.find("persistentvolumes", "large", None)["status"]["phase"] == "Available"


async def test_a_class_without_its_driver_is_waited_for(world):
    """A provisioner that nobody runs leaves the claim pending, and the claim's events say so."""
    world.make("storageclasses", "other", provisioner="example.com/disk")
    claim(world, "data", storageClassName="other")
    await world.until(lambda: world.events("ExternalProvisioning"))
    assert phase(world, "data") == "Pending"
    pod(world, "web", "data")
    await world.until(lambda: "unbound immediate" in message(world, "web"))


async def test_a_pod_waits_for_a_claim_that_is_not_there(aks):
    """The scheduler says which claim is missing and tries again when it comes."""
    pod(aks, "web", "late")
    await aks.until(lambda: 'persistentvolumeclaim "late" not found' in message(aks, "web"))
    claim(aks, "late")
    await aks.until(lambda: aks.find("pods", "web")["status"]["phase"] == "Running")


async def test_a_local_volume_decides_where_its_pod_runs(world):
    """The node affinity of a bound volume is a filter of the scheduler."""
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-2"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
    volume(world, "local", nodeAffinity={"required": terms})
    claim(world, "data", storageClassName="")
    pod(world, "web", "data")
    await world.until(lambda: world.find("pods", "web")["spec"].get("nodeName"))
    assert world.find("pods", "web")["spec"]["nodeName"] == "node-2"


async def test_an_ephemeral_volume_has_a_claim_that_goes_with_its_pod(aks):
    """The claim of a generic ephemeral volume is made for the pod and owned by it."""
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    scratch = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": wanted}}}
    aks.make("pods", "web", spec={**aks.template("web")["spec"], "volumes": [scratch]})
    await aks.until(lambda: aks.find("pods", "web")["status"]["phase"] == "Running")
    assert phase(aks, "web-scratch") == "Bound"
    aks.delete("pods", "web")
    await aks.until(lambda: aks.find("persistentvolumeclaims", "web-scratch") is None)


async def test_a_stateful_set_gets_a_volume_for_each_of_its_pods(aks):
    """Pods mount volumes of claim templates; the claims stay when the pods go."""
    mounted = aks.template("db")
    mounted["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = {
        "serviceName": "db",
        "replicas": 2,
        "selector": {"matchLabels": {"app": "db"}},
        "template": mounted,
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": wanted}],
    }
    aks.make("statefulsets", "db", spec=spec)
    await aks.until(lambda: aks.find("statefulsets", "db")["status"].get("readyReplicas") == 2)
    assert [phase(aks, f"data-db-{ordinal}") for ordinal in (0, 1)] == ["Bound", "Bound"]


async def test_claims_go_with_their_stateful_set_and_with_pods_scaled_away(aks):
    """The retention policy Delete, first when scaled, then when the set is deleted."""
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = {
        "serviceName": "db",
        "replicas": 2,
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Delete"},
        "selector": {"matchLabels": {"app": "db"}},
        "template": aks.template("db"),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": wanted}],
    }
    aks.make("statefulsets", "db", spec=spec)
    await aks.until(lambda: aks.find("statefulsets", "db")["status"].get("readyReplicas") == 2)
    aks.patch("statefulsets", "db", {"spec": {"replicas": 1}})
    await aks.until(lambda: aks.find("persistentvolumeclaims", "data-db-1") is None)
    assert phase(aks, "data-db-0") == "Bound"
    aks.delete("statefulsets", "db", propagationPolicy="Background")
    await aks.until(lambda: aks.find("persistentvolumeclaims", "data-db-0") is None)

"""Decisions about persistent volumes and their claims: which fits, what a made one looks like.

Law: pure; a decision about the objects given.
Sources: pkg/controller/volume/persistentvolume, kubernetes-csi/external-provisioner.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from azrunbook.sandbox.kube.controllers import matching, quantities

Object = dict[str, Any]

SELECTED_NODE = "volume.kubernetes.io/selected-node"
BOUND = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONERS = (
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/storage-provisioner",
)
CLAIM_PROTECTION = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION = "kubernetes.io/pv-protection"
WAIT_FOR_CONSUMER = "WaitForFirstConsumer"


def annotation(obj: Object, name: str) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(name) or "")


def is_bound(claim: Object) -> bool:
    return bool((claim.get("status") or {}).get("phase") == "Bound")


def claim_names(pod: Object) -> list[str]:
    """The claims that a pod mounts, those that are made for it included."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if source := volume.get("persistentVolumeClaim"):
            found.append(str(source["claimName"]))
        elif "ephemeral" in volume:
            found.append(f"{pod['metadata']['name']}-{volume['name']}")
    return found


def asked_size(claim: Object) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def size(volume: Object) -> Fraction:
    return quantities.parse_quantity(volume["spec"]["capacity"]["storage"])


def refers_to(volume: Object, claim: Object) -> bool:
    """Whether the volume is kept for this very claim, by name and, once bound, by uid."""
    reference, metadata = volume["spec"].get("claimRef"), claim["metadata"]
    if not reference:
        return False
    is_named = (reference.get("namespace"), reference.get("name")) == (
        metadata["namespace"],
        metadata["name"],
    )
    return is_named and reference.get("uid") in (None, "", metadata["uid"])


def choose_volume(claim: Object, volumes: Iterable[Object]) -> Object | None:
    """The volume kept for the claim, else the smallest free one that fits."""
    fitting = [volume for volume in volumes if fits(claim, volume)]
    kept = [volume for volume in fitting if refers_to(volume, claim)]
    free = [volume for volume in fitting if not volume["spec"].get("claimRef")]
    return min(kept or free, key=lambda one: (size(one), one["metadata"]["name"]), default=None)


def fits(claim: Object, volume: Object) -> bool:
    wanted, offered = claim["spec"], volume["spec"]
    return (
        "deletionTimestamp" not in volume["metadata"]
        and (wanted.get("storageClassName") or "") == (offered.get("storageClassName") or "")
        and set(wanted["accessModes"]) <= set(offered["accessModes"])
        and wanted.get("volumeMode") == offered.get("volumeMode")
        and quantities.parse_quantity(asked_size(claim)) <= size(volume)
        and (
            not wanted.get("selector")
            or matching.matches(wanted["selector"], volume["metadata"].get("labels"))
        )
    )


def make_volume(claim: Object, storage_class: Object) -> Object:
    """The volume that a class's driver makes for a claim."""
    metadata, driver = claim["metadata"], str(storage_class["provisioner"])
    name = f"pvc-{metadata['uid']}"
    options = storage_class.get("mountOptions")
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: driver}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": asked_size(claim)},
            "claimRef": claim_reference(claim),
            "csi": {
                "driver": driver,
                "volumeHandle": name,
                "volumeAttributes": dict(storage_class.get("parameters") or {}),
            },
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": claim["spec"].get("volumeMode", "Filesystem"),
            **({"mountOptions": options} if options else {}),
        },
    }


def claim_reference(claim: Object) -> Object:
    metadata = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "resourceVersion": metadata["resourceVersion"],
        "uid": metadata["uid"],
    }


def bound_status(claim: Object, volume: Object) -> Object:
    spec = volume["spec"]
    return {
        **(claim.get("status") or {}),
        "phase": "Bound",
        "accessModes": spec["accessModes"],
        "capacity": {"storage": spec["capacity"]["storage"]},
    }


def without(finalizers: Sequence[str] | None, name: str) -> list[str] | None:
    """The finalizers left, None when there are none: what a merge patch says."""
    return [one for one in finalizers or () if one != name] or None

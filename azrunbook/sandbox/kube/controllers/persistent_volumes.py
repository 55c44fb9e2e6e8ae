"""The persistent volume controller: claims and volumes bound to each other, made and removed.

Law: objects only; what a volume is on a node is the node agent's business. Where a class's
provisioner is the name of a CSIDriver of the cluster, volumes are made, grown and deleted here, in
place of that driver's own controller; other provisioners are waited for, as a cluster does.
Not emulated: snapshots, cloning, attachment and its limits.
Sources: pkg/controller/volume/persistentvolume, pvcprotection and pvprotection.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import claims, loop, owners, pods, quantities
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "persistentvolume-controller"


class PersistentVolumeController:
    """Binds, provisions, grows, releases and reclaims. The key of a volume has no namespace."""

    name = "persistentvolume"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._claims = cluster.resource("", "persistentvolumeclaims")
        self._volumes = cluster.resource("", "persistentvolumes")
        self._pods = cluster.resource("", "pods")
        self._classes = cluster.resource("storage.k8s.io", "storageclasses")
        self._drivers = cluster.resource("storage.k8s.io", "csidrivers")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._claims, self._of_claim),
            loop.Watch(self._volumes, self._of_volume),
            loop.Watch(self._pods, _of_pod),
            loop.Watch(self._classes, lambda _: self._open_claims()),
            loop.Watch(self._drivers, lambda _: self._open_claims()),
        ]

    def _of_claim(self, change: loop.Change) -> Iterable[loop.Key]:
        named = change.object["spec"].get("volumeName")
        return [loop.key_of(change.object), *([("", named)] if named else [])]

    def _of_volume(self, change: loop.Change) -> Iterable[loop.Key]:
        reference = change.object["spec"].get("claimRef")
        if reference:
            return [loop.key_of(change.object), (reference["namespace"], reference["name"])]
        return [loop.key_of(change.object), *self._open_claims()]

    def _open_claims(self) -> list[loop.Key]:
        found = self._cluster.registry.list(self._claims)
        return [loop.key_of(claim) for claim in found if not claims.is_bound(claim)]

    def reconcile(self, key: loop.Key) -> float | None:
        namespace, name = key
        if not namespace:
            volume = self._cluster.registry.find(self._volumes, None, name)
            if volume is not None:
                self._tend_volume(volume)
            return None
        claim = self._cluster.registry.find(self._claims, namespace, name)
        if claim is None:
            return None
        if "deletionTimestamp" in claim["metadata"]:
            self._release_claim(claim)
        elif claim["spec"].get("volumeName"):
            self._keep_bound(claim)
        else:
            self._find_volume(claim)
        return None

    def _release_claim(self, claim: Object) -> None:
        """Let a deleted claim go when no pod that has not ended mounts it."""
        metadata = claim["metadata"]
        if claims.CLAIM_PROTECTION not in (metadata.get("finalizers") or ()):
            return
        for pod in self._cluster.registry.list(self._pods, metadata["namespace"]):
            if metadata["name"] in claims.claim_names(pod) and not pods.is_done(pod):
                return
        left = claims.without(metadata["finalizers"], claims.CLAIM_PROTECTION)
        self._cluster.patch(self._claims, claim, {"metadata": {"finalizers": left}})

    def _keep_bound(self, claim: Object) -> None:
        name = claim["spec"]["volumeName"]
        volume = self._cluster.registry.find(self._volumes, None, name)
        if volume is None:
            if claims.is_bound(claim):
                status = {**claim["status"], "phase": "Lost"}
                self._cluster.write_status(self._claims, claim, status)
                self._warn(
                    claim, "ClaimLost", f'Bound claim has lost its PersistentVolume "{name}"'
                )
        elif not volume["spec"].get("claimRef") or claims.refers_to(volume, claim):
            self._bind(claim, self._grow(claim, volume))
        else:
            self._warn(
                claim, "FailedBinding", f'volume "{name}" already bound to a different claim.'
            )

    def _grow(self, claim: Object, volume: Object) -> Object:
        """A bound claim that asks for more gets it at once, where its class allows it."""
        asked = claims.asked_size(claim)
        if not claims.is_bound(claim) or quantities.parse_quantity(asked) <= claims.size(volume):
            return volume
        grown = self._cluster.patch(
            self._volumes, volume, {"spec": {"capacity": {"storage": asked}}}
        )
        self._tell(claim, "FileSystemResizeSuccessful", "MountVolume.NodeExpandVolume succeeded")
        return grown

    def _find_volume(self, claim: Object) -> None:
        name = claim["spec"].get("storageClassName") or ""
        found = self._cluster.registry.find(self._classes, None, name) if name else None
        if (
            found is not None
            and found.get("volumeBindingMode") == claims.WAIT_FOR_CONSUMER
            and not claims.annotation(claim, claims.SELECTED_NODE)
        ):
            message = "waiting for first consumer to be created before binding"
            self._tell(claim, claims.WAIT_FOR_CONSUMER, message)
            return
        volume = claims.choose_volume(claim, self._cluster.registry.list(self._volumes))
        if volume is not None:
            self._bind(claim, volume)
        elif not name:
            message = "no persistent volumes available for this claim and no storage class is set"
            self._tell(claim, "FailedBinding", message)
        elif found is None:
            message = f'storageclass.storage.k8s.io "{name}" not found'
            self._warn(claim, "ProvisioningFailed", message)
        else:
            self._provision(claim, found)

    def _provision(self, claim: Object, storage_class: Object) -> None:
        driver = str(storage_class["provisioner"])
        if any(claims.annotation(claim, name) != driver for name in claims.PROVISIONERS):
            body = {"metadata": {"annotations": dict.fromkeys(claims.PROVISIONERS, driver)}}
            claim = self._cluster.patch(self._claims, claim, body)
        if self._cluster.registry.find(self._drivers, None, driver) is None:
            message = (
                f"Waiting for a volume to be created either by the external provisioner '{driver}' "
                "or manually by the system administrator. If volume creation is delayed, please "
                "verify that the provisioner is running and correctly registered."
            )
            self._tell(claim, "ExternalProvisioning", message)
            return
        where = f"{claim['metadata']['namespace']}/{claim['metadata']['name']}"
        message = f'External provisioner is provisioning volume for claim "{where}"'
        self._tell(claim, "Provisioning", message, component=driver)
        volume = self._cluster.create(self._volumes, claims.make_volume(claim, storage_class))
        message = f"Successfully provisioned volume {volume['metadata']['name']}"
        self._tell(claim, "ProvisioningSucceeded", message, component=driver)
        self._bind(claim, volume)

    def _bind(self, claim: Object, volume: Object) -> None:
        """Write both ends; what is right already stays untouched."""
        if not (volume["spec"].get("claimRef") or {}).get("uid"):
            annotations = {claims.BOUND_BY_CONTROLLER: "yes"}
            body = {
                "metadata": {"annotations": annotations},
                "spec": {"claimRef": claims.claim_reference(claim)},
            }
            volume = self._cluster.patch(self._volumes, volume, body)
        status = {**(volume.get("status") or {}), "phase": "Bound"}
        self._cluster.write_status(self._volumes, volume, status)
        if not claims.annotation(claim, claims.BOUND):
            annotations = {claims.BOUND: "yes"}
            if not claim["spec"].get("volumeName"):
                annotations[claims.BOUND_BY_CONTROLLER] = "yes"
            body = {
                "metadata": {"annotations": annotations},
                "spec": {"volumeName": volume["metadata"]["name"]},
            }
            claim = self._cluster.patch(self._claims, claim, body)
        self._cluster.write_status(self._claims, claim, claims.bound_status(claim, volume))

    def _tend_volume(self, volume: Object) -> None:
        """Free, bound or released: say so; protect what is bound, reclaim what is released."""
        reference = volume["spec"].get("claimRef") or {}
        claim = None
        if reference:
            key = (reference["namespace"], reference["name"])
            claim = self._cluster.registry.find(self._claims, *key)
        is_held = claim is not None and claims.refers_to(volume, claim)
        is_kept = is_held or (reference and not reference.get("uid"))
        if "deletionTimestamp" in volume["metadata"]:
            if not is_held:
                self._let_go(volume)
        elif not reference or (is_kept and not is_held):
            self._say(volume, "Available")
        elif not is_held:
            self._say(volume, "Released")
            self._reclaim(volume)

    def _reclaim(self, volume: Object) -> None:
        driver = (volume["spec"].get("csi") or {}).get("driver")
        is_deleted = volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
        if not is_deleted or not driver:
            return
        if self._cluster.registry.find(self._drivers, None, driver) is not None:
            self._cluster.delete(self._volumes, volume)

    def _let_go(self, volume: Object) -> None:
        finalizers = volume["metadata"].get("finalizers") or ()
        if claims.VOLUME_PROTECTION in finalizers:
            left = claims.without(finalizers, claims.VOLUME_PROTECTION)
            self._cluster.patch(self._volumes, volume, {"metadata": {"finalizers": left}})

    def _say(self, volume: Object, phase: str) -> None:
        status = {**(volume.get("status") or {}), "phase": phase}
        self._cluster.write_status(self._volumes, volume, status)

    def _tell(
        self, claim: Object, reason: str, message: str, *, component: str = COMPONENT
    ) -> None:
        self._cluster.events.normal(claim, reason, message, component=component)

    def _warn(self, claim: Object, reason: str, message: str) -> None:
        self._cluster.events.warning(claim, reason, message, component=COMPONENT)


def _of_pod(change: loop.Change) -> Iterable[loop.Key]:
    """A pod that ends or goes may be the last that held a claim."""
    pod = change.object
    if change.type != "DELETED" and not pods.is_done(pod):
        return []
    namespace = pod["metadata"]["namespace"]
    return [(namespace, name) for name in claims.claim_names(pod)]


class EphemeralVolumeController:
    """Makes the claim of each generic ephemeral volume; it is the pod's and goes with it."""

    name = "ephemeral-volume"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._claims = cluster.resource("", "persistentvolumeclaims")
        self._pods = cluster.resource("", "pods")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._pods, _of_ephemeral)]

    def reconcile(self, key: loop.Key) -> float | None:
        pod = self._cluster.registry.find(self._pods, *key)
        if pod is None or "deletionTimestamp" in pod["metadata"]:
            return None
        for volume in pod["spec"].get("volumes") or ():
            if "ephemeral" in volume:
                self._ensure(pod, volume)
        return None

    def _ensure(self, pod: Object, volume: Object) -> None:
        namespace, pod_name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        name = f"{pod_name}-{volume['name']}"
        if self._cluster.registry.find(self._claims, namespace, name) is not None:
            return
        template = volume["ephemeral"]["volumeClaimTemplate"]
        described = template.get("metadata") or {}
        owner = owners.reference_to(pod, api_version="v1", kind="Pod")
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": described.get("labels") or {},
                "annotations": described.get("annotations") or {},
                "ownerReferences": [owner],
            },
            "spec": template["spec"],
        }
        self._cluster.create(self._claims, claim)


def _of_ephemeral(change: loop.Change) -> Iterable[loop.Key]:
    has_any = any("ephemeral" in one for one in change.object["spec"].get("volumes") or ())
    return [loop.key_of(change.object)] if has_any and change.type == "ADDED" else []

"""What each resource does with a write before it is validated: what is kept, reset, counted.

Law: pure; objects are changed in place, the caller has copied them. The sets are facts about the
real server's registry strategies, by storage name.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from azrunbook.sandbox.kube.resources import Resource

Object = dict[str, Any]

COUNTS_GENERATION = frozenset(
    {
        "deployments.apps",
        "replicasets.apps",
        "replicationcontrollers",
        "daemonsets.apps",
        "statefulsets.apps",
        "jobs.batch",
        "cronjobs.batch",
        "ingresses.networking.k8s.io",
        "networkpolicies.networking.k8s.io",
        "ingressclasses.networking.k8s.io",
        "servicecidrs.networking.k8s.io",
        "poddisruptionbudgets.policy",
        "customresourcedefinitions.apiextensions.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "deviceclasses.resource.k8s.io",
        "resourceslices.resource.k8s.io",
        "priorityclasses.scheduling.k8s.io",
        "endpointslices.discovery.k8s.io",
        "csidrivers.storage.k8s.io",
        "pods",
    }
)
"""metadata.generation starts at 1 and grows whenever what is wanted changes."""

CREATED_BY_PUT = frozenset(
    {
        "services",
        "endpoints",
        "events",
        "limitranges",
        "leases.coordination.k8s.io",
        "roles.rbac.authorization.k8s.io",
        "rolebindings.rbac.authorization.k8s.io",
        "clusterroles.rbac.authorization.k8s.io",
        "clusterrolebindings.rbac.authorization.k8s.io",
        "priorityclasses.scheduling.k8s.io",
    }
)
"""A PUT on a name that is not there creates it."""

NEEDS_VERSION = frozenset(
    {
        "customresourcedefinitions.apiextensions.k8s.io",
        "poddisruptionbudgets.policy",
        "apiservices.apiregistration.k8s.io",
        "leases.coordination.k8s.io",
        "csinodes.storage.k8s.io",
        "endpointslices.discovery.k8s.io",
        "ipaddresses.networking.k8s.io",
        "runtimeclasses.node.k8s.io",
        "resourceslices.resource.k8s.io",
    }
)
"""An update has to name the version that it replaces."""

KEEPS_STATUS_ON_CREATE = frozenset({"nodes", "events", "endpoints", "componentstatuses"})
SYSTEM_FIELDS = ("uid", "creationTimestamp", "selfLink")
LABELS_KEPT_BY_STATUS = ("apps", "batch", "networking.k8s.io", "policy", "autoscaling")


def has_status(resource: Resource) -> bool:
    return resource.find_subresource("status") is not None


def needs_version(resource: Resource) -> bool:
    return resource.custom is not None or resource.storage in NEEDS_VERSION


def counts_generation(resource: Resource) -> bool:
    return resource.custom is not None or resource.storage in COUNTS_GENERATION


def _initial_status(resource: Resource) -> Any:
    if resource.custom is not None:
        return None
    return {
        "pods": {"phase": "Pending"},
        "persistentvolumeclaims": {"phase": "Pending"},
        "persistentvolumes": {"phase": "Pending"},
        "namespaces": {"phase": "Active"},
        "services": {"loadBalancer": {}},
        "ingresses.networking.k8s.io": {"loadBalancer": {}},
    }.get(resource.storage, {})


def prepare_create(resource: Resource, obj: Object, *, empty_status: Any = None) -> None:
    """Reset what a client may not say about a new object; `empty_status` as Go writes it."""
    if counts_generation(resource):
        obj["metadata"]["generation"] = 1
    else:
        obj["metadata"].pop("generation", None)
    if has_status(resource) and resource.storage not in KEEPS_STATUS_ON_CREATE:
        status = _initial_status(resource)
        if status is None:
            obj.pop("status", None)
        else:
            obj["status"] = {**(empty_status or {}), **status}
    if resource.storage == "jobs.batch":
        _generate_job_selector(obj)
    if resource.storage == "namespaces":
        spec = obj.setdefault("spec", {})
        finalizers = spec.get("finalizers") or []
        if "kubernetes" not in finalizers:
            spec["finalizers"] = [*finalizers, "kubernetes"]


def _generate_job_selector(obj: Object) -> None:
    """A job selects its pods by its own uid, unless it says that it does so itself."""
    spec, metadata = obj["spec"], obj["metadata"]
    if spec.get("manualSelector") or "template" not in spec:
        return
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for prefix in ("", "batch.kubernetes.io/"):
        labels[prefix + "controller-uid"] = metadata["uid"]
        labels[prefix + "job-name"] = metadata.get("name", "")  # refused by validation
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}


def prepare_update(resource: Resource, obj: Object, old: Object, subresource: str | None) -> None:
    """Keep what this endpoint may not change, and count the generation."""
    metadata, before = obj["metadata"], old["metadata"]
    for key in (*SYSTEM_FIELDS, "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        if key in before:
            metadata[key] = before[key]
        else:
            metadata.pop(key, None)
    if subresource in ("status", "approval"):
        _keep_all_but_status(resource, obj, old)
    elif subresource == "binding":
        pass
    elif has_status(resource):
        _keep(obj, old, "status")
        if resource.storage == "namespaces" and subresource is None:
            obj["spec"] = {**obj.get("spec", {}), "finalizers": old["spec"].get("finalizers")}
    if (
        subresource in (None, "scale", "resize")
        and counts_generation(resource)
        and _wants_other(resource, obj, old)
    ):
        metadata["generation"] = before.get("generation", 0) + 1


def _keep(obj: Object, old: Object, key: str) -> None:
    if key in old:
        obj[key] = old[key]
    else:
        obj.pop(key, None)


def _keep_all_but_status(resource: Resource, obj: Object, old: Object) -> None:
    for key in {*obj, *old} - {"status", "metadata"}:
        _keep(obj, old, key)
    metadata, before = obj["metadata"], old["metadata"]
    kept: tuple[str, ...] = ()
    if resource.custom is not None:
        kept = ("labels", "annotations", "finalizers", "ownerReferences")
    elif resource.group in LABELS_KEPT_BY_STATUS:
        kept = ("labels",)
    elif resource.storage == "pods":
        kept = ("ownerReferences",)
    for key in kept:
        _keep(metadata, before, key)


def _wants_other(resource: Resource, obj: Object, old: Object) -> bool:
    ignored = {"metadata"}
    if has_status(resource):
        ignored.add("status")
    if any(obj.get(key) != old.get(key) for key in {*obj, *old} - ignored):
        return True
    if resource.storage != "deployments.apps":
        return False
    return bool(_annotations(obj) != _annotations(old))


def _annotations(obj: Mapping[str, Any]) -> Any:
    return obj["metadata"].get("annotations") or {}


ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def generate_name(prefix: str) -> str:
    """The prefix (cut to 58) and five letters without vowels, as in every generated name."""
    return prefix[:58] + "".join(secrets.choice(ALPHABET) for _ in range(5))

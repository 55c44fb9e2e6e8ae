"""Deleting: grace, finalizers, propagation, preconditions."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import conversion, errors, times
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.store import Key
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
ANSWERED_WITH_OBJECT = frozenset(
    {
        "pods",
        "podtemplates",
        "services",
        "persistentvolumes",
        "persistentvolumeclaims",
        "resourcequotas",
        "serviceaccounts",
        "storageclasses.storage.k8s.io",
        "volumeattachments.storage.k8s.io",
        "csinodes.storage.k8s.io",
        "csidrivers.storage.k8s.io",
    }
)
JOB_WARNING = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)


@dataclass(frozen=True)
class Deletion:
    """What became of an object: gone, or only marked."""

    object: Object
    is_gone: bool


def delete(
    registry: "Registry",
    resource: Resource,
    namespace: str | None,
    name: str,
    *,
    options: Object,
    write: Write,
) -> Deletion:
    """Delete one object; see `Registry.delete`."""
    key = ((namespace or "") if resource.namespaced else "", name)
    old = registry.store.find(resource.storage, key)
    if old is None:
        raise errors.not_found(resource.plural, resource.group, name)
    registry.admission.delete(resource, old)
    _require_preconditions(resource, old, options.get("preconditions") or {})
    grace = _grace_seconds(resource, old, options)
    finalizers = _finalizers(resource, old, options, write)
    if not finalizers and grace == 0 and not _has_content(resource, old):
        if write.dry_run:
            return Deletion(conversion.to_version(resource, old), is_gone=True)
        return Deletion(conversion.to_version(resource, remove(registry, resource, key)), True)
    obj = _marked(resource, old, finalizers, grace)
    if obj != old and not write.dry_run:
        obj = registry.store.put(resource.storage, key, obj)
        registry.notify(resource, old, obj)
    return Deletion(conversion.to_version(resource, obj), is_gone=False)


def _require_preconditions(resource: Resource, old: Object, wanted: Object) -> None:
    metadata = old["metadata"]
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    why = None
    if uid is not None and uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record "
            f"({metadata['uid']}). The object might have been deleted and then recreated"
        )
    elif version is not None and version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). "
            "The object might have been modified"
        )
    if why is not None:
        raise errors.conflict(resource.plural, resource.group, metadata["name"], why)


def _grace_seconds(resource: Resource, old: Object, options: Object) -> int:
    """Only pods are deleted gracefully, and only those that run somewhere."""
    if resource.storage != "pods":
        return 0
    spec, status = old.get("spec") or {}, old.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    asked = options.get("gracePeriodSeconds")
    grace = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    grace = max(int(grace), 0) if asked is None or asked >= 0 else 1
    if old["metadata"].get("deletionTimestamp"):
        return min(grace, int(old["metadata"].get("deletionGracePeriodSeconds") or 0))
    return grace


def _finalizers(resource: Resource, old: Object, options: Object, write: Write) -> list[str]:
    found = list(old["metadata"].get("finalizers") or [])
    policy = options.get("propagationPolicy")
    if policy is None and options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    if policy is None and ORPHAN not in found and FOREGROUND not in found:
        if resource.storage != "jobs.batch":
            return found
        write.warn(JOB_WARNING)
        policy = "Orphan"
    if policy is None:
        return found
    kept = [part for part in found if part not in (ORPHAN, FOREGROUND)]
    added = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    return kept + added


def _has_content(resource: Resource, obj: Object) -> bool:
    return resource.storage == "namespaces" and bool((obj.get("spec") or {}).get("finalizers"))


def _marked(resource: Resource, old: Object, finalizers: Sequence[str], grace: int) -> Object:
    metadata = dict(old["metadata"])
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    else:
        metadata.pop("finalizers", None)
    is_new = not metadata.get("deletionTimestamp")
    if is_new or grace < int(metadata.get("deletionGracePeriodSeconds") or 0):
        at = times.now() + dt.timedelta(seconds=grace)
        metadata["deletionTimestamp"] = times.stamp(at)
        metadata["deletionGracePeriodSeconds"] = grace
        if is_new and metadata.get("generation"):
            metadata["generation"] += 1
    obj = {**old, "metadata": metadata}
    if resource.storage == "namespaces":
        metadata.pop("deletionGracePeriodSeconds", None)
        obj["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return obj


def is_released(resource: Resource, obj: Object) -> bool:
    """Whether an object marked for deletion is held by nothing any more."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if resource.storage == "pods" and metadata.get("deletionGracePeriodSeconds"):
        return False
    return not _has_content(resource, obj)


def remove(registry: "Registry", resource: Resource, key: Key) -> Object:
    """Take an object out of the store; returns its last state."""
    before = registry.store.collection(resource.storage).objects[key]
    last = registry.store.delete(resource.storage, key)
    registry.notify(resource, before, None)
    return last


def success(resource: Resource, obj: Object) -> Object:
    """The Status that answers the deletion of most objects."""
    details: Object = {"name": obj["metadata"]["name"]}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    details["uid"] = obj["metadata"]["uid"]
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def is_answered_with_object(resource: Resource, deletion: Deletion) -> bool:
    return not deletion.is_gone or resource.storage in ANSWERED_WITH_OBJECT

"""Validation of persistent volumes, claims and storage classes."""

import difflib
import json
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, names, selectors

Object = dict[str, Any]
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
NOT_SOURCES = frozenset({
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity",
    "persistentVolumeReclaimPolicy", "storageClassName", "volumeAttributesClassName", "volumeMode",
})  # fmt: skip


def _access_modes(modes: list[str]) -> list[Cause]:
    found = [
        causes.unsupported("spec.accessModes", mode, ACCESS_MODES)
        for mode in modes
        if mode not in ACCESS_MODES
    ]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        why = "may not use ReadWriteOncePod with other access modes"
        found.append(causes.forbidden("spec.accessModes", why))
    return found


def _class_and_mode(spec: Object) -> list[Cause]:
    name, mode = spec.get("storageClassName"), spec.get("volumeMode")
    found: list[Cause] = []
    if name:
        problems = names.subdomain(name)
        found += [causes.invalid("spec.storageClassName", name, why) for why in problems]
    if mode is not None and mode not in VOLUME_MODES:
        found.append(causes.unsupported("spec.volumeMode", mode, VOLUME_MODES))
    return found


def volume_claim(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    if not spec.get("accessModes"):
        found.append(causes.required("spec.accessModes", "at least 1 access mode is required"))
    found += selectors.label_selector(spec.get("selector"), "spec.selector")
    found += _access_modes(spec.get("accessModes") or [])
    storage = _requested(spec)
    if storage is None:
        found.append(causes.required("spec.resources[storage]"))
    elif containers.quantity(storage) <= 0:
        why = "must be greater than zero"
        found.append(causes.invalid("spec.resources[storage]", storage, why))
    return found + _class_and_mode(spec)


def _requested(spec: Object) -> Any:
    return ((spec.get("resources") or {}).get("requests") or {}).get("storage")


CLAIM_CHANGEABLE = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims\n"
)
CLAIM_FIELDS = (
    "accessModes", "selector", "resources", "volumeName", "storageClassName", "volumeMode",
    "dataSource", "dataSourceRef", "volumeAttributesClassName",
)  # fmt: skip
"""In the order of the server's internal type, in whose form the difference is shown."""


def volume_claim_kept(obj: Object, old: Object) -> list[Cause]:
    """A claim stays as it was made; a bound one may ask for more room or another class."""
    spec, before = dict(obj["spec"]), dict(old["spec"])
    if not before.get("volumeName"):
        before["volumeName"] = spec.get("volumeName", "")
    if "storageClassName" not in before and "storageClassName" in spec:
        before["storageClassName"] = spec["storageClassName"]
    is_bound = (obj.get("status") or {}).get("phase") == "Bound"
    if is_bound:
        spec["resources"] = before.get("resources")
        spec["volumeAttributesClassName"] = before.get("volumeAttributesClassName")
    shown, shown_before = _shown_claim(spec), _shown_claim(before)
    found: list[Cause] = []
    if shown != shown_before:
        difference = _difference(shown_before, shown)
        found.append(causes.forbidden("spec", CLAIM_CHANGEABLE + difference))
    wanted, earlier = _requested(obj["spec"]), _requested(old["spec"])
    if wanted and earlier and containers.quantity(wanted) < containers.quantity(earlier):
        why = "field can not be less than status.capacity"
        has = ((old.get("status") or {}).get("capacity") or {}).get("storage", 0)
        if containers.quantity(wanted) <= containers.quantity(has) or not is_bound:
            found.append(causes.forbidden("spec.resources.requests.storage", why))
    return found


def _shown_claim(spec: Object) -> Object:
    resources = spec.get("resources") or {}
    shown = {key[0].upper() + key[1:]: spec.get(key) for key in CLAIM_FIELDS}
    shown["VolumeName"] = spec.get("volumeName", "")
    shown["Resources"] = {key.title(): resources.get(key) for key in ("limits", "requests")}
    return shown


def _difference(before: Object, now: Object) -> str:
    """The two as indented JSON, compared line by line."""
    old, new = (json.dumps(part, indent=1).splitlines(keepends=True) for part in (before, now))
    return "".join(list(difflib.unified_diff(old, new))[2:])


def volume(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    if not spec.get("accessModes"):
        found.append(causes.required("spec.accessModes"))
    found += _access_modes(spec.get("accessModes") or [])
    capacity = spec.get("capacity")
    if not capacity:
        found.append(causes.required("spec.capacity"))
    if set(capacity or {}) != {"storage"}:
        found.append(causes.unsupported("spec.capacity", capacity, ("storage",)))
    for name, value in sorted((capacity or {}).items()):
        if containers.quantity(value) <= 0:
            where = f"spec.capacity[{name}]"
            found.append(causes.invalid(where, value, "must be greater than zero"))
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in RECLAIM_POLICIES:
        where = "spec.persistentVolumeReclaimPolicy"
        found.append(causes.unsupported(where, policy, RECLAIM_POLICIES))
    return found + _sources(spec) + _class_and_mode(spec)


def _sources(spec: Object) -> list[Cause]:
    sources = sorted(set(spec) - NOT_SOURCES)
    if not sources:
        return [causes.required("spec", "must specify a volume type")]
    why = "may not specify more than 1 volume type"
    found = [causes.forbidden(f"spec.{name}", why) for name in sources[1:]]
    path = (spec.get("hostPath") or {}).get("path", "")
    if "hostPath" in spec and not path:
        found.append(causes.required("spec.hostPath.path"))
    if "local" in spec and not (spec["local"] or {}).get("path"):
        found.append(causes.required("spec.local.path"))
    if "local" in spec and not spec.get("nodeAffinity"):
        why = "Local volume requires node affinity"
        found.append(causes.required("spec.nodeAffinity", why))
    found += [
        causes.required(f"spec.csi.{key}")
        for key in ("driver", "volumeHandle")
        if "csi" in spec and not spec["csi"].get(key)
    ]
    if path == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        where = "spec.persistentVolumeReclaimPolicy"
        why = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(causes.forbidden(where, why))
    return found


def volume_kept(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    found: list[Cause] = []
    sources = {key for key in {*spec, *before} if key not in NOT_SOURCES}
    if any(spec.get(key) != before.get(key) for key in sources):
        why = "spec.persistentvolumesource is immutable after creation\n"
        shown = [{key: part.get(key) for key in sorted(sources)} for part in (before, spec)]
        found.append(causes.forbidden("spec.persistentvolumesource", why + _difference(*shown)))
    return found + causes.unchanged("volumeMode", spec.get("volumeMode"), before.get("volumeMode"))


def storage_class(obj: Object) -> list[Cause]:
    provisioner = obj.get("provisioner", "")
    if not provisioner:
        found = [causes.required("provisioner")]
    else:
        problems = names.qualified(provisioner.lower())
        found = [causes.invalid("provisioner", provisioner, why) for why in problems]
    policy, mode = obj.get("reclaimPolicy"), obj.get("volumeBindingMode")
    if policy and policy not in ("Delete", "Retain"):
        found.append(causes.unsupported("reclaimPolicy", policy, ("Delete", "Retain")))
    modes = ("Immediate", "WaitForFirstConsumer")
    return found + causes.one_of("volumeBindingMode", mode, modes)


def storage_class_kept(obj: Object, old: Object) -> list[Cause]:
    found = []
    for key in ("parameters", "provisioner", "reclaimPolicy"):
        if obj.get(key) != old.get(key):
            why = f"updates to {key} are forbidden."
            found.append(causes.forbidden(key, why))
    mode, before = obj.get("volumeBindingMode"), old.get("volumeBindingMode")
    return found + causes.unchanged("volumeBindingMode", mode, before)


def not_looked_at(_: Object) -> list[Cause]:
    """What a class says is not validated again when it is changed: it cannot change."""
    return []


CREATE = {
    "persistentvolumeclaims": volume_claim,
    "persistentvolumes": volume,
    "storageclasses.storage.k8s.io": storage_class,
}
CHANGED = {"storageclasses.storage.k8s.io": not_looked_at}
UPDATE = {
    "persistentvolumeclaims": volume_claim_kept,
    "persistentvolumes": volume_kept,
    "storageclasses.storage.k8s.io": storage_class_kept,
}

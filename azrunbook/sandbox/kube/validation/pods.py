"""Validation of pods and pod templates."""

import copy
import ipaddress
from collections.abc import Set as AbstractSet
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, metadata, names, selectors

Object = dict[str, Any]
RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


def template(
    part: Object | None, where: str, *, claimed: AbstractSet[str] = frozenset()
) -> list[Cause]:
    """A pod template, its labels and annotations included; `claimed` are volumes it will get."""
    part = part or {}
    inner = part.get("metadata") or {}
    found = metadata.labels(inner.get("labels"), f"{where}.metadata.labels")
    found += metadata.annotations(inner.get("annotations"), f"{where}.metadata.annotations")
    return found + pod_spec(part.get("spec") or {}, f"{where}.spec", claimed=claimed)


def pod_spec(spec: Object, where: str, *, claimed: AbstractSet[str] = frozenset()) -> list[Cause]:
    """What pods and templates share."""
    found, volumes = _volumes(spec.get("volumes") or [], f"{where}.volumes")
    volumes |= claimed
    found += containers.containers(spec.get("containers"), f"{where}.containers", volumes)
    found += containers.each(spec.get("initContainers") or [], f"{where}.initContainers", volumes)
    policy = spec.get("restartPolicy")
    found += causes.one_of(f"{where}.restartPolicy", policy, RESTART_POLICIES)
    found += causes.one_of(f"{where}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    grace = spec.get("terminationGracePeriodSeconds")
    found += causes.non_negative(f"{where}.terminationGracePeriodSeconds", grace)
    found += metadata.labels(spec.get("nodeSelector"), f"{where}.nodeSelector")
    for key in ("serviceAccountName", "nodeName", "priorityClassName"):
        value = spec.get(key)
        if value:
            problems = names.subdomain(value)
            found += [causes.invalid(f"{where}.{key}", value, why) for why in problems]
    found += _tolerations(spec.get("tolerations") or [], f"{where}.tolerations")
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and deadline < 1:
        why = "must be between 1 and 2147483647, inclusive"
        found.append(causes.invalid(f"{where}.activeDeadlineSeconds", deadline, why))
    found += _spread(spec.get("topologySpreadConstraints") or [], where)
    return found + _network(spec, where) + _placed(spec, where)


ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def _network(spec: Object, where: str) -> list[Cause]:
    found: list[Cause] = []
    for key in ("hostname", "subdomain"):
        value = spec.get(key)
        if value:
            found += [causes.invalid(f"{where}.{key}", value, why) for why in names.label(value)]
    if spec.get("dnsPolicy") == "None":
        config = spec.get("dnsConfig")
        if config is None:
            why = "must provide `dnsConfig` when `dnsPolicy` is None"
            found.append(causes.required(f"{where}.dnsConfig", why))
        elif not config.get("nameservers"):
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            found.append(causes.required(f"{where}.dnsConfig.nameservers", why))
    for index, alias in enumerate(spec.get("hostAliases") or []):
        try:
            ipaddress.ip_address(alias.get("ip", ""))
        except ValueError:
            place = f"{where}.hostAliases[{index}].ip"
            found.append(causes.invalid(place, alias.get("ip", ""), ADDRESS))
    return found


def _placed(spec: Object, where: str) -> list[Cause]:
    context = spec.get("securityContext") or {}
    keys = ("fsGroup", "runAsUser", "runAsGroup")
    found = containers.identities(context, f"{where}.securityContext", keys)
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    needed = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if needed is not None and not needed.get("nodeSelectorTerms"):
        place = f"{where}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
        why = "must have at least one node selector term"
        found.append(causes.required(f"{place}.nodeSelectorTerms", why))
    if spec.get("hostNetwork"):
        for number, part in enumerate(spec.get("containers") or []):
            for index, port in enumerate(part.get("ports") or []):
                if port.get("hostPort") != port.get("containerPort"):
                    place = f"{where}.containers[{number}].ports[{index}].containerPort"
                    why = "must match `hostPort` when `hostNetwork` is true"
                    found.append(causes.invalid(place, port.get("containerPort"), why))
    return found


def _volumes(volumes: list[Object], where: str) -> tuple[list[Cause], set[str]]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        place = f"{where}[{index}]"
        name = volume.get("name", "")
        if not name:
            found.append(causes.required(f"{place}.name"))
        else:
            found += [causes.invalid(f"{place}.name", name, why) for why in names.label(name)]
        if name in seen:
            found.append(causes.duplicate(f"{place}.name", name))
        seen.add(name)
        sources = sorted(set(volume) - {"name"})
        for extra in sources[1:]:
            why = "may not specify more than 1 volume type"
            found.append(causes.forbidden(f"{place}.{extra}", why))
        if "secret" in volume and not volume["secret"].get("secretName"):
            found.append(causes.required(f"{place}.secret.secretName"))
        if "configMap" in volume and not volume["configMap"].get("name"):
            found.append(causes.required(f"{place}.configMap.name"))
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and not claim.get("claimName"):
            found.append(causes.required(f"{place}.persistentVolumeClaim.claimName"))
        if "hostPath" in volume and not volume["hostPath"].get("path"):
            found.append(causes.required(f"{place}.hostPath.path"))
    return found, seen


def _tolerations(tolerations: list[Object], where: str) -> list[Cause]:
    found: list[Cause] = []
    for index, part in enumerate(tolerations):
        place = f"{where}[{index}]"
        operator, effect = part.get("operator", "Equal"), part.get("effect")
        key = part.get("key")
        if key:
            found += [causes.invalid(f"{place}.key", key, why) for why in names.qualified(key)]
        elif operator != "Exists":
            why = (
                'operator must be Exists when `key` is empty, which means "match all values and '
                'all keys"'
            )
            found.append(causes.invalid(f"{place}.operator", operator, why))
        if operator not in ("Equal", "Exists"):
            supported = ("Equal", "Exists")
            found.append(causes.unsupported(f"{place}.operator", operator, supported))
        elif operator == "Exists" and part.get("value"):
            why = "value must be empty when `operator` is 'Exists'"
            found.append(causes.invalid(f"{place}.operator", operator, why))
        if part.get("tolerationSeconds") is not None and effect != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(causes.invalid(f"{place}.effect", effect or "", why))
        if effect and effect not in EFFECTS:
            found.append(causes.unsupported(f"{place}.effect", effect, EFFECTS))
    return found


def _spread(constraints: list[Object], where: str) -> list[Cause]:
    found: list[Cause] = []
    for index, part in enumerate(constraints):
        place = f"{where}.topologySpreadConstraints[{index}]"
        if part.get("maxSkew", 0) <= 0:
            why = "must be greater than zero"
            found.append(causes.invalid(f"{place}.maxSkew", part.get("maxSkew", 0), why))
        if not part.get("topologyKey"):
            found.append(causes.required(f"{place}.topologyKey", "can not be empty"))
        choices = ("DoNotSchedule", "ScheduleAnyway")
        if part.get("whenUnsatisfiable") not in choices:
            value = part.get("whenUnsatisfiable", "")
            found.append(causes.unsupported(f"{place}.whenUnsatisfiable", value, choices))
        found += selectors.label_selector(part.get("labelSelector"), f"{place}.labelSelector")
    return found


def create(obj: Object) -> list[Cause]:
    return pod_spec(obj["spec"], "spec")


def _deadline_kept(spec: Object, before: Object) -> list[Cause]:
    """A deadline that is set may only come nearer."""
    seconds, earlier = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
    where = "spec.activeDeadlineSeconds"
    if earlier is None or seconds == earlier:
        return []
    if seconds is None:
        return [causes.invalid(where, None, "must not update from a positive integer to nil value")]
    if seconds > earlier:
        return [causes.invalid(where, seconds, "must be less than or equal to previous value")]
    return []


def update(obj: Object, old: Object) -> list[Cause]:
    """A pod's spec hardly changes: images, a shorter deadline, more tolerations."""
    found = pod_spec(obj["spec"], "spec")
    spec, before = copy.deepcopy(obj["spec"]), old["spec"]
    for key in ("containers", "initContainers"):
        if len(spec.get(key) or []) != len(before.get(key) or []):
            why = f"pod updates may not add or remove {key}"
            return [*found, causes.forbidden(f"spec.{key}", why)]
    found += _deadline_kept(spec, before)
    for key in ("containers", "initContainers"):
        for part, earlier in zip(spec.get(key) or [], before.get(key) or [], strict=False):
            part["image"] = earlier.get("image")
    spec.pop("activeDeadlineSeconds", None)
    if "activeDeadlineSeconds" in before:
        spec["activeDeadlineSeconds"] = before["activeDeadlineSeconds"]
    kept = before.get("tolerations") or []
    if all(part in (spec.get("tolerations") or []) for part in kept):
        spec["tolerations"] = kept
    gates = before.get("schedulingGates") or []
    if all(gate in gates for gate in spec.get("schedulingGates") or []) and gates:
        spec["schedulingGates"] = gates
    if {k: v for k, v in spec.items() if v} != {k: v for k, v in before.items() if v}:
        found.append(causes.forbidden("spec", CHANGEABLE))
    return found

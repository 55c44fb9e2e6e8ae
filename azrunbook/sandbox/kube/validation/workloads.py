"""Validation of the controllers of group apps, and of replication controllers.

A strategy of an unknown type is shown as the server's internal type writes it: Go's field names.
"""

import re
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names, pods, selectors

Object = dict[str, Any]
TEMPLATE = "spec.template"
MOST_PERCENT = 100
MISMATCH = "`selector` does not match template `labels`"
STATEFUL_CHANGEABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)


def template_labels(spec: Object) -> Any:
    return ((spec.get("template") or {}).get("metadata") or {}).get("labels")


def not_matching(spec: Object, where: str = "spec") -> list[Cause]:
    """The template's labels are not selected; an absent selector selects nothing."""
    labels = template_labels(spec)
    selector = spec.get("selector")
    if selectors.is_empty(selector) or selectors.matches(selector, labels):
        return []
    return [causes.invalid(f"{where}.template.metadata.labels", labels, MISMATCH)]


def _selector(spec: Object, empty: str, *, is_required: bool = True) -> list[Cause]:
    """The selector is there and selects something; `empty` is what is said if it selects all."""
    selector = spec.get("selector")
    if selector is None:
        return [causes.required("spec.selector")] if is_required else []
    found = selectors.label_selector(selector, "spec.selector")
    if selectors.is_empty(selector):
        found.append(causes.invalid("spec.selector", selector, empty))
    return found


def _always_restarted(obj: Object, kind: str) -> list[Cause]:
    spec = (obj["spec"].get("template") or {}).get("spec") or {}
    found: list[Cause] = []
    policy = spec.get("restartPolicy")
    if policy != "Always":
        found.append(causes.unsupported(f"{TEMPLATE}.spec.restartPolicy", policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        found.append(causes.forbidden(f"{TEMPLATE}.spec.activeDeadlineSeconds", why))
    return found


def share(where: str, value: Any) -> list[Cause]:
    """A number or a percentage, not negative."""
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]+%", value):
            return []
        why = (
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
        )
        return [causes.invalid(where, value, why)]
    return causes.non_negative(where, value)


def not_over_all(where: str, value: Any) -> list[Cause]:
    """A percentage is at most 100%."""
    text = str(value)
    if not (text.endswith("%") and text[:-1].isdigit() and int(text[:-1]) > MOST_PERCENT):
        return []
    return [causes.invalid(where, value, "must not be greater than 100%")]


def _amount(value: Any) -> int:
    """The number of a share, percentages by their number; 0 for what is neither."""
    text = str(value or 0).removesuffix("%")
    return int(text) if text.lstrip("-").isdigit() else 0


def _shares(rolling: Object, *keys: str) -> list[Any]:
    """The shares of an internal type: absent ones are 0."""
    return [rolling.get(key, 0) for key in keys]


def _internal(strategy: Object, *fields: str) -> Object:
    """A strategy as the internal type of the server is written."""
    rolling = strategy.get("rollingUpdate")
    shown = None
    if rolling is not None:
        shown = {name[0].upper() + name[1:]: rolling.get(name, 0) for name in fields}
    return {"Type": strategy.get("type", ""), "RollingUpdate": shown}


def _deployment_strategy(strategy: Object) -> list[Cause]:
    where, kind, rolling = "spec.strategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is None:
            return []
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [causes.forbidden(f"{where}.rollingUpdate", why)]
    if kind != "RollingUpdate":
        shown = _internal(strategy, "maxUnavailable", "maxSurge")
        return [causes.unsupported(where, shown, ("Recreate", "RollingUpdate"))]
    place = f"{where}.rollingUpdate"
    unavailable, surge = _shares(rolling or {}, "maxUnavailable", "maxSurge")
    found = share(f"{place}.maxUnavailable", unavailable) + share(f"{place}.maxSurge", surge)
    if not _amount(unavailable) and not _amount(surge):
        why = "may not be 0 when `maxSurge` is 0"
        found.append(causes.invalid(f"{place}.maxUnavailable", unavailable, why))
    return found + not_over_all(f"{place}.maxUnavailable", unavailable)


def _daemon_strategy(strategy: Object) -> list[Cause]:
    where, kind = "spec.updateStrategy", strategy.get("type")
    if kind == "OnDelete":
        return []
    if kind != "RollingUpdate":
        shown = _internal(strategy, "maxUnavailable", "maxSurge")
        return [causes.unsupported(where, shown, ("RollingUpdate", "OnDelete"))]
    place = f"{where}.rollingUpdate"
    unavailable, surge = _shares(strategy["rollingUpdate"], "maxUnavailable", "maxSurge")
    found: list[Cause] = []
    for check in (share, not_over_all):
        found += check(f"{place}.maxUnavailable", unavailable)
        found += check(f"{place}.maxSurge", surge)
    if _amount(unavailable) and _amount(surge):
        why = "may not be set when maxUnavailable is non-zero"
        found.append(causes.invalid(f"{place}.maxSurge", surge, why))
    elif not _amount(unavailable) and not _amount(surge):
        why = "cannot be 0 when maxSurge is 0"
        found.append(causes.required(f"{place}.maxUnavailable", why))
    return found


def _stateful_strategy(strategy: Object) -> list[Cause]:
    where, kind, rolling = (
        "spec.updateStrategy",
        strategy.get("type"),
        strategy.get("rollingUpdate"),
    )
    if kind == "OnDelete":
        if rolling is None:
            return []
        shown = _stateful_shown(strategy)["RollingUpdate"]
        why = "only allowed for updateStrategy 'RollingUpdate'"
        return [causes.invalid(f"{where}.rollingUpdate", shown, why)]
    if kind != "RollingUpdate":
        why = "must be 'RollingUpdate' or 'OnDelete'"
        return [causes.invalid(where, _stateful_shown(strategy), why)]
    place, unavailable = f"{where}.rollingUpdate", (rolling or {}).get("maxUnavailable")
    found = causes.non_negative(f"{place}.partition", (rolling or {}).get("partition"))
    if unavailable is not None:
        found += share(f"{place}.maxUnavailable", unavailable)
        if not _amount(unavailable):
            found.append(causes.invalid(f"{place}.maxUnavailable", unavailable, "cannot be 0"))
        found += not_over_all(f"{place}.maxUnavailable", unavailable)
    return found


def _stateful_shown(strategy: Object) -> Object:
    shown = _internal(strategy, "partition")
    if shown["RollingUpdate"] is not None:
        shown["RollingUpdate"]["MaxUnavailable"] = strategy["rollingUpdate"].get("maxUnavailable")
    return shown


def _counts(obj: Object, *keys: str) -> list[Cause]:
    return [
        cause for key in keys for cause in causes.non_negative(f"spec.{key}", obj["spec"].get(key))
    ]


def _broken(spec: Object, why: str) -> list[Cause] | None:
    """What is said of a selector that cannot be understood; the template is then not looked at."""
    selector = spec.get("selector")
    if selector is None or selectors.is_understood(selector):
        return None
    return [causes.invalid("spec.selector", selector, why)]


def _replicated_template(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    broken = _broken(spec, "invalid label selector")
    if broken is not None:
        return broken
    found = not_matching(spec) + pods.template(spec.get("template"), TEMPLATE)
    return found + _always_restarted(obj, "ReplicaSet")


def deployment(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = _counts(obj, "replicas")
    found += _selector(spec, "empty selector is invalid for deployment")
    found += _replicated_template(obj) + _deployment_strategy(spec["strategy"])
    found += _counts(obj, "minReadySeconds", "revisionHistoryLimit")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None:
        found += causes.non_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= ready:
            why = "must be greater than minReadySeconds"
            found.append(causes.invalid("spec.progressDeadlineSeconds", deadline, why))
    return found


def replica_set(obj: Object) -> list[Cause]:
    found = _counts(obj, "replicas", "minReadySeconds")
    found += _selector(obj["spec"], "empty selector is invalid for deployment")
    return found + _replicated_template(obj)


def daemon_set(obj: Object) -> list[Cause]:
    """A selector that is absent is only said to select nothing."""
    spec = obj["spec"]
    selector = spec.get("selector")
    found = selectors.label_selector(selector, "spec.selector")
    if selector is None or selectors.is_understood(selector):
        found += not_matching(spec)
    if selectors.is_empty(selector):
        why = "empty selector is invalid for daemonset"
        found.append(causes.invalid("spec.selector", selector, why))
    found += pods.template(spec.get("template"), TEMPLATE) + _always_restarted(obj, "DaemonSet")
    found += _counts(obj, "minReadySeconds") + _daemon_strategy(spec["updateStrategy"])
    return found + _counts(obj, "revisionHistoryLimit")


RETENTION = ("Retain", "Delete")


def stateful_set(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    if spec.get("podManagementPolicy") not in ("OrderedReady", "Parallel"):
        value = spec.get("podManagementPolicy")
        why = "must be 'OrderedReady' or 'Parallel'"
        found.append(causes.invalid("spec.podManagementPolicy", value, why))
    found += _stateful_strategy(spec["updateStrategy"])
    for key, value in (spec.get("persistentVolumeClaimRetentionPolicy") or {}).items():
        if value not in RETENTION:
            where = f"spec.persistentVolumeClaimRetentionPolicy.{key}"
            found.append(causes.unsupported(where, value, RETENTION))
    found += _counts(obj, "replicas", "minReadySeconds")
    start = (spec.get("ordinals") or {}).get("start")
    found += causes.non_negative("spec.ordinals.start", start)
    found += _selector(spec, "empty selector is invalid for statefulset")
    broken = _broken(spec, "")
    if broken is not None:
        return found + broken
    return (
        found
        + not_matching(spec)
        + pods.template(spec.get("template"), TEMPLATE, claimed=_claimed(spec))
        + _always_restarted(obj, "StatefulSet")
    )


def _claimed(spec: Object) -> frozenset[str]:
    """The volumes that the claim templates bring along."""
    return frozenset(
        (part.get("metadata") or {}).get("name", "")
        for part in spec.get("volumeClaimTemplates") or []
    )


def stateful_set_created(obj: Object) -> list[Cause]:
    """A new set has a name that its pods can begin with, and may name a service."""
    name, service = obj["metadata"].get("name", ""), obj["spec"].get("serviceName", "")
    found: list[Cause] = []
    if name and not names.subdomain(name):
        found += [causes.invalid("metadata.name", name, why) for why in names.label(name)]
    if service:
        problems = names.label(service)
        found += [causes.invalid("spec.serviceName", service, why) for why in problems]
    return found + stateful_set(obj)


def replication_controller(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = _counts(obj, "minReadySeconds")
    if not spec.get("selector"):
        found.append(causes.required("spec.selector"))
    found += _counts(obj, "replicas")
    if not spec.get("template"):
        return [*found, causes.required(TEMPLATE)]
    labels, wanted = template_labels(spec) or {}, spec.get("selector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        found.append(causes.invalid(f"{TEMPLATE}.metadata.labels", labels, MISMATCH))
    found += pods.template(spec["template"], TEMPLATE)
    return found + _always_restarted(obj, "ReplicationController")


def selector_kept(obj: Object, old: Object) -> list[Cause]:
    """The selector of a deployment, replica set or daemon set never changes."""
    value, before = obj["spec"].get("selector"), old["spec"].get("selector")
    return causes.unchanged("spec.selector", value, before)


STATEFUL_FREE = frozenset({
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
})  # fmt: skip


def stateful_kept(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    changed = [k for k in {*spec, *before} - STATEFUL_FREE if spec.get(k) != before.get(k)]
    return [causes.forbidden("spec", STATEFUL_CHANGEABLE)] if changed else []


CREATE = {
    "deployments.apps": deployment,
    "replicasets.apps": replica_set,
    "daemonsets.apps": daemon_set,
    "statefulsets.apps": stateful_set_created,
    "replicationcontrollers": replication_controller,
}
CHANGED = {"statefulsets.apps": stateful_set}
UPDATE = {
    "deployments.apps": selector_kept,
    "replicasets.apps": selector_kept,
    "daemonsets.apps": selector_kept,
    "statefulsets.apps": stateful_kept,
}

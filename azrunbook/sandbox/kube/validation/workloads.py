"""Validation of what runs pods."""

import re
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, pods, selectors
from azrunbook.sandbox.kube.validation.causes import show

Object = dict[str, Any]
TEMPLATE = "spec.template"
STATEFUL_CHANGEABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden"
)


def _selected(obj: Object, kind: str) -> list[Cause]:
    """The selector is there, selects something, and selects the template."""
    spec = obj["spec"]
    selector = spec.get("selector")
    found: list[Cause] = []
    if selector is None:
        found.append(causes.required("spec.selector"))
    else:
        found += selectors.label_selector(selector, "spec.selector")
        if selectors.is_empty(selector):
            why = f"empty selector is invalid for {kind}"
            found.append(causes.invalid("spec.selector", selector, why))
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if not selectors.is_empty(selector) and not selectors.matches(selector, labels):
        why = "`selector` does not match template `labels`"
        found.append(causes.invalid(f"{TEMPLATE}.metadata.labels", labels, why))
    return found


def _always_restarted(obj: Object) -> list[Cause]:
    spec = (obj["spec"].get("template") or {}).get("spec") or {}
    found: list[Cause] = []
    policy = spec.get("restartPolicy")
    if policy != "Always" and policy in pods.RESTART_POLICIES:
        found.append(causes.unsupported(f"{TEMPLATE}.spec.restartPolicy", policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        where = f"{TEMPLATE}.spec.activeDeadlineSeconds"
        found.append(
            causes.forbidden(where, "activeDeadlineSeconds in ReplicaSet is not Supported")
        )
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


def _is_zero(value: Any) -> bool:
    return value in (0, "0%", None)


def _rolling(strategy: Object, where: str, kinds: tuple[str, ...]) -> list[Cause]:
    kind = strategy.get("type")
    rolling = strategy.get("rollingUpdate")
    if kind not in kinds:
        return [causes.unsupported(f"{where}.type", kind or "", kinds)]
    if kind != "RollingUpdate":
        if rolling is None:
            return []
        why = f"may not be specified when strategy `type` is '{kind}'"
        return [causes.forbidden(f"{where}.rollingUpdate", why)]
    found: list[Cause] = []
    place = f"{where}.rollingUpdate"
    unavailable, surge = (rolling or {}).get("maxUnavailable"), (rolling or {}).get("maxSurge")
    if "maxUnavailable" in (rolling or {}):
        found += share(f"{place}.maxUnavailable", unavailable)
    if "maxSurge" in (rolling or {}):
        found += share(f"{place}.maxSurge", surge)
        if _is_zero(unavailable) and _is_zero(surge):
            why = "may not be 0 when `maxSurge` is 0"
            found.append(causes.invalid(f"{place}.maxUnavailable", unavailable, why))
    if isinstance(unavailable, str) and not found and int(unavailable[:-1]) > 100:  # noqa: PLR2004
        why = "must not be greater than 100%"
        found.append(causes.invalid(f"{place}.maxUnavailable", unavailable, why))
    return found


def _counts(obj: Object, *keys: str) -> list[Cause]:
    return [
        cause for key in keys for cause in causes.non_negative(f"spec.{key}", obj["spec"].get(key))
    ]


def deployment(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = _counts(obj, "replicas") + _selected(obj, "deployment")
    found += pods.template(spec.get("template"), TEMPLATE) + _always_restarted(obj)
    found += _rolling(spec["strategy"], "spec.strategy", ("Recreate", "RollingUpdate"))
    found += _counts(obj, "minReadySeconds", "revisionHistoryLimit")
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if deadline is not None:
        found += causes.non_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= ready:
            why = "must be greater than minReadySeconds"
            found.append(causes.invalid("spec.progressDeadlineSeconds", deadline, why))
    return found


def replica_set(obj: Object) -> list[Cause]:
    found = _counts(obj, "replicas", "minReadySeconds") + _selected(obj, "replicaset")
    return found + pods.template(obj["spec"].get("template"), TEMPLATE) + _always_restarted(obj)


def daemon_set(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = _selected(obj, "daemonset")
    found += pods.template(spec.get("template"), TEMPLATE) + _always_restarted(obj)
    found += _counts(obj, "minReadySeconds")
    found += _rolling(spec["updateStrategy"], "spec.updateStrategy", ("OnDelete", "RollingUpdate"))
    return found + _counts(obj, "revisionHistoryLimit")


def stateful_set(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    policies = ("OrderedReady", "Parallel")
    found: list[Cause] = []
    if spec.get("podManagementPolicy") not in policies:
        value = spec.get("podManagementPolicy")
        why = "must be 'OrderedReady' or 'Parallel'"
        found.append(causes.invalid("spec.podManagementPolicy", value, why))
    kinds = ("OnDelete", "RollingUpdate")
    found += _rolling(spec["updateStrategy"], "spec.updateStrategy", kinds)
    found += _counts(obj, "replicas", "minReadySeconds") + _selected(obj, "statefulset")
    claimed = {one["metadata"].get("name", "") for one in spec.get("volumeClaimTemplates") or []}
    found += pods.template(spec.get("template"), TEMPLATE, claimed=claimed)
    return found + _always_restarted(obj)


def replication_controller(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = _counts(obj, "replicas", "minReadySeconds")
    if not spec.get("selector"):
        found.append(causes.required("spec.selector"))
    if not spec.get("template"):
        return [*found, causes.required(TEMPLATE)]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    wanted = spec.get("selector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        why = "`selector` does not match template `labels`"
        found.append(causes.invalid(f"{TEMPLATE}.metadata.labels", labels, why))
    return found + pods.template(spec["template"], TEMPLATE) + _always_restarted(obj)


def _job_spec(spec: Object, where: str) -> list[Cause]:
    found: list[Cause] = []
    for key in (
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ):
        found += causes.non_negative(f"{where}.{key}", spec.get(key))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        why = "when completion mode is Indexed"
        found.append(causes.required(f"{where}.completions", why))
    found += pods.template(spec.get("template"), f"{where}.template")
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if policy == "Always":
        place = f"{where}.template.spec.restartPolicy"
        choices: tuple[str, ...] = ("OnFailure", "Never")
        if spec.get("podFailurePolicy"):
            choices = ("Never",)
        found.append(causes.unsupported(place, policy, choices))
    return found


def job(obj: Object) -> list[Cause]:
    return _job_spec(obj["spec"], "spec")


def cron_job(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    name = obj["metadata"].get("name", "")
    if len(name) > 52:  # noqa: PLR2004 - room for the suffix of its jobs
        found.append(causes.invalid("metadata.name", name, "must be no more than 52 characters"))
    schedule = spec.get("schedule", "")
    if not schedule:
        found.append(causes.required("spec.schedule"))
    else:
        problem = _schedule_problem(schedule)
        if problem:
            found.append(causes.invalid("spec.schedule", schedule, problem))
    choices = ("Allow", "Forbid", "Replace")
    found += causes.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), choices)
    found += _counts(
        obj, "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"
    )
    return found + _job_spec(
        (spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec"
    )


DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def _schedule_problem(schedule: str) -> str:
    if schedule.startswith("@"):
        is_known = schedule in DESCRIPTORS or schedule.startswith("@every ")
        return "" if is_known else f"unrecognized descriptor: {schedule}"
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    fields = schedule.split()
    if len(fields) != len(RANGES):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for text, (low, high) in zip(fields, RANGES, strict=True):
        for part in text.split(","):
            problem = _field_problem(part, low, high)
            if problem:
                return problem
    return ""


def _field_problem(part: str, low: int, high: int) -> str:
    base = part.partition("/")[0]
    if base in ("*", "?"):
        return ""
    for bound in base.split("-"):
        text = bound.lower()
        if text in MONTHS or text in DAYS:
            continue
        if not text.isdigit():
            return (
                f'failed to parse int from {bound}: strconv.Atoi: parsing "{bound}": invalid syntax'
            )
        if int(text) < low:
            return f"beginning of range ({text}) below minimum ({low}): {part}"
        if int(text) > high:
            return f"end of range ({text}) above maximum ({high}): {part}"
    return ""


def autoscaler(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    lowest, highest = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if lowest is not None and lowest < 1:
        why = "must be greater than or equal to 1"
        found.append(causes.invalid("spec.minReplicas", lowest, why))
    if highest < 1:
        found.append(causes.invalid("spec.maxReplicas", highest, "must be greater than 0"))
    if lowest is not None and highest < lowest:
        why = "must be greater than or equal to `minReplicas`"
        found.append(causes.invalid("spec.maxReplicas", highest, why))
    target = spec.get("scaleTargetRef") or {}
    found += [
        causes.required(f"spec.scaleTargetRef.{key}")
        for key in ("kind", "name")
        if not target.get(key)
    ]
    version = target.get("apiVersion", "")
    if not version and target.get("kind") != "ReplicationController":
        why = "apiVersion must specify API group"
        found.append(causes.invalid("spec.scaleTargetRef.apiVersion", version, why))
    return found + _metrics(spec.get("metrics") or [])


METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")


def _metrics(metrics: list[Object]) -> list[Cause]:
    found: list[Cause] = []
    for index, metric in enumerate(metrics):
        where = f"spec.metrics[{index}]"
        kind = metric.get("type", "")
        if not kind:
            found.append(causes.required(f"{where}.type", "must specify a metric source type"))
            continue
        if kind not in METRICS:
            found.append(causes.unsupported(f"{where}.type", kind, METRICS))
            continue
        key = kind[0].lower() + kind[1:]
        if key not in metric:
            why = "must populate information for the given metric source"
            found.append(causes.required(f"{where}.{key}", why))
            continue
        target = metric[key].get("target") or {}
        value = target.get("averageUtilization")
        if value is not None and value < 1:
            why = "must be greater than 0"
            found.append(causes.invalid(f"{where}.{key}.target.averageUtilization", value, why))
        if kind == "Resource" and not metric[key].get("name"):
            found.append(causes.required(f"{where}.{key}.name", "must specify a resource name"))
    return found


def _same(old: Object, obj: Object, key: str) -> list[Cause]:
    return causes.unchanged(f"spec.{key}", obj["spec"].get(key), old["spec"].get(key))


def selector_kept(obj: Object, old: Object) -> list[Cause]:
    """The selector of a deployment, replica set or daemon set never changes."""
    return _same(old, obj, "selector")


def job_kept(obj: Object, old: Object) -> list[Cause]:
    found = _same(old, obj, "selector")
    if obj["spec"].get("template") != old["spec"].get("template"):
        value = obj["spec"].get("template")
        found.append(
            Cause(
                "FieldValueInvalid", f"Invalid value: {show(value)}: {causes.IMMUTABLE}", TEMPLATE
            )
        )
    if obj["spec"].get("completionMode") != "Indexed":
        found += _same(old, obj, "completions")
    return found + _same(old, obj, "completionMode")


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
    "statefulsets.apps": stateful_set,
    "replicationcontrollers": replication_controller,
    "jobs.batch": job,
    "cronjobs.batch": cron_job,
    "horizontalpodautoscalers.autoscaling": autoscaler,
}
UPDATE = {
    "deployments.apps": selector_kept,
    "replicasets.apps": selector_kept,
    "daemonsets.apps": selector_kept,
    "statefulsets.apps": stateful_kept,
    "jobs.batch": job_kept,
}

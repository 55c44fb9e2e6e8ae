"""Validation of jobs and cron jobs."""

import zoneinfo
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names, pods, schedules, selectors, workloads

Object = dict[str, Any]
LONGEST_CRON_NAME = 52
MOST_PARALLEL_INDEXED = 100_000
MODES = ("NonIndexed", "Indexed")
COUNTS = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
RESTARTS = ("OnFailure", "Never")


def _indexed(spec: Object, where: str) -> list[Cause]:
    """What only goes together with the completion mode, or not without it."""
    found: list[Cause] = []
    mode = spec.get("completionMode")
    if mode is not None and mode not in MODES:
        found.append(causes.unsupported(f"{where}.completionMode", mode, MODES))
    if mode == "Indexed":
        if spec.get("completions") is None:
            why = "when completion mode is Indexed"
            found.append(causes.required(f"{where}.completions", why))
        parallel = spec.get("parallelism") or 0
        if parallel > MOST_PARALLEL_INDEXED:
            why = (
                f"must be less than or equal to {MOST_PARALLEL_INDEXED} when completion mode is "
                "Indexed"
            )
            found.append(causes.invalid(f"{where}.parallelism", parallel, why))
        most, wanted = spec.get("maxFailedIndexes"), spec.get("completions")
        if most is not None and wanted is not None and most > wanted:
            why = "must be less than or equal to completions"
            found.append(causes.invalid(f"{where}.maxFailedIndexes", most, why))
    if mode in (None, "NonIndexed"):
        found += [
            causes.invalid(f"{where}.{key}", spec[key], "requires indexed completion mode")
            for key in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(key) is not None
        ]
    return found


def _replacement(spec: Object, where: str) -> list[Cause]:
    policy = spec.get("podReplacementPolicy")
    choices = ("Failed",) if spec.get("podFailurePolicy") else ("Failed", "TerminatingOrFailed")
    if policy is None or policy in choices:
        return []
    return [causes.unsupported(f"{where}.podReplacementPolicy", policy, choices)]


def _restart(spec: Object, where: str) -> list[Cause]:
    policy = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") or "Always"
    place = f"{where}.template.spec.restartPolicy"
    if policy == "Always":
        return [causes.required(place, 'valid values: "OnFailure", "Never"')]
    if policy not in RESTARTS:
        return [causes.unsupported(place, policy, RESTARTS)]
    if spec.get("podFailurePolicy") and policy != "Never":
        why = 'only "Never" is supported when podFailurePolicy is specified'
        return [causes.invalid(place, policy, why)]
    return []


def _job_spec(spec: Object, where: str) -> list[Cause]:
    found: list[Cause] = []
    for key in COUNTS:
        found += causes.non_negative(f"{where}.{key}", spec.get(key))
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        why = "when maxFailedIndexes is specified"
        found.append(causes.required(f"{where}.backoffLimitPerIndex", why))
    found += _indexed(spec, where) + _replacement(spec, where)
    found += pods.template(spec.get("template"), f"{where}.template")
    return found + _restart(spec, where)


def job(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = _job_spec(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        found.append(causes.required("spec.selector"))
    else:
        found += selectors.label_selector(selector, "spec.selector")
    if selector is None or selectors.is_understood(selector):
        found += workloads.not_matching(spec)
    return found


def job_created(obj: Object) -> list[Cause]:
    """A new job selects what was generated for it, unless it says that it selects by itself."""
    spec, metadata = obj["spec"], obj["metadata"]
    found: list[Cause] = []
    if not spec.get("manualSelector"):
        labels = {
            f"{prefix}{key}": value
            for prefix in ("", "batch.kubernetes.io/")
            for key, value in (
                ("controller-uid", metadata.get("uid")),
                ("job-name", metadata.get("name")),
            )
        }
        selector = spec.get("selector")
        if selectors.is_understood(selector or {}) and not selectors.matches(selector, labels):
            why = "`selector` not auto-generated"
            found.append(causes.invalid("spec.selector", selector, why))
    found += job(obj)
    wanted = spec.get("completions") or 0
    if spec.get("completionMode") == "Indexed" and wanted > 0:
        host = f"{metadata.get('name', '')}-{wanted - 1}"
        if names.label(host):
            why = f"will not able to create pod with invalid DNS label: {host}"
            found.append(causes.invalid("metadata.name", metadata.get("name", ""), why))
    return found


def job_kept(obj: Object, old: Object) -> list[Cause]:
    spec, before = obj["spec"], old["spec"]
    is_elastic = (
        spec.get("completionMode") == "Indexed"
        and spec.get("completions") == spec.get("parallelism")
        and before.get("completions") is not None
    )
    keys = ["completions"] if not is_elastic else []
    keys += ["selector", "template", "completionMode", "podFailurePolicy"]
    keys += ["backoffLimitPerIndex", "managedBy", "successPolicy"]
    if spec.get("suspend") and before.get("suspend"):
        before = {**before, "template": _with_directives(before["template"], spec["template"])}
    return [
        cause
        for key in keys
        for cause in causes.unchanged(f"spec.{key}", spec.get(key), before.get(key))
    ]


DIRECTIVES = ("nodeSelector", "tolerations", "schedulingGates")


def _with_directives(old: Object, new: Object) -> Object:
    """A suspended job's template may still say where its pods are to run."""
    spec = {k: v for k, v in old["spec"].items() if k not in DIRECTIVES}
    spec |= {k: v for k, v in new["spec"].items() if k in DIRECTIVES}
    return {**old, "metadata": new.get("metadata"), "spec": spec}


def cron_job(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    schedule = spec.get("schedule", "")
    if not schedule:
        found.append(causes.required("spec.schedule"))
    else:
        found += [
            causes.invalid("spec.schedule", schedule, problem)
            for problem in schedules.problems(schedule)
        ]
    found += causes.non_negative(
        "spec.startingDeadlineSeconds", spec.get("startingDeadlineSeconds")
    )
    found += _time_zone(spec.get("timeZone"))
    choices = ("Allow", "Forbid", "Replace")
    found += causes.one_of("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), choices)
    inner = (spec.get("jobTemplate") or {}).get("spec") or {}
    found += _template_spec(inner, "spec.jobTemplate.spec")
    for key in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += causes.non_negative(f"spec.{key}", spec.get(key))
    return found


def _template_spec(spec: Object, where: str) -> list[Cause]:
    """The job of a cron job may not select: each of its jobs gets a selector of its own."""
    found = _job_spec(spec, where)
    if spec.get("selector") is not None:
        shown = spec["selector"]
        found.append(
            causes.invalid(f"{where}.selector", shown, "`selector` will be auto-generated")
        )
    if spec.get("manualSelector"):
        choices = ("nil", "false")
        found.append(causes.unsupported(f"{where}.manualSelector", True, choices))
    return found


def _time_zone(zone: str | None) -> list[Cause]:
    if zone is None:
        return []
    where = "spec.timeZone"
    if not zone:
        return [causes.invalid(where, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [causes.invalid(where, zone, why)]
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return [causes.invalid(where, zone, f"unknown time zone {zone}")]
    return []


def cron_job_created(obj: Object) -> list[Cause]:
    found = cron_job(obj)
    name = obj["metadata"].get("name", "")
    if len(name) > LONGEST_CRON_NAME:  # room for the suffix of its jobs
        why = f"must be no more than {LONGEST_CRON_NAME} characters"
        found.append(causes.invalid("metadata.name", name, why))
    return found


CREATE = {"jobs.batch": job_created, "cronjobs.batch": cron_job_created}
CHANGED = {"jobs.batch": job, "cronjobs.batch": cron_job}
UPDATE = {"jobs.batch": job_kept}

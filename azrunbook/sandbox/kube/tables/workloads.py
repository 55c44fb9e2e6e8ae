"""Rows of what runs pods."""

from typing import Any

from azrunbook.sandbox.kube.tables.cells import (
    NONE,
    age,
    between,
    containers,
    labels,
    path,
    selector,
    since,
)

Object = dict[str, Any]


def _status(obj: Object, key: str) -> int:
    return int(path(obj, f"status.{key}", 0))


def _wide(obj: Object) -> list[Any]:
    template = path(obj, "spec.template", {})
    return [*containers(template), selector(path(obj, "spec.selector"))]


def deployment(obj: Object) -> list[Any]:
    return [
        obj["metadata"]["name"],
        f"{_status(obj, 'readyReplicas')}/{path(obj, 'spec.replicas', 0)}",
        str(_status(obj, "updatedReplicas")),
        str(_status(obj, "availableReplicas")),
        age(obj),
        *_wide(obj),
    ]


def replica_set(obj: Object) -> list[Any]:
    return [
        obj["metadata"]["name"],
        path(obj, "spec.replicas", 0),
        _status(obj, "replicas"),
        _status(obj, "readyReplicas"),
        age(obj),
        *_wide(obj),
    ]


def replication_controller(obj: Object) -> list[Any]:
    cells = replica_set({**obj, "spec": {**obj["spec"], "selector": None}})
    return [*cells[:-1], labels(path(obj, "spec.selector"))]


def stateful_set(obj: Object) -> list[Any]:
    return [
        obj["metadata"]["name"],
        f"{_status(obj, 'readyReplicas')}/{path(obj, 'spec.replicas', 0)}",
        age(obj),
        *_wide(obj)[:2],
    ]


def daemon_set(obj: Object) -> list[Any]:
    return [
        obj["metadata"]["name"],
        _status(obj, "desiredNumberScheduled"),
        _status(obj, "currentNumberScheduled"),
        _status(obj, "numberReady"),
        _status(obj, "updatedNumberScheduled"),
        _status(obj, "numberAvailable"),
        labels(path(obj, "spec.template.spec.nodeSelector")),
        age(obj),
        *_wide(obj),
    ]


def _job_status(obj: Object) -> str:
    found = {part["type"]: part["status"] == "True" for part in path(obj, "status.conditions", [])}
    for kind, word in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ):
        if found.get(kind):
            return word
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else "Running"


def job(obj: Object) -> list[Any]:
    done, completions = _status(obj, "succeeded"), path(obj, "spec.completions")
    wanted = str(completions)
    if completions is None:
        parallelism = path(obj, "spec.parallelism", 0)
        wanted = f"1 of {parallelism}" if parallelism > 1 else "1"
    start = path(obj, "status.startTime")
    return [
        obj["metadata"]["name"],
        _job_status(obj),
        f"{done}/{wanted}",
        between(start, path(obj, "status.completionTime")) if start else "",
        age(obj),
        *_wide(obj),
    ]


def cron_job(obj: Object) -> list[Any]:
    inner = path(obj, "spec.jobTemplate", {})
    return [
        obj["metadata"]["name"],
        path(obj, "spec.schedule", ""),
        path(obj, "spec.timeZone", NONE),
        path(obj, "spec.suspend", False),
        len(path(obj, "status.active", [])),
        since(path(obj, "status.lastScheduleTime"), NONE),
        age(obj),
        *_wide(inner),
    ]


def _metric(spec: Object, status: Object | None) -> str:
    kind = spec["type"]
    source = spec.get(kind[0].lower() + kind[1:]) or {}
    target = source.get("target") or {}
    current: Object = {}
    if status is not None:
        current = (status.get(kind[0].lower() + kind[1:]) or {}).get("current") or {}
    name = source.get("name") or (source.get("metric") or {}).get("name", "")
    if "averageUtilization" in target:
        now = current.get("averageUtilization")
        shown = "<unknown>" if now is None else f"{now}%"
        return f"{name}: {shown}/{target['averageUtilization']}%"
    wanted = target.get("averageValue") or target.get("value")
    now = current.get("averageValue") or current.get("value") or "<unknown>"
    suffix = " (avg)" if "averageValue" in target else ""
    prefix = f"{name}: " if kind in ("Resource", "ContainerResource") else ""
    return f"{prefix}{now}/{wanted}{suffix if not prefix else ''}"


def autoscaler(obj: Object) -> list[Any]:
    specs = path(obj, "spec.metrics") or []
    statuses = path(obj, "status.currentMetrics") or []
    if "targetCPUUtilizationPercentage" in obj["spec"]:
        target = obj["spec"]["targetCPUUtilizationPercentage"]
        now = path(obj, "status.currentCPUUtilizationPercentage")
        targets = [f"cpu: {'<unknown>' if now is None else f'{now}%'}/{target}%"]
    else:
        targets = [
            _metric(spec, statuses[index] if index < len(statuses) else None)
            for index, spec in enumerate(specs)
        ]
    shown = ", ".join(targets[:2]) or NONE
    if len(targets) > 2:  # noqa: PLR2004 - two are shown, as by the real server
        shown += f" + {len(targets) - 2} more..."
    reference = path(obj, "spec.scaleTargetRef", {})
    return [
        obj["metadata"]["name"],
        f"{reference.get('kind')}/{reference.get('name')}",
        shown,
        str(path(obj, "spec.minReplicas", "<unset>")),
        path(obj, "spec.maxReplicas", 0),
        path(obj, "status.currentReplicas", 0),
        age(obj),
    ]


def revision(obj: Object) -> list[Any]:
    owners = [o for o in obj["metadata"].get("ownerReferences") or [] if o.get("controller")]
    controller = NONE
    if owners:
        group = owners[0]["apiVersion"].rpartition("/")[0]
        kind = owners[0]["kind"].lower()
        controller = (
            f"{kind}.{group}/{owners[0]['name']}" if group else f"{kind}/{owners[0]['name']}"
        )
    return [obj["metadata"]["name"], controller, obj.get("revision", 0), age(obj)]


PRINTERS = {
    "deployments.apps": deployment,
    "replicasets.apps": replica_set,
    "replicationcontrollers": replication_controller,
    "statefulsets.apps": stateful_set,
    "daemonsets.apps": daemon_set,
    "controllerrevisions.apps": revision,
    "jobs.batch": job,
    "cronjobs.batch": cron_job,
    "horizontalpodautoscalers.autoscaling": autoscaler,
}

"""The CronJob controller: makes a Job whenever a schedule is due.

Law: a schedule's arithmetic is schedules.py's. Between two instants nothing runs: the controller
asks to be called again when the next one is due.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors, times
from azrunbook.sandbox.kube.controllers import job, loop, owners, schedules
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "cronjob-controller"
SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController:
    """Creates Jobs on schedule and keeps their history."""

    name = "cronjob"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._cron_jobs = cluster.resource("batch", "cronjobs")
        self._jobs = cluster.resource("batch", "jobs")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._cron_jobs, loop.own_key), loop.Watch(self._jobs, _of_job)]

    def reconcile(self, key: loop.Key) -> float | None:
        cron = self._cluster.registry.find(self._cron_jobs, *key)
        if cron is None or "deletionTimestamp" in cron["metadata"]:
            return None
        jobs = self._owned(cron)
        status = self._observed(cron, jobs)
        self._trim(cron, jobs)
        if not cron["spec"].get("suspend"):
            status = self._start_due(cron, status)
        self._cluster.write_status(self._cron_jobs, cron, status)
        return None if cron["spec"].get("suspend") else self._seconds_to_next(cron)

    def _owned(self, cron: Object) -> list[Object]:
        listed = self._cluster.registry.list(self._jobs, cron["metadata"]["namespace"])
        return [one for one in listed if owners.is_controlled_by(one, cron)]

    def _observed(self, cron: Object, jobs: Iterable[Object]) -> Object:
        """The status with the Jobs that run now, and the end of those that no longer do."""
        status = dict(cron.get("status") or {})
        before = {one["uid"] for one in status.get("active") or ()}
        running = [one for one in jobs if job.ending_of(one) is None]
        for one in jobs:
            ending = job.ending_of(one)
            if ending is None:
                continue
            if one["metadata"]["uid"] in before:
                name = one["metadata"]["name"]
                message = f"Saw completed job: {name}, condition: {ending['type']}"
                self._tell(cron, "SawCompletedJob", message)
            if ending["type"] == "Complete":
                last = status.get("lastSuccessfulTime", "")
                status["lastSuccessfulTime"] = max(last, ending["lastTransitionTime"])
        status.pop("active", None)
        if running:
            status["active"] = [_reference(one) for one in running]
        return status

    def _start_due(self, cron: Object, status: Object) -> Object:
        spec, now = cron["spec"], self._cluster.clock()
        since = times.parse(status.get("lastScheduleTime") or cron["metadata"]["creationTimestamp"])
        schedule, zone = schedules.parse(spec["schedule"]), spec.get("timeZone")
        due = schedules.due_between(schedule, since, now, zone)
        limit = spec.get("startingDeadlineSeconds")
        if due is None or (limit is not None and (now - due).total_seconds() > limit):
            return status
        policy = spec.get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and status.get("active"):
            message = (
                "Not starting job because prior execution is running "
                "and concurrency policy is Forbid"
            )
            self._tell(cron, "JobAlreadyActive", message)
            return status
        if policy == "Replace":
            self._delete_active(cron, status)
        made = self._create(cron, times.stamp(due), int(due.timestamp()) // 60)
        active = [] if policy == "Replace" else list(status.get("active") or ())
        added = [_reference(made)] if made is not None else []
        return {**status, "lastScheduleTime": times.stamp(due), "active": active + added}

    def _create(self, cron: Object, scheduled_at: str, minute: int) -> Object | None:
        """The Job of one instant; None if it exists already."""
        template = cron["spec"]["jobTemplate"]
        there = template.get("metadata") or {}
        reference = owners.reference_to(cron, api_version="batch/v1", kind="CronJob")
        made = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": f"{cron['metadata']['name']}-{minute}",
                "namespace": cron["metadata"]["namespace"],
                "labels": there.get("labels") or {},
                "annotations": {**(there.get("annotations") or {}), SCHEDULED_AT: scheduled_at},
                "ownerReferences": [reference],
            },
            "spec": template["spec"],
        }
        try:
            created = self._cluster.create(self._jobs, made)
        except errors.StatusError as error:
            if error.reason == "AlreadyExists":
                return None
            raise
        self._tell(cron, "SuccessfulCreate", f"Created job {created['metadata']['name']}")
        return created

    def _delete_active(self, cron: Object, status: Object) -> None:
        for reference in status.get("active") or ():
            found = self._cluster.registry.find(
                self._jobs, cron["metadata"]["namespace"], reference["name"]
            )
            if found is not None:
                self._cluster.delete(self._jobs, found, {"propagationPolicy": "Background"})
                self._tell(cron, "SuccessfulDelete", f"Deleted job {reference['name']}")

    def _trim(self, cron: Object, jobs: Iterable[Object]) -> None:
        """Delete finished Jobs beyond the history limits, oldest first."""
        for kind, field, default in (
            ("Complete", "successfulJobsHistoryLimit", 3),
            ("Failed", "failedJobsHistoryLimit", 1),
        ):
            limit = int(cron["spec"].get(field, default))
            ended = [o for o in jobs if (job.ending_of(o) or {}).get("type") == kind]
            ended.sort(key=lambda one: str(one["status"].get("startTime")))
            for old in ended[: max(0, len(ended) - limit)]:
                self._cluster.delete(self._jobs, old, {"propagationPolicy": "Background"})
                self._tell(cron, "SuccessfulDelete", f"Deleted job {old['metadata']['name']}")

    def _seconds_to_next(self, cron: Object) -> float | None:
        now = self._cluster.clock()
        schedule = schedules.parse(cron["spec"]["schedule"])
        at = schedules.next_after(schedule, now, cron["spec"].get("timeZone"))
        return None if at is None else (at - now).total_seconds()

    def _tell(self, cron: Object, reason: str, message: str) -> None:
        self._cluster.events.normal(cron, reason, message, component=COMPONENT)


def _reference(found: Object) -> Object:
    metadata = found["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "resourceVersion": metadata["resourceVersion"],
        "uid": metadata["uid"],
    }


def _of_job(change: loop.Change) -> Iterable[loop.Key]:
    owner = owners.find_controller(change.object)
    if owner is not None and owner["kind"] == "CronJob":
        yield (change.object["metadata"]["namespace"], owner["name"])

"""The CronJob controller: makes a Job whenever a schedule is due.

Law: a schedule's arithmetic is schedules.py's. Between two instants nothing runs: the controller
asks to be called again when the next one is due.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors, times
from azrunbook.sandbox.kube.controllers import job, loop, owners, pod_template, schedules
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
        schedule = None if cron["spec"].get("suspend") else self._schedule(cron)
        failure: errors.StatusError | None = None
        if schedule is not None and (due := self._find_due(cron, schedule)) is not None:
            try:
                status = self._start_due(cron, status, due)
            except errors.StatusError as error:
                failure = error
        self._cluster.write_status(self._cron_jobs, cron, status)
        if failure is not None:
            raise failure
        if schedule is None:
            return None
        return self._seconds_to_next({**cron, "status": status}, schedule)

    def _schedule(self, cron: Object) -> schedules.Schedule | None:
        """The schedule; None, and an event, if it or its time zone means nothing."""
        text, zone = cron["spec"]["schedule"], cron["spec"].get("timeZone")
        try:
            zoneinfo.ZoneInfo(zone or "UTC")
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
            message = f'invalid timeZone: "{zone}": {error}'
            self._tell(cron, "UnknownTimeZone", message, is_warning=True)
            return None
        try:
            return schedules.parse(text)
        except ValueError as error:
            message = f'unparseable schedule: "{text}" : {error}'
            self._tell(cron, "UnparseableSchedule", message, is_warning=True)
            return None

    def _owned(self, cron: Object) -> list[Object]:
        listed = self._cluster.registry.list(self._jobs, cron["metadata"]["namespace"])
        return [one for one in listed if owners.is_controlled_by(one, cron)]

    def _observed(self, cron: Object, jobs: Iterable[Object]) -> Object:
        """The status with the Jobs that run now, and the end of those that no longer do."""
        status = dict(cron.get("status") or {})
        before = {one["uid"]: one["name"] for one in status.get("active") or ()}
        running = []
        for one in jobs:
            name, known = one["metadata"]["name"], one["metadata"]["uid"] in before
            before.pop(one["metadata"]["uid"], None)
            ending = job.ending_of(one)
            if ending is None:
                if known:
                    running.append(one)
                else:  # someone's `kubectl create job --from`: it does not count as a run
                    message = f"Saw a job that the controller did not create or forgot: {name}"
                    self._tell(cron, "UnexpectedJob", message, is_warning=True)
                continue
            if known:
                message = f"Saw completed job: {name}, condition: {ending['type']}"
                self._tell(cron, "SawCompletedJob", message)
            if ending["type"] == "Complete":
                last = status.get("lastSuccessfulTime", "")
                status["lastSuccessfulTime"] = max(last, one["status"]["completionTime"])
        for name in before.values():
            self._tell(cron, "MissingJob", f"Active job went missing: {name}")
        status.pop("active", None)
        if running:
            status["active"] = [_reference(one) for one in running]
        return status

    def _find_due(self, cron: Object, schedule: schedules.Schedule) -> dt.datetime | None:
        """The instant whose Job is due now: the last one missed, unless it is too late for it."""
        spec, now, zone = cron["spec"], self._cluster.clock(), cron["spec"].get("timeZone")
        since, limit = _since(cron), spec.get("startingDeadlineSeconds")
        if limit is not None:
            since = max(since, now - dt.timedelta(seconds=limit))
        due = schedules.last_until(schedule, since, now, zone)
        if due is not None and schedules.has_missed_many(schedule, since, now, zone):
            message = (
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds "
                "or check clock skew"
            )
            self._tell(cron, "TooManyMissedTimes", message, is_warning=True)
        return due

    def _start_due(self, cron: Object, status: Object, due: dt.datetime) -> Object:
        policy = cron["spec"].get("concurrencyPolicy", "Allow")
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
        """The Job of one instant; None if it cannot be this CronJob's."""
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
                return self._made_before(cron, made)
            if pod_template.is_leaving(error):
                return None
            message = f"Error creating job: {error}"
            self._tell(cron, "FailedCreate", message, is_warning=True)
            raise
        self._tell(cron, "SuccessfulCreate", f"Created job {created['metadata']['name']}")
        return created

    def _made_before(self, cron: Object, made: Object) -> Object | None:
        """The Job of this instant, if it is this CronJob's and its status was not written."""
        found = self._cluster.registry.find(self._jobs, *loop.key_of(made))
        return found if found is not None and owners.is_controlled_by(found, cron) else None

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

    def _seconds_to_next(self, cron: Object, schedule: schedules.Schedule) -> float | None:
        now, zone = self._cluster.clock(), cron["spec"].get("timeZone")
        base = schedules.last_until(schedule, _since(cron), now, zone) or _since(cron)
        start = base if schedule.every_seconds else now
        at = schedules.next_after(schedule, start, zone)
        return None if at is None else max(0.0, (at - now).total_seconds())

    def _tell(self, cron: Object, reason: str, message: str, *, is_warning: bool = False) -> None:
        events = self._cluster.events
        tell = events.warning if is_warning else events.normal
        tell(cron, reason, message, component=COMPONENT)


def _since(cron: Object) -> dt.datetime:
    """From when on instants count: the last one that was met, or the CronJob's creation."""
    last = (cron.get("status") or {}).get("lastScheduleTime")
    return times.parse(last or cron["metadata"]["creationTimestamp"])


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

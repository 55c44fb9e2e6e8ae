"""The Job controller: runs pods until enough of them have succeeded.

Law: when a Job ends is completions.py's. A finished pod is counted once: its count and the removal
of its tracking finalizer happen in one reconcile.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.controllers import (
    completions,
    conditions,
    job_policies,
    job_view,
    loop,
    moments,
    owners,
    pod_template,
)
from azrunbook.sandbox.kube.controllers.access import Access
from azrunbook.sandbox.kube.controllers.job_view import View

Object = dict[str, Any]

COMPONENT = "job-controller"
MANAGED_BY = "kubernetes.io/job-controller"


class JobController:
    """Runs Jobs to their end and cleans up after their time to live."""

    name = "job"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._jobs = cluster.resource("batch", "jobs")
        self._pods = cluster.resource("", "pods")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._jobs, loop.own_key), loop.Watch(self._pods, _of_pod)]

    def reconcile(self, key: loop.Key) -> float | None:
        job = self._cluster.registry.find(self._jobs, *key)
        if job is None:
            self._release_orphans(key)
            return None
        if job["spec"].get("managedBy", MANAGED_BY) != MANAGED_BY:
            return None
        if ending_of(job) is not None:
            self._release(job, self._owned(job))
            return self._expire(job)
        return self._run(job)

    def _run(self, job: Object) -> float | None:
        now, text = self._cluster.clock(), self._cluster.now_text()
        stored, status = job, dict(job.get("status") or {})
        if not status.get("startTime") and not job["spec"].get("suspend"):
            status["startTime"] = text
        job = {**job, "status": self._with_suspension(job, status)}
        found = self._owned(job)
        view = job_view.View(job, found)
        job = view.job = {**job, "status": view.tallied()}
        ending = view.find_ending(at=now)
        again: float | None = None
        failure: errors.StatusError | None = None
        if ending is not None:
            self._stop(view.running(), job)
        elif "deletionTimestamp" not in job["metadata"]:
            try:
                again = self._scale(view)
            except errors.StatusError as error:
                failure = error
            ending = completions.REACHED if completions.is_reached(job, view.counts()) else None
        view.owned = self._owned(job)
        status = job["status"] = view.counted()
        if ending is not None:
            status = self._end(job, ending, view)
        status = {
            name: value
            for name, value in status.items()
            if value or name in ("ready", "terminating")
        }
        status["uncountedTerminatedPods"] = {}
        self._cluster.write_status(self._jobs, stored, status)
        self._release(job, found)
        if failure is not None:
            raise failure
        left = completions.seconds_to_deadline(job, at=now)
        return min((s for s in (again, left) if s is not None), default=None)

    def _owned(self, job: Object) -> list[Object]:
        listed = self._cluster.registry.list(self._pods, job["metadata"]["namespace"])
        return [pod for pod in listed if owners.is_controlled_by(pod, job)]

    def _stop(self, running: Iterable[Object], job: Object) -> None:
        for pod in running:
            pod_template.delete_pod(self._cluster, pod, job, component=COMPONENT)

    def _scale(self, view: View) -> float | None:
        """Create or delete pods; seconds to wait if a failure's back-off is not over."""
        counts, running = view.counts(), view.running()
        wanted = completions.wanted_active(view.job, counts)
        self._stop(running[wanted:], view.job)
        going = counts.terminating if job_policies.waits_for_phase(view.job) else 0
        missing = wanted - len(running) - going
        if missing <= 0:
            return None
        if view.is_indexed:
            return self._create_indexed(view, missing)
        wait = view.back_off_seconds(at=self._cluster.clock())
        if wait > 0:
            return wait
        for _ in range(missing):
            self._create(view, None)
        return None

    def _create_indexed(self, view: View, count: int) -> float | None:
        """The lowest indexes that neither run nor are done with, each after its own back-off."""
        now = self._cluster.clock()
        wait = 0.0 if view.has_own_limits else view.back_off_seconds(at=now)
        if wait > 0:
            return wait
        waits = {}
        for index in completions.missing_indexes(view.completions, view.taken(), view.completions):
            waits[index] = view.back_off_seconds(at=now, index=index) if view.has_own_limits else 0
        due = [index for index, seconds in waits.items() if seconds <= 0][:count]
        for index in due:
            self._create(view, index)
        later = [seconds for seconds in waits.values() if seconds > 0]
        return min(later) if later and len(due) < count else None

    def _create(self, view: View, index: int | None) -> None:
        failures = (
            view.failures.get(index, 0) if view.has_own_limits and index is not None else None
        )
        made = job_view.plan_job_pod(view.job, index, failures=failures)
        pod_template.create_pod(self._cluster, made, view.job, component=COMPONENT)

    def _end(self, job: Object, ending: completions.Ending, view: View) -> Object:
        """Announce the ending, and declare it once the last pod is gone."""
        text, status = self._cluster.now_text(), dict(job["status"])
        counts = view.counts()
        is_over = counts.active == counts.terminating == 0
        for kind in (ending.announced, ending.kind) if is_over else (ending.announced,):
            made = conditions.condition(
                kind,
                True,
                at=text,
                reason=ending.reason,
                message=ending.message,
                lastProbeTime=text,
            )
            if not conditions.is_true(status.get("conditions"), kind):
                status["conditions"] = conditions.replaced(status.get("conditions"), made)
        if not is_over:
            return status
        if ending.kind == "Complete":
            status["completionTime"] = text
            self._tell(job, "Completed", "Job completed")
        else:
            self._cluster.events.warning(job, ending.reason, ending.message, component=COMPONENT)
        return status

    def _with_suspension(self, job: Object, status: Object) -> Object:
        """Note in the conditions that the Job was suspended or resumed."""
        is_wanted = bool(job["spec"].get("suspend"))
        found = status.get("conditions") or []
        if is_wanted == conditions.is_true(found, "Suspended"):
            return status
        word = "suspended" if is_wanted else "resumed"
        text = self._cluster.now_text()
        made = conditions.condition(
            "Suspended",
            is_wanted,
            at=text,
            reason=f"Job{word.capitalize()}",
            message=f"Job {word}",
            lastProbeTime=text,
        )
        self._tell(job, word.capitalize(), f"Job {word}")
        changed = {**status, "conditions": conditions.replaced(found, made)}
        if is_wanted:
            changed.pop("startTime", None)
        return changed

    def _release(self, job: Object, owned: Iterable[Object]) -> None:
        """Let go of the pods that have been counted, or that nobody will count any more."""
        is_leaving = "deletionTimestamp" in job["metadata"] or ending_of(job) is not None
        for pod in owned:
            finalizers = pod["metadata"].get("finalizers") or ()
            if job_view.TRACKING in finalizers and (is_leaving or job_view.has_ended(pod, job)):
                left = [one for one in finalizers if one != job_view.TRACKING]
                self._cluster.patch(self._pods, pod, {"metadata": {"finalizers": left or None}})

    def _release_orphans(self, key: loop.Key) -> None:
        """The Job is gone: nothing is counted any more, so nothing is held back."""
        for pod in self._cluster.registry.list(self._pods, key[0]):
            owner = owners.find_controller(pod)
            finalizers = pod["metadata"].get("finalizers") or ()
            is_ours = owner is not None and (owner["kind"], owner["name"]) == ("Job", key[1])
            if is_ours and job_view.TRACKING in finalizers:
                left = [one for one in finalizers if one != job_view.TRACKING]
                self._cluster.patch(self._pods, pod, {"metadata": {"finalizers": left or None}})

    def _expire(self, job: Object) -> float | None:
        """Delete a finished Job when its time to live is over."""
        seconds, ending = job["spec"].get("ttlSecondsAfterFinished"), ending_of(job)
        if seconds is None or ending is None or "deletionTimestamp" in job["metadata"]:
            return None
        since = ending["lastTransitionTime"]
        left = moments.seconds_until(since, plus_seconds=seconds, at=self._cluster.clock())
        if left > 0:
            return left
        self._cluster.delete(self._jobs, job, {"propagationPolicy": "Foreground"})
        return None

    def _tell(self, job: Object, reason: str, message: str) -> None:
        self._cluster.events.normal(job, reason, message, component=COMPONENT)


def ending_of(job: Object) -> Object | None:
    """The condition by which the Job is finished, if it is."""
    found = job.get("status", {}).get("conditions")
    return next(
        (
            one
            for one in found or ()
            if one["type"] in ("Complete", "Failed") and one["status"] == "True"
        ),
        None,
    )


def _of_pod(change: loop.Change) -> Iterable[loop.Key]:
    owner = owners.find_controller(change.object)
    if owner is not None and owner["kind"] == "Job":
        yield (change.object["metadata"]["namespace"], owner["name"])

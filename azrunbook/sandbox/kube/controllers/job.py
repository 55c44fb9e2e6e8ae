"""The Job controller: runs pods until enough of them have succeeded.

Law: when a Job ends is completions.py's. A finished pod is counted once: its count and the removal
of its tracking finalizer happen in one reconcile.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import (
    completions,
    conditions,
    loop,
    moments,
    owners,
    pod_template,
    pods,
)
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "job-controller"
TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


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
        if ending_of(job) is not None:
            self._release(self._owned(job))
            return self._expire(job)
        return self._run(job)

    def _run(self, job: Object) -> float | None:
        now, text = self._cluster.clock(), self._cluster.now_text()
        status = dict(job.get("status") or {})
        is_suspended = bool(job["spec"].get("suspend"))
        if not status.get("startTime") and not is_suspended:
            status["startTime"] = text
        job = {**job, "status": self._with_suspension(job, status)}
        owned = self._owned(job)
        counts, status = self._count(job, owned)
        job = {**job, "status": status}
        ending = completions.find_ending(job, counts, at=now)
        again: float | None = None
        if ending is not None:
            status = self._end(job, ending, owned)
        elif "deletionTimestamp" not in job["metadata"]:
            again = self._scale(job, counts, owned)
            running = [p for p in self._owned(job) if pods.is_active(p)]
            status["active"] = len(running)
            status["ready"] = sum(pods.is_ready(pod) for pod in running)
        status = {name: value for name, value in status.items() if value or name == "ready"}
        status["uncountedTerminatedPods"] = {}
        stored = self._cluster.registry.get(self._jobs, *loop.key_of(job))
        self._cluster.write_status(self._jobs, stored, status)
        self._release(owned)
        left = completions.seconds_to_deadline(job, at=now)
        return min((s for s in (again, left) if s is not None), default=None)

    def _owned(self, job: Object) -> list[Object]:
        listed = self._cluster.registry.list(self._pods, job["metadata"]["namespace"])
        return [pod for pod in listed if owners.is_controlled_by(pod, job)]

    def _count(self, job: Object, owned: Iterable[Object]) -> tuple[completions.Counts, Object]:
        """Count pods that ended since the last time; the counts and the status with them."""
        status = dict(job["status"])
        indexes = completions.parse_indexes(status.get("completedIndexes", ""))
        active = 0
        for pod in owned:
            if pods.is_active(pod):
                active += 1
            elif TRACKING in (pod["metadata"].get("finalizers") or ()):
                outcome = "succeeded" if pods.phase(pod) == "Succeeded" else "failed"
                index = _index(pod)
                if not (outcome == "succeeded" and index in indexes):
                    status[outcome] = int(status.get(outcome) or 0) + 1
                if outcome == "succeeded" and index is not None:
                    indexes.add(index)
        if indexes:
            status["completedIndexes"] = completions.format_indexes(indexes)
        counts = completions.Counts(
            active, int(status.get("succeeded") or 0), int(status.get("failed") or 0)
        )
        return counts, status

    def _scale(
        self, job: Object, counts: completions.Counts, owned: Sequence[Object]
    ) -> float | None:
        """Create or delete pods; seconds to wait if a failure's back-off is not over."""
        wanted = completions.wanted_active(job, counts)
        running = [pod for pod in owned if pods.is_active(pod)]
        for pod in running[wanted:]:
            pod_template.delete_pod(self._cluster, pod, job, component=COMPONENT)
        missing = wanted - len(running)
        if missing <= 0:
            return None
        failed_at = max((_finished_at(p) for p in owned if pods.phase(p) == "Failed"), default=None)
        wait = completions.back_off_seconds(counts.failed, failed_at, at=self._cluster.clock())
        if wait > 0:
            return wait
        self._create(job, missing, running)
        return None

    def _create(self, job: Object, count: int, running: Iterable[Object]) -> None:
        indexes: list[int | None] = [None] * count
        if job["spec"].get("completionMode") == "Indexed":
            taken = completions.parse_indexes(job["status"].get("completedIndexes", ""))
            taken |= {index for pod in running if (index := _index(pod)) is not None}
            total = int(job["spec"].get("completions") or 0)
            indexes = [*completions.missing_indexes(total, taken, count)]
        for index in indexes:
            made = plan_job_pod(job, index)
            pod_template.create_pod(self._cluster, made, job, component=COMPONENT)

    def _end(self, job: Object, ending: completions.Ending, owned: Iterable[Object]) -> Object:
        for pod in owned:
            if pods.is_active(pod):
                pod_template.delete_pod(self._cluster, pod, job, component=COMPONENT)
        text = self._cluster.now_text()
        found = job["status"].get("conditions") or []
        announced = "SuccessCriteriaMet" if ending.kind == "Complete" else "FailureTarget"
        for kind in (announced, ending.kind):
            made = conditions.condition(
                kind,
                True,
                at=text,
                reason=ending.reason,
                message=ending.message,
                lastProbeTime=text,
            )
            found = conditions.replaced(found, made)
        status = {**job["status"], "conditions": found, "active": 0, "ready": 0}
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

    def _release(self, owned: Iterable[Object]) -> None:
        """Let go of the pods that have been counted."""
        for pod in owned:
            finalizers = pod["metadata"].get("finalizers") or ()
            if TRACKING in finalizers and not pods.is_active(pod):
                left = [one for one in finalizers if one != TRACKING]
                self._cluster.patch(self._pods, pod, {"metadata": {"finalizers": left or None}})

    def _release_orphans(self, key: loop.Key) -> None:
        """The Job is gone: nothing is counted any more, so nothing is held back."""
        for pod in self._cluster.registry.list(self._pods, key[0]):
            owner = owners.find_controller(pod)
            finalizers = pod["metadata"].get("finalizers") or ()
            is_ours = owner is not None and (owner["kind"], owner["name"]) == ("Job", key[1])
            if is_ours and TRACKING in finalizers:
                left = [one for one in finalizers if one != TRACKING]
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


def plan_job_pod(job: Object, index: int | None) -> Object:
    """A pod of the Job, labelled, held by the tracking finalizer, with its index if it has one."""
    made = pod_template.plan_pod(job["spec"]["template"], job)
    metadata = made["metadata"]
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    metadata["labels"] |= {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    metadata["finalizers"] = [*metadata.get("finalizers", ()), TRACKING]
    if index is None:
        return made
    metadata["annotations"] = {**metadata.get("annotations", {}), INDEX: str(index)}
    metadata["labels"][INDEX] = str(index)
    metadata["generateName"] = f"{name}-{index}-"
    variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    containers = [
        {**one, "env": [*(one.get("env") or ()), variable]} for one in made["spec"]["containers"]
    ]
    made["spec"] = {**made["spec"], "containers": containers, "hostname": f"{name}-{index}"}
    return made


def _index(pod: Object) -> int | None:
    text = (pod["metadata"].get("annotations") or {}).get(INDEX)
    return int(text) if text is not None else None


def _finished_at(pod: Object) -> str:
    """When the last container ended; else when the pod was made."""
    ends = [
        status["state"]["terminated"]["finishedAt"]
        for status in pod["status"].get("containerStatuses") or ()
        if (status.get("state") or {}).get("terminated", {}).get("finishedAt")
    ]
    return max(ends, default=str(pod["metadata"]["creationTimestamp"]))


def _of_pod(change: loop.Change) -> Iterable[loop.Key]:
    owner = owners.find_controller(change.object)
    if owner is not None and owner["kind"] == "Job":
        yield (change.object["metadata"]["namespace"], owner["name"])

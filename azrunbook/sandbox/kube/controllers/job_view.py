"""One Job and its pods as one reconcile sees them, and the pods that it makes.

Law: pure; the Job is not written here. A pod is counted while it carries the tracking finalizer,
which the controller takes off once the count is stored.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import completions, job_policies, pod_template, pods

Object = dict[str, Any]

TRACKING = "batch.kubernetes.io/job-tracking"
INDEX = job_policies.INDEX


def has_ended(pod: Object, job: Object) -> bool:
    """Whether the pod's end is known: it has one, or it counts as failed already."""
    return pods.is_done(pod) or job_policies.has_failed(pod, job)


class View:
    """One Job and its pods as one reconcile sees them."""

    def __init__(self, job: Object, owned: Sequence[Object]) -> None:
        self.job = job
        self.owned = owned
        spec = job["spec"]
        self.is_indexed = spec.get("completionMode") == "Indexed"
        self.has_own_limits = "backoffLimitPerIndex" in spec
        self.completions = int(spec.get("completions") or 0)
        self.failures = job_policies.failures_by_index(job, owned)

    def running(self) -> list[Object]:
        """The active pods; those not ready first to go stand last."""
        active = [pod for pod in self.owned if pods.is_active(pod)]
        return sorted(active, key=lambda pod: (not pods.node_name(pod), not pods.is_ready(pod)))

    def tallied(self) -> Object:
        """The status with the pods counted that ended since the last time."""
        status = dict(self.job["status"])
        succeeded = completions.parse_indexes(status.get("completedIndexes", ""))
        for pod in self.owned:
            is_held = TRACKING in (pod["metadata"].get("finalizers") or ())
            if not is_held or not has_ended(pod, self.job):
                continue
            index = job_policies.index_of(pod)
            if pods.phase(pod) == "Succeeded":
                if index is None or index not in succeeded:
                    status["succeeded"] = int(status.get("succeeded") or 0) + 1
                if index is not None:
                    succeeded.add(index)
            elif job_policies.judge(pod, self.job).is_counted:
                status["failed"] = int(status.get("failed") or 0) + 1
        if succeeded:
            status["completedIndexes"] = completions.format_indexes(succeeded)
        known = completions.parse_indexes(status.get("failedIndexes", ""))
        failed = job_policies.failed_indexes(self.job, self.owned, self.failures, known) - succeeded
        if failed:
            status["failedIndexes"] = completions.format_indexes(failed)
        return status

    def counted(self) -> Object:
        """The status with what the pods do at this moment."""
        counts, running = self.counts(), self.running()
        ready = sum(pods.is_ready(pod) for pod in running)
        now = {"active": counts.active, "ready": ready, "terminating": counts.terminating}
        return {**self.job["status"], **now}

    def counts(self) -> completions.Counts:
        status, running = self.job["status"], self.running()
        return completions.Counts(
            len(running),
            int(status.get("succeeded") or 0),
            int(status.get("failed") or 0),
            sum(pods.is_terminating(pod) and not pods.is_done(pod) for pod in self.owned),
            sum(_restarts(pod) for pod in running),
        )

    def indexes(self) -> completions.Indexes:
        status = self.job["status"]
        return completions.Indexes(
            frozenset(completions.parse_indexes(status.get("completedIndexes", ""))),
            frozenset(completions.parse_indexes(status.get("failedIndexes", ""))),
        )

    def taken(self) -> set[int]:
        """Indexes that need no new pod."""
        running = {
            index
            for pod in self.owned
            if (index := job_policies.index_of(pod)) is not None and not has_ended(pod, self.job)
        }
        indexes = self.indexes()
        return running | indexes.succeeded | indexes.failed

    def find_ending(self, *, at: dt.datetime) -> completions.Ending | None:
        """What has been announced, or what rules, limits and the success policy say now."""
        announced = completions.announced_ending(self.job)
        if announced is not None:
            return announced
        message = job_policies.find_failure_of_job(self.job, self.owned)
        if message is not None:
            return completions.Ending("Failed", "PodFailurePolicy", message)
        failure = completions.find_failure(self.job, self.counts(), self.indexes(), at=at)
        if failure is not None:
            return failure
        met = job_policies.find_success(self.job, set(self.indexes().succeeded))
        return None if met is None else completions.Ending("Complete", "SuccessPolicy", met)

    def back_off_seconds(self, *, at: dt.datetime, index: int | None = None) -> float:
        """Seconds until a failed pod may be replaced; of one index if it is named."""
        owned = [p for p in self.owned if index is None or job_policies.index_of(p) == index]
        success = max((_finished_at(p) for p in owned if pods.phase(p) == "Succeeded"), default="")
        ends = [_finished_at(p) for p in owned if pods.phase(p) == "Failed"]
        since = [end for end in ends if end > success]
        return completions.back_off_seconds(len(since), max(since, default=None), at=at)


def _restarts(pod: Object) -> int:
    status = pod["status"]
    fields = ("initContainerStatuses", "containerStatuses")
    return sum(int(c.get("restartCount") or 0) for f in fields for c in status.get(f) or ())


def plan_job_pod(job: Object, index: int | None, *, failures: int | None = None) -> Object:
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
    if failures is not None:
        metadata["annotations"][job_policies.FAILURES] = str(failures)
    metadata["labels"][INDEX] = str(index)
    metadata["generateName"] = f"{name}-{index}-"
    variable = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    spec = made["spec"]
    with_index = {
        field: [{**one, "env": [*(one.get("env") or ()), variable]} for one in spec[field]]
        for field in ("initContainers", "containers")
        if spec.get(field)
    }
    made["spec"] = {**spec, **with_index, "hostname": f"{name}-{index}"}
    return made


def _finished_at(pod: Object) -> str:
    """When the last container ended; else when the pod was made."""
    ends = [
        status["state"]["terminated"]["finishedAt"]
        for status in pod["status"].get("containerStatuses") or ()
        if (status.get("state") or {}).get("terminated", {}).get("finishedAt")
    ]
    return max(ends, default=str(pod["metadata"]["creationTimestamp"]))

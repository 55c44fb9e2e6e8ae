"""What one pod's end means for its Job: failed or not, counted or not, by which rule.

Law: pure. Source: documentation "Jobs" (pod failure policy, success policy, backoff limit per
index, pod replacement policy) and k8s.io/kubernetes pkg/controller/job.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import completions, pods

Object = dict[str, Any]

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"


@dataclass(frozen=True)
class Verdict:
    """Which action of a pod failure policy a failed pod meets; Count where no rule speaks."""

    action: str = "Count"
    message: str = ""

    @property
    def is_counted(self) -> bool:
        return self.action != "Ignore"


def index_of(pod: Object) -> int | None:
    """The completion index of a pod of an Indexed Job."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX)
    return int(text) if text is not None else None


def waits_for_phase(job: Object) -> bool:
    """Whether a pod that is being deleted is replaced only when it has ended."""
    spec = job["spec"]
    return "podFailurePolicy" in spec or spec.get("podReplacementPolicy") == "Failed"


def has_failed(pod: Object, job: Object) -> bool:
    """Whether the pod counts as failed: it has, or it is going and will not succeed."""
    if pods.phase(pod) == "Failed":
        return True
    if waits_for_phase(job):
        return False
    return pods.is_terminating(pod) and pods.phase(pod) != "Succeeded"


def judge(pod: Object, job: Object) -> Verdict:
    """The first rule of the pod failure policy that the failed pod matches."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    if pods.phase(pod) != "Failed":
        return Verdict()
    for number, rule in enumerate(rules):
        found = _match(pod, rule)
        if found:
            return Verdict(
                rule["action"], f"{found} matching {rule['action']} rule at index {number}"
            )
    return Verdict()


def _match(pod: Object, rule: Object) -> str | None:
    who = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    codes = rule.get("onExitCodes")
    if codes:
        for name, code in _exit_codes(pod, codes.get("containerName")):
            if (code in codes["values"]) is (codes["operator"] == "In"):
                return f"Container {name} for pod {who} failed with exit code {code}"
        return None
    present = {c["type"]: c["status"] for c in pod["status"].get("conditions") or ()}
    for wanted in rule.get("onPodConditions") or ():
        if present.get(wanted["type"]) == wanted.get("status", "True"):
            return f"Pod {who} has condition {wanted['type']}"
    return None


def _exit_codes(pod: Object, only: str | None) -> Iterable[tuple[str, int]]:
    """The exit codes that are not 0, by container, those of init containers last."""
    for field in ("containerStatuses", "initContainerStatuses"):
        for status in pod["status"].get(field) or ():
            ended = (status.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode") and only in (None, status["name"]):
                yield status["name"], int(ended["exitCode"])


def find_failure_of_job(job: Object, found: Iterable[Object]) -> str | None:
    """The message of the first pod that makes the whole Job fail."""
    if "podFailurePolicy" not in job["spec"]:
        return None
    for pod in found:
        if has_failed(pod, job):
            verdict = judge(pod, job)
            if verdict.action == "FailJob":
                return verdict.message
    return None


def failures_by_index(job: Object, found: Iterable[Object]) -> dict[int, int]:
    """How often each index has failed, read off the annotations of its failed pods."""
    counts: dict[int, int] = {}
    for pod in found:
        index = index_of(pod)
        if index is not None and has_failed(pod, job):
            before = int((pod["metadata"].get("annotations") or {}).get(FAILURES, 0))
            count = before + judge(pod, job).is_counted
            counts[index] = max(counts.get(index, 0), count)
    return counts


def failed_indexes(
    job: Object, found: Sequence[Object], counts: Mapping[int, int], known: Iterable[int]
) -> set[int]:
    """Indexes that are given up: over their limit, or by a FailIndex rule."""
    limit = job["spec"].get("backoffLimitPerIndex")
    if limit is None:
        return set()
    over = {index for index, count in counts.items() if count > limit}
    ruled = {
        index
        for pod in found
        if (index := index_of(pod)) is not None
        and has_failed(pod, job)
        and judge(pod, job).action == "FailIndex"
    }
    return set(known) | over | ruled


def find_success(job: Object, succeeded: set[int]) -> str | None:
    """The message of the first rule of the success policy that is met."""
    rules = (job["spec"].get("successPolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        wanted = succeeded
        least = rule.get("succeededCount")
        if "succeededIndexes" in rule:
            named = completions.parse_indexes(rule["succeededIndexes"])
            wanted = succeeded & named
            least = len(named) if least is None else least
        if least is not None and len(wanted) >= least:
            return f"Matched rules at index {number}"
    return None

"""Why a pod is about to go, said in the pod itself: the condition DisruptionTarget.

Law: writes that condition (and the phase of a pod that nobody runs any more), deletes nothing.
"""

from typing import Any

from azrunbook.sandbox.kube.controllers import conditions, pods
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


def mark(
    cluster: Access, pod: Object, *, reason: str, message: str, is_abandoned: bool = False
) -> None:
    """Write the condition; an abandoned pod that has not ended is Failed."""
    status = dict(pod.get("status") or {})
    if reason:
        made = conditions.condition(
            "DisruptionTarget",
            True,
            at=cluster.now_text(),
            reason=reason,
            message=message,
            lastProbeTime=None,
        )
        status["conditions"] = conditions.replaced(status.get("conditions"), made)
    if is_abandoned and not pods.is_done(pod):
        status["phase"] = "Failed"
    cluster.write_status(cluster.resource("", "pods"), pod, status)

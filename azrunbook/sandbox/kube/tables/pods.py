"""The row of a pod: readiness, status in one word, restarts."""

from typing import Any

from azrunbook.sandbox.kube.tables.cells import NONE, age, since

Object = dict[str, Any]


def _terminated(state: Object, prefix: str = "") -> str:
    if state.get("reason"):
        return prefix + str(state["reason"])
    if state.get("signal"):
        return f"{prefix}Signal:{state['signal']}"
    return f"{prefix}ExitCode:{state.get('exitCode', 0)}"


def _initializing(pod: Object) -> str | None:
    """The status while init containers run; None when they are done."""
    total = len(pod["spec"].get("initContainers") or [])
    restartable = {
        part["name"]
        for part in pod["spec"].get("initContainers") or []
        if part.get("restartPolicy") == "Always"
    }
    statuses = (pod.get("status") or {}).get("initContainerStatuses") or []
    for index, status in enumerate(statuses):
        state = status.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and terminated.get("exitCode") == 0:
            continue
        if status["name"] in restartable and status.get("started"):
            continue
        if terminated is not None:
            return _terminated(terminated, "Init:")
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return None


def _running(pod: Object, reason: str) -> str:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    has_running = False
    for status in reversed(statuses):
        state = status.get("state") or {}
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = _terminated(terminated)
        elif status.get("ready") and state.get("running") is not None:
            has_running = True
    if reason == "Completed" and has_running:
        conditions = (pod.get("status") or {}).get("conditions") or []
        is_ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return "Running" if is_ready else "NotReady"
    return reason


def status(pod: Object) -> str:
    """The STATUS column."""
    found = pod.get("status") or {}
    reason = found.get("reason") or found.get("phase") or "Unknown"
    for condition in found.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    reason = _initializing(pod) or _running(pod, reason)
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if found.get("reason") == "NodeLost" else "Terminating"
    return reason


def _restarts(pod: Object) -> str:
    found = pod.get("status") or {}
    statuses = found.get("containerStatuses") or []
    if _initializing(pod) is not None:
        statuses = found.get("initContainerStatuses") or []
    count = sum(part.get("restartCount", 0) for part in statuses)
    ends = [
        ((part.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
        for part in statuses
    ]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({since(last)} ago)" if count and last else str(count)


def _gates(pod: Object) -> str:
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or []]
    if not gates:
        return NONE
    conditions = (pod.get("status") or {}).get("conditions") or []
    met = {part["type"] for part in conditions if part["status"] == "True"}
    return f"{sum(gate in met for gate in gates)}/{len(gates)}"


def row(pod: Object) -> list[Any]:
    found = pod.get("status") or {}
    statuses = found.get("containerStatuses") or []
    ready = sum(
        1
        for part in statuses
        if part.get("ready") and (part.get("state") or {}).get("running") is not None
    )
    return [
        pod["metadata"]["name"],
        f"{ready}/{len(pod['spec'].get('containers') or [])}",
        status(pod),
        _restarts(pod),
        age(pod),
        found.get("podIP") or NONE,
        pod["spec"].get("nodeName") or NONE,
        found.get("nominatedNodeName") or NONE,
        _gates(pod),
    ]

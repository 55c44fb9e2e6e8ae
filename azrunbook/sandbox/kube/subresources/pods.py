"""Subresources of pods: eviction, which asks the disruption budgets, and binding to a node."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import deleting, errors, selectors, times
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
TOO_MANY = 429


def evict(registry: "Registry", namespace: str, name: str, body: Object, write: Write) -> Object:
    """Delete a pod if its disruption budget allows; raises StatusError 404, 429 or 500."""
    pods = registry.resources.get("", "pods")
    pod = registry.get(pods, namespace, name)
    said = (body.get("metadata") or {}).get("name", name)
    if said != name:
        raise errors.bad_request(f"name in URL does not match name in Eviction object: {said}")
    options = body.get("deleteOptions") or {}
    is_dry = write.dry_run or bool(options.get("dryRun"))
    if _needs_budget(pod):
        _take_from_budget(registry, pod, is_dry=is_dry)
    if not is_dry and not pod["metadata"].get("deletionTimestamp"):
        _mark_evicted(registry, pod)
    quiet = Write(manager=write.manager, user=write.user, dry_run=is_dry)
    deleting.delete(registry, pods, namespace, name, options=options, write=quiet)
    return {**SUCCESS, "code": 201}


def _mark_evicted(registry: "Registry", pod: Object) -> None:
    """Say in the pod why it is about to go, for its Job's failure policy and for people."""
    status = dict(pod.get("status") or {})
    others = [one for one in status.get("conditions") or [] if one["type"] != "DisruptionTarget"]
    made = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": times.stamp(),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    resource = registry.resources.get("", "pods")
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    changed = {**pod, "status": {**status, "conditions": [*others, made]}}
    registry.update(resource, namespace, name, changed, subresource="status")


def _needs_budget(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    is_ending = bool(pod["metadata"].get("deletionTimestamp"))
    return not is_ending and phase not in ("Succeeded", "Failed", "Pending")


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(part["type"] == "Ready" and part["status"] == "True" for part in conditions)


def _budgets(registry: "Registry", pod: Object) -> list[Object]:
    resource = registry.resources.get("policy", "poddisruptionbudgets")
    found = []
    labels = pod["metadata"].get("labels") or {}
    for budget in registry.list(resource, pod["metadata"]["namespace"]):
        wanted = selectors.from_label_selector(budget["spec"].get("selector"))
        if wanted is not None and selectors.match_labels(wanted, labels):
            found.append(budget)
    return found


def _take_from_budget(registry: "Registry", pod: Object, *, is_dry: bool) -> None:
    budgets = _budgets(registry, pod)
    if not budgets:
        return
    if len(budgets) > 1:
        raise errors.StatusError(
            500,
            "InternalError",
            "This pod has more than one PodDisruptionBudget, "
            "which the eviction subresource does not support.",
        )
    budget = budgets[0]
    status = dict(budget.get("status") or {})
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if not _is_ready(pod):
        policy = budget["spec"].get("unhealthyPodEvictionPolicy", "IfHealthyBudget")
        if policy == "AlwaysAllow" or (healthy >= wanted > 0):
            return
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _blocked(f"The disruption budget {name} is still being processed by the server.", 10)
    if status.get("disruptionsAllowed", 0) <= 0:
        raise _blocked(
            f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently"
        )
    if is_dry:
        return
    disrupted = {**(status.get("disruptedPods") or {}), pod["metadata"]["name"]: times.stamp()}
    changed = {
        **status,
        "disruptionsAllowed": status["disruptionsAllowed"] - 1,
        "disruptedPods": disrupted,
    }
    resource = registry.resources.get("policy", "poddisruptionbudgets")
    namespace = budget["metadata"]["namespace"]
    registry.update(resource, namespace, name, {**budget, "status": changed}, subresource="status")


def _blocked(why: str, retry_seconds: int = 0) -> errors.StatusError:
    cause = errors.Cause("DisruptionBudget", why)
    details: Object = {"causes": [cause.to_json()]}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return errors.StatusError(TOO_MANY, "TooManyRequests", message, details)


def bind(registry: "Registry", namespace: str, name: str, body: Object, write: Write) -> Object:
    """Assign a pod to a node; raises StatusError 404, 409 or 422."""
    pods = registry.resources.get("", "pods")
    pod = registry.get(pods, namespace, name)
    node = (body.get("target") or {}).get("name")
    if not node:
        cause = errors.Cause("FieldValueRequired", "Required value", "target.name")
        raise errors.invalid("Binding", "", name, [cause])
    if pod["spec"].get("nodeName"):
        why = f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"'
        raise errors.conflict("pods/binding", "", name, why)
    if pod["metadata"].get("deletionTimestamp"):
        why = f"pod {name} is being deleted, cannot be assigned to a host"
        raise errors.conflict("pods/binding", "", name, why)
    status = pod.get("status") or {}
    others = [part for part in status.get("conditions") or [] if part["type"] != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": times.stamp(),
    }
    changed = {
        **pod,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**status, "conditions": [*others, scheduled]},
    }
    registry.update(pods, namespace, name, changed, subresource="binding", manager=write.manager)
    return {**SUCCESS, "code": 201}

"""Admission of pods: service account, priority, tolerations."""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.validation.containers import quantity

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
TOLERATION_SECONDS = 300
TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
USUAL_ACCOUNT = "default"


def admit(registry: "Registry", obj: Object) -> None:
    """Fill in what the cluster knows of a new pod; raises StatusError 403."""
    _set_account(registry, obj)
    _set_priority(registry, obj)
    _tolerate(obj["spec"])


def finish(obj: Object) -> None:
    """What the API server says about a new pod itself: its quality of service."""
    obj["status"]["qosClass"] = quality(obj["spec"])


def _set_account(registry: "Registry", obj: Object) -> None:
    spec, metadata = obj["spec"], obj["metadata"]
    name = spec.get("serviceAccountName") or USUAL_ACCOUNT
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    key = (metadata["namespace"], name)
    account = registry.store.find("serviceaccounts", key)
    if account is None and name != USUAL_ACCOUNT:
        why = (
            f"error looking up service account {metadata['namespace']}/{name}: "
            f'serviceaccount "{name}" not found'
        )
        raise errors.forbidden("pods", "", metadata.get("name", ""), why)
    secrets = (account or {}).get("imagePullSecrets")
    if secrets and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = list(secrets)


def _set_priority(registry: "Registry", obj: Object) -> None:
    spec = obj["spec"]
    classes = registry.store.list_all("priorityclasses.scheduling.k8s.io")
    name = spec.get("priorityClassName")
    chosen = None
    if name:
        chosen = next((part for part in classes if part["metadata"]["name"] == name), None)
        if chosen is None:
            why = f"no PriorityClass with name {name} was found"
            raise errors.forbidden("pods", "", obj["metadata"].get("name", ""), why)
    else:
        chosen = next((part for part in classes if part.get("globalDefault")), None)
        if chosen is not None:
            spec["priorityClassName"] = chosen["metadata"]["name"]
    value = (chosen or {}).get("value", 0)
    if spec.get("priority", value) != value:
        why = "the integer value of priority must not be provided in pod spec"
        raise errors.forbidden("pods", "", obj["metadata"].get("name", ""), why)
    spec["priority"] = value
    spec.setdefault(
        "preemptionPolicy", (chosen or {}).get("preemptionPolicy", "PreemptLowerPriority")
    )


def _tolerate(spec: Object) -> None:
    found = list(spec.get("tolerations") or [])
    for key in TOLERATED:
        is_known = any(
            part.get("effect") in (None, "", "NoExecute")
            and (part.get("key") == key or (not part.get("key") and part["operator"] == "Exists"))
            for part in found
        )
        if not is_known:
            found.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": TOLERATION_SECONDS,
                }
            )
    spec["tolerations"] = found


def quality(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from the requests and limits of cpu and memory."""
    parts = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    is_empty, is_guaranteed = True, True
    for part in parts:
        resources = part.get("resources") or {}
        requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
        for name in ("cpu", "memory"):
            request, limit = quantity(requests.get(name, 0)), quantity(limits.get(name, 0))
            if request or limit:
                is_empty = False
            if not limit or (request and request != limit):
                is_guaranteed = False
    if is_empty:
        return "BestEffort"
    return "Guaranteed" if is_guaranteed else "Burstable"

"""Rows of the smaller groups: networking, policy, RBAC, storage, admission and the rest."""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube.tables.cells import NONE, age, human, path, selector, some
from azrunbook.sandbox.kube.tables.core import load_balancer

Object = dict[str, Any]
Cell = Callable[[Object], Any]


def at(dotted: str, default: Any = "") -> Cell:
    """A cell that is a field."""
    return lambda obj: path(obj, dotted, default)


def count(dotted: str) -> Cell:
    """A cell that is the length of a list."""
    return lambda obj: len(path(obj, dotted, []))


def row(*cells: Cell) -> Callable[[Object], list[Any]]:
    """A printer: the name, then the cells."""
    return lambda obj: [obj["metadata"]["name"], *(cell(obj) for cell in cells)]


def _hosts(obj: Object) -> str:
    rules = path(obj, "spec.rules", [])
    return some([rule["host"] for rule in rules if rule.get("host")], 3, "*")


def _class_parameters(obj: Object) -> str:
    found = path(obj, "spec.parameters")
    if not found:
        return NONE
    kind = ".".join(part for part in (found["kind"], found.get("apiGroup", "")) if part)
    return f"{kind}/{found['name']}"


def _parent(obj: Object) -> str:
    found = path(obj, "spec.parentRef", {})
    parts = [found.get("group"), found.get("resource"), found.get("namespace"), found.get("name")]
    kind = ".".join(part for part in reversed(parts[:2]) if part)
    return "/".join(part for part in (kind, *parts[2:]) if part)


def _subjects(kind: str) -> Cell:
    def cell(obj: Object) -> str:
        found = [part for part in obj.get("subjects") or [] if part["kind"] == kind]
        if kind == "ServiceAccount":
            return ", ".join(f"{part.get('namespace', '')}/{part['name']}" for part in found)
        return ", ".join(part["name"] for part in found)

    return cell


def _role(obj: Object) -> str:
    return f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}"


def _slice_ports(obj: Object) -> str:
    found = obj.get("ports")
    if not found:
        return "<unset>"
    return some([str(part.get("port", "*")) for part in found], 3)


def _slice_endpoints(obj: Object) -> str:
    found = [address for part in obj.get("endpoints") or [] for address in part["addresses"]]
    return some(found, 3, "<unset>")


def _condition(obj: Object) -> str:
    found = [part["type"] for part in path(obj, "status.conditions", [])]
    text = next((part for part in ("Denied", "Approved") if part in found), "Pending")
    if "Failed" in found:
        text += ",Failed"
    return text + ",Issued" if path(obj, "status.certificate") else text


def _requested(obj: Object) -> str:
    seconds = path(obj, "spec.expirationSeconds")
    return NONE if seconds is None else human(seconds)


def _default_class(obj: Object) -> str:
    key = "storageclass.kubernetes.io/is-default-class"
    is_default = (obj["metadata"].get("annotations") or {}).get(key) == "true"
    name = obj["metadata"]["name"]
    return f"{name} (default)" if is_default else str(name)


def _storage_class(obj: Object) -> list[Any]:
    return [
        _default_class(obj),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        bool(obj.get("allowVolumeExpansion")),
        age(obj),
    ]


def _parameter_kind(obj: Object) -> str:
    found = path(obj, "spec.paramKind")
    return f"{found['apiVersion']}/{found['kind']}" if found else "<unset>"


def _parameter_ref(obj: Object) -> str:
    found = path(obj, "spec.paramRef")
    if not found:
        return "<unset>"
    return f"{found['namespace']}/{found['name']}" if found.get("namespace") else str(found["name"])


def _api_service(obj: Object) -> str:
    found = path(obj, "spec.service")
    return f"{found['namespace']}/{found['name']}" if found else "Local"


def _available(obj: Object) -> str:
    for part in path(obj, "status.conditions", []):
        if part["type"] == "Available":
            reason = f" ({part.get('reason', '')})" if part["status"] != "True" else ""
            return str(part["status"]) + reason
    return "Unknown"


def _distinguisher(obj: Object) -> str:
    return str(path(obj, "spec.distinguisherMethod.type", NONE))


def _dangling(obj: Object) -> str:
    for part in path(obj, "status.conditions", []):
        if part["type"] == "Dangling":
            return str(part["status"])
    return "?"


_LIMITED = "spec.limited."
_QUEUING = "spec.limited.limitResponse.queuing."
_WEBHOOKS = row(count("webhooks"), age)
_BINDING = row(at("spec.policyName"), _parameter_ref, age)
_ROLE_BINDING = row(_role, age, _subjects("User"), _subjects("Group"), _subjects("ServiceAccount"))
_ADMISSION = "admissionregistration.k8s.io"

PRINTERS: dict[str, Callable[[Object], list[Any]]] = {
    "ingresses.networking.k8s.io": row(
        at("spec.ingressClassName", NONE),
        _hosts,
        load_balancer,
        lambda obj: "80, 443" if path(obj, "spec.tls") else "80",
        age,
    ),
    "ingressclasses.networking.k8s.io": row(at("spec.controller"), _class_parameters, age),
    "ipaddresses.networking.k8s.io": row(_parent),
    "networkpolicies.networking.k8s.io": row(
        lambda obj: selector(path(obj, "spec.podSelector", {})), age
    ),
    "servicecidrs.networking.k8s.io": row(lambda obj: ",".join(path(obj, "spec.cidrs", [])), age),
    "poddisruptionbudgets.policy": row(
        lambda obj: str(path(obj, "spec.minAvailable", "N/A")),
        lambda obj: str(path(obj, "spec.maxUnavailable", "N/A")),
        at("status.disruptionsAllowed", 0),
        age,
    ),
    "clusterrolebindings.rbac.authorization.k8s.io": _ROLE_BINDING,
    "rolebindings.rbac.authorization.k8s.io": _ROLE_BINDING,
    "endpointslices.discovery.k8s.io": row(at("addressType"), _slice_ports, _slice_endpoints, age),
    "certificatesigningrequests.certificates.k8s.io": row(
        age, at("spec.signerName", NONE), at("spec.username"), _requested, _condition
    ),
    "storageclasses.storage.k8s.io": _storage_class,
    "csidrivers.storage.k8s.io": row(
        at("spec.attachRequired", True),
        at("spec.podInfoOnMount", False),
        at("spec.storageCapacity", False),
        lambda obj: (
            ",".join(t["audience"] for t in path(obj, "spec.tokenRequests", [])) or "<unset>"
        ),
        at("spec.requiresRepublish", False),
        lambda obj: ",".join(path(obj, "spec.volumeLifecycleModes", [])) or NONE,
        age,
    ),
    "csinodes.storage.k8s.io": row(count("spec.drivers"), age),
    "volumeattachments.storage.k8s.io": row(
        at("spec.attacher"),
        at("spec.source.persistentVolumeName"),
        at("spec.nodeName"),
        at("status.attached", False),
        age,
    ),
    "volumeattributesclasses.storage.k8s.io": row(at("driverName"), age),
    f"mutatingadmissionpolicies.{_ADMISSION}": row(count("spec.mutations"), _parameter_kind, age),
    f"validatingadmissionpolicies.{_ADMISSION}": row(
        count("spec.validations"), _parameter_kind, age
    ),
    f"mutatingadmissionpolicybindings.{_ADMISSION}": _BINDING,
    f"validatingadmissionpolicybindings.{_ADMISSION}": _BINDING,
    f"mutatingwebhookconfigurations.{_ADMISSION}": _WEBHOOKS,
    f"validatingwebhookconfigurations.{_ADMISSION}": _WEBHOOKS,
    "priorityclasses.scheduling.k8s.io": row(
        at("value", 0), at("globalDefault", False), age, at("preemptionPolicy")
    ),
    "leases.coordination.k8s.io": row(at("spec.holderIdentity"), age),
    "runtimeclasses.node.k8s.io": row(at("handler"), age),
    "apiservices.apiregistration.k8s.io": row(_api_service, _available, age),
    "resourceclaims.resource.k8s.io": row(
        lambda obj: "allocated" if path(obj, "status.allocation") else "pending", age
    ),
    "resourceslices.resource.k8s.io": row(
        at("spec.nodeName", "<all>"), at("spec.driver"), at("spec.pool.name"), age
    ),
    "flowschemas.flowcontrol.apiserver.k8s.io": row(
        at("spec.priorityLevelConfiguration.name"),
        at("spec.matchingPrecedence", 0),
        _distinguisher,
        age,
        _dangling,
    ),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": row(
        at("spec.type"),
        at(_LIMITED + "nominalConcurrencyShares", NONE),
        at(_QUEUING + "queues", NONE),
        at(_QUEUING + "handSize", NONE),
        at(_QUEUING + "queueLengthLimit", NONE),
        age,
    ),
}

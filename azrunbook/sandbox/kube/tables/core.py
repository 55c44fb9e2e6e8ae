"""Rows of the core group: nodes, namespaces, services, volumes, configuration, events."""

from typing import Any

from azrunbook.sandbox.kube.tables.cells import (
    NONE,
    UNKNOWN,
    age,
    containers,
    labels,
    path,
    since,
    some,
)

Object = dict[str, Any]
ROLE = "node-role.kubernetes.io/"
ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def node(obj: Object) -> list[Any]:
    conditions = {part["type"]: part["status"] for part in path(obj, "status.conditions", [])}
    status = "Unknown"
    if "Ready" in conditions:
        status = "Ready" if conditions["Ready"] == "True" else "NotReady"
    if path(obj, "spec.unschedulable"):
        status += ",SchedulingDisabled"
    found = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(ROLE) for key in found if key.startswith(ROLE)} - {""}
    if found.get("kubernetes.io/role"):
        roles.add(found["kubernetes.io/role"])
    addresses: dict[str, str] = {}
    for part in path(obj, "status.addresses", []):
        addresses.setdefault(part["type"], part["address"])
    info = path(obj, "status.nodeInfo", {})
    return [
        obj["metadata"]["name"],
        status,
        ",".join(sorted(roles)) or NONE,
        age(obj),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def namespace(obj: Object) -> list[Any]:
    return [obj["metadata"]["name"], path(obj, "status.phase", ""), age(obj)]


def config_map(obj: Object) -> list[Any]:
    count = len(obj.get("data") or {}) + len(obj.get("binaryData") or {})
    return [obj["metadata"]["name"], count, age(obj)]


def secret(obj: Object) -> list[Any]:
    return [obj["metadata"]["name"], obj.get("type", ""), len(obj.get("data") or {}), age(obj)]


def load_balancer(obj: Object) -> str:
    """The addresses of a load balancer, sorted."""
    found = path(obj, "status.loadBalancer.ingress", [])
    return ",".join(sorted({part.get("ip") or part.get("hostname", "") for part in found}))


def _external(obj: Object) -> str:
    kind = path(obj, "spec.type", "ClusterIP")
    if kind == "ExternalName":
        return str(path(obj, "spec.externalName", ""))
    extra = path(obj, "spec.externalIPs", [])
    if kind != "LoadBalancer":
        return ",".join(extra) or NONE
    balancer = load_balancer(obj)
    return ",".join([*([balancer] if balancer else []), *extra]) or "<pending>"


def _port(port: Object) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def service(obj: Object) -> list[Any]:
    return [
        obj["metadata"]["name"],
        path(obj, "spec.type", ""),
        path(obj, "spec.clusterIP") or NONE,
        _external(obj),
        ",".join(_port(port) for port in path(obj, "spec.ports", [])) or NONE,
        age(obj),
        labels(path(obj, "spec.selector")),
    ]


def endpoints(obj: Object) -> list[Any]:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in obj.get("subsets") or []
        for port in subset.get("ports") or []
        for address in subset.get("addresses") or []
    ]
    return [obj["metadata"]["name"], some(found, 3), age(obj)]


def event(obj: Object) -> list[Any]:
    involved = obj.get("involvedObject") or obj.get("regarding") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp")
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
    series = obj.get("series") or {}
    moment = obj.get("eventTime")
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host")
    count = series.get("count") or obj.get("count") or obj.get("deprecatedCount") or 1
    return [
        since(series.get("lastObservedTime") or last or moment),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (obj.get("message") or obj.get("note") or "").strip(),
        since(first or moment),
        count,
        obj["metadata"]["name"],
    ]


def _modes(found: list[str]) -> str:
    return ",".join(ACCESS_MODES.get(mode, mode) for mode in found)


def volume_claim(obj: Object) -> list[Any]:
    phase = path(obj, "status.phase", "")
    if obj["metadata"].get("deletionTimestamp"):
        phase = "Terminating"
    is_bound = bool(path(obj, "spec.volumeName"))
    annotations = obj["metadata"].get("annotations") or {}
    return [
        obj["metadata"]["name"],
        phase,
        path(obj, "spec.volumeName", ""),
        path(obj, "status.capacity.storage", "") if is_bound else "",
        _modes(path(obj, "status.accessModes", [])) if is_bound else "",
        annotations.get("volume.beta.kubernetes.io/storage-class")
        or path(obj, "spec.storageClassName", ""),
        path(obj, "spec.volumeAttributesClassName", "<unset>"),
        age(obj),
        path(obj, "spec.volumeMode", "<unset>"),
    ]


def volume(obj: Object) -> list[Any]:
    claim = path(obj, "spec.claimRef", {})
    phase = path(obj, "status.phase", "")
    if obj["metadata"].get("deletionTimestamp"):
        phase = "Terminating"
    return [
        obj["metadata"]["name"],
        path(obj, "spec.capacity.storage", ""),
        _modes(path(obj, "spec.accessModes", [])),
        path(obj, "spec.persistentVolumeReclaimPolicy", ""),
        phase,
        f"{claim['namespace']}/{claim['name']}" if claim else "",
        path(obj, "spec.storageClassName", ""),
        path(obj, "spec.volumeAttributesClassName", "<unset>"),
        path(obj, "status.reason", ""),
        age(obj),
        path(obj, "spec.volumeMode", "<unset>"),
    ]


def quota(obj: Object) -> list[Any]:
    requests: list[str] = []
    limits: list[str] = []
    used = path(obj, "status.used", {})
    for name, hard in sorted(path(obj, "status.hard", {}).items()):
        text = f"{name}: {used.get(name, '0')}/{hard}"
        (limits if name.startswith("limits") else requests).append(text)
    return [obj["metadata"]["name"], ", ".join(requests), ", ".join(limits), age(obj)]


def pod_template(obj: Object) -> list[Any]:
    template = obj.get("template") or {}
    found = (template.get("metadata") or {}).get("labels")
    return [obj["metadata"]["name"], *containers(template), labels(found)]


PRINTERS = {
    "nodes": node,
    "namespaces": namespace,
    "configmaps": config_map,
    "secrets": secret,
    "services": service,
    "endpoints": endpoints,
    "events": event,
    "persistentvolumeclaims": volume_claim,
    "persistentvolumes": volume,
    "resourcequotas": quota,
    "podtemplates": pod_template,
}

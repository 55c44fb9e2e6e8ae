"""Validation of services, endpoints, ingresses and network policies."""

import ipaddress
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, metadata, names

Object = dict[str, Any]
SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
POLICIES = ("Cluster", "Local")
LONGEST_AFFINITY_SECONDS = 86400


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


NOT_AN_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NOT_A_BLOCK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def service(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    kind = spec.get("type")
    is_headless = spec.get("clusterIP") == "None"
    ports = spec.get("ports") or []
    found: list[Cause] = []
    if not ports and not is_headless and kind != "ExternalName":
        found.append(causes.required("spec.ports"))
    if kind == "LoadBalancer" and is_headless:
        why = "may not be set to 'None' for LoadBalancer services"
        found.append(causes.invalid("spec.clusterIPs[0]", "None", why))
    if kind == "ExternalName":
        found += _external_name(spec)
    found += _service_ports(ports)
    found += metadata.labels(spec.get("selector"), "spec.selector")
    found += _affinity(spec) + _addresses(spec)
    found += causes.one_of("spec.type", kind, SERVICE_TYPES)
    found += _node_ports(ports, kind) + _repeated_ports(ports) + _source_ranges(spec, kind)
    return found + _traffic_policies(spec, kind)


def _affinity(spec: Object) -> list[Cause]:
    kind = spec.get("sessionAffinity")
    found = causes.one_of("spec.sessionAffinity", kind, ("ClientIP", "None"))
    seconds = (spec.get("sessionAffinityConfig") or {}).get("clientIP", {}).get("timeoutSeconds")
    if kind == "ClientIP" and seconds is not None and not 0 < seconds <= LONGEST_AFFINITY_SECONDS:
        where = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        why = f"must be greater than 0 and less than {LONGEST_AFFINITY_SECONDS}"
        found.append(causes.invalid(where, seconds, why))
    return found


def _addresses(spec: Object) -> list[Cause]:
    address = spec.get("clusterIP", "")
    found: list[Cause] = []
    policies = ("SingleStack", "PreferDualStack", "RequireDualStack")
    policy = spec.get("ipFamilyPolicy")
    for index, family in enumerate(spec.get("ipFamilies") or []):
        if family not in ("IPv4", "IPv6"):
            where = f"spec.ipFamilies[{index}]"
            found.append(causes.unsupported(where, family, ("IPv4", "IPv6")))
    if policy is not None and policy not in policies:
        found.append(causes.invalid("spec.ipFamilyPolicy", policy, "not a valid IP family policy"))
    if address not in ("", "None") and not _is_address(address):
        found.append(causes.invalid("spec.clusterIPs[0]", address, NOT_AN_ADDRESS))
    for index, text in enumerate(spec.get("externalIPs") or []):
        if not _is_address(text):
            found.append(causes.invalid(f"spec.externalIPs[{index}]", text, NOT_AN_ADDRESS))
    return found


def _source_ranges(spec: Object, kind: Any) -> list[Cause]:
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and kind != "LoadBalancer":
        why = "may only be used when `type` is 'LoadBalancer'"
        return [causes.forbidden("spec.LoadBalancerSourceRanges", why)]
    found: list[Cause] = []
    for index, text in enumerate(ranges):
        try:
            ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            where = f"spec.loadBalancerSourceRanges[{index}]"
            found.append(causes.invalid(where, text, NOT_A_BLOCK))
    return found


def _traffic_policies(spec: Object, kind: Any) -> list[Cause]:
    policy, inner = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    is_external = kind in ("NodePort", "LoadBalancer")
    found: list[Cause] = []
    if is_external or (kind == "ClusterIP" and spec.get("externalIPs")):
        found += causes.one_of("spec.externalTrafficPolicy", policy, POLICIES)
    elif policy:
        why = "may only be set for externally-accessible services"
        found.append(causes.invalid("spec.externalTrafficPolicy", policy, why))
    if inner is not None and inner not in POLICIES:
        found.append(causes.unsupported("spec.internalTrafficPolicy", inner, POLICIES))
    return found


def _external_name(spec: Object) -> list[Cause]:
    name = str(spec.get("externalName", "")).rstrip(".")
    found: list[Cause] = []
    if spec.get("clusterIP"):
        why = "may not be set for ExternalName services"
        found.append(causes.forbidden("spec.clusterIPs", why))
    if not name:
        found.append(causes.required("spec.externalName"))
    else:
        found += [causes.invalid("spec.externalName", name, w) for w in names.subdomain(name)]
    return found


def _service_ports(ports: list[Object]) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        where = f"spec.ports[{index}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            found.append(causes.required(f"{where}.name"))
        elif name:
            found += [causes.invalid(f"{where}.name", name, why) for why in names.label(name)]
            if name in seen:
                found.append(causes.duplicate(f"{where}.name", name))
            seen.add(name)
        found += containers.port_number(f"{where}.port", port.get("port", 0))
        value = port.get("protocol")
        found += causes.one_of(f"{where}.protocol", value, containers.PROTOCOLS)
        found += containers.port_or_name(f"{where}.targetPort", port.get("targetPort"))
    return found


def _node_ports(ports: list[Object], kind: Any) -> list[Cause]:
    found: list[Cause] = []
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        where, number = f"spec.ports[{index}].nodePort", port.get("nodePort")
        if not number:
            continue
        if kind == "ClusterIP":
            why = "may not be used when `type` is 'ClusterIP'"
            found.append(causes.forbidden(where, why))
        if (number, port.get("protocol")) in seen:
            found.append(causes.duplicate(where, number))
        seen.add((number, port.get("protocol")))
    return found


def _repeated_ports(ports: list[Object]) -> list[Cause]:
    """A port that is there already, as the internal type with nothing but its key is written."""
    found: list[Cause] = []
    seen: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            shown = {"Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1]}
            shown |= {"TargetPort": 0, "NodePort": 0}
            found.append(causes.duplicate(f"spec.ports[{index}]", shown))
        seen.add(key)
    return found


def service_kept(obj: Object, old: Object) -> list[Cause]:
    """The address of a service stays while it has one."""
    spec, before = obj["spec"], old["spec"]
    if "ExternalName" in (spec.get("type"), before.get("type")):
        return []
    address, earlier = spec.get("clusterIP"), before.get("clusterIP")
    if earlier and address != earlier:
        shown = spec.get("clusterIPs") or [address]
        return [causes.invalid("spec.clusterIPs[0]", shown, "may not change once set")]
    return []


def ingress(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found: list[Cause] = []
    name = spec.get("ingressClassName")
    rules = spec.get("rules") or []
    if not rules and not spec.get("defaultBackend"):
        why = "either `defaultBackend` or `rules` must be specified"
        found.append(causes.invalid("spec", None, why))
    if spec.get("defaultBackend") is not None:
        found += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(rules):
        found += _rule(rule, f"spec.rules[{index}]")
    for index, part in enumerate(spec.get("tls") or []):
        for number, host in enumerate(part.get("hosts") or []):
            found += _host(host, f"spec.tls[{index}].hosts[{number}]")
    if name is not None:
        found += [causes.invalid("spec.ingressClassName", name, w) for w in names.subdomain(name)]
    return found


def _host(host: str, where: str) -> list[Cause]:
    problems = names.wildcard(host) if "*" in host else names.subdomain(host)
    return [causes.invalid(where, host, why) for why in problems]


def _rule(rule: Object, where: str) -> list[Cause]:
    found: list[Cause] = []
    host = rule.get("host", "")
    if host:
        if _is_address(host):
            why = "must be a DNS name, not an IP address"
            found.append(causes.invalid(f"{where}.host", host, why))
        found += _host(host, f"{where}.host")
    if "http" not in rule:
        return found
    paths = rule["http"].get("paths") or []
    if not paths:
        found.append(causes.required(f"{where}.http.paths"))
    for index, part in enumerate(paths):
        found += _path(part, f"{where}.http.paths[{index}]")
    return found


def _path(part: Object, where: str) -> list[Cause]:
    kind, path = part.get("pathType"), part.get("path", "")
    found: list[Cause] = []
    if kind is None:
        return [causes.required(f"{where}.pathType", "pathType must be specified")]
    if kind not in PATH_TYPES:
        found.append(causes.unsupported(f"{where}.pathType", kind, PATH_TYPES))
    elif kind != "ImplementationSpecific" or path:
        if not path.startswith("/"):
            found.append(causes.invalid(f"{where}.path", path, "must be an absolute path"))
        elif kind != "ImplementationSpecific":
            for bad in ("//", "/./", "/../", "%2f", "%2F"):
                if bad in path:
                    why = f"must not contain '{bad}'"
                    found.append(causes.invalid(f"{where}.path", path, why))
    return found + _backend(part.get("backend") or {}, f"{where}.backend")


def _backend(backend: Object, where: str) -> list[Cause]:
    service_part, resource = backend.get("service"), backend.get("resource")
    if service_part is None and resource is None:
        return [causes.required(where, "resource or service backend is required")]
    if service_part is not None and resource is not None:
        why = "cannot set both resource and service backends"
        return [causes.invalid(where, "", why)]
    if service_part is None:
        return []
    found: list[Cause] = []
    name = service_part.get("name", "")
    if not name:
        found.append(causes.required(f"{where}.service.name"))
    else:
        problems = names.label_1035(name)
        found += [causes.invalid(f"{where}.service.name", name, why) for why in problems]
    port = service_part.get("port") or {}
    if port.get("name") and port.get("number"):
        why = "cannot set both port name & port number"
        found.append(causes.invalid(where, "", why))
    elif port.get("name"):
        problems = names.port_name(port["name"])
        where_name = f"{where}.service.port.name"
        found += [causes.invalid(where_name, port["name"], why) for why in problems]
    elif port.get("number"):
        found += containers.port_number(f"{where}.service.port.number", port["number"])
    else:
        found.append(causes.required(where, "port name or number is required"))
    return found


def ingress_class(obj: Object) -> list[Cause]:
    controller = (obj.get("spec") or {}).get("controller", "")
    if not controller:
        return [causes.required("spec.controller")]
    problems = (
        [] if "/" in controller else ['must be a domain-prefixed path (such as "acme.io/foo")']
    )
    return [causes.invalid("spec.controller", controller, why) for why in problems]


def ingress_class_kept(obj: Object, old: Object) -> list[Cause]:
    value, before = obj["spec"].get("controller"), old["spec"].get("controller")
    return causes.unchanged("spec.controller", value, before)


def endpoint_slice(obj: Object) -> list[Cause]:
    kinds = ("FQDN", "IPv4", "IPv6")
    found = causes.one_of("addressType", obj.get("addressType"), kinds)
    for index, part in enumerate(obj.get("endpoints") or []):
        if not part.get("addresses"):
            where = f"endpoints[{index}].addresses"
            found.append(causes.required(where, "must contain at least 1 address"))
    return found


def endpoint_slice_kept(obj: Object, old: Object) -> list[Cause]:
    return causes.unchanged("addressType", obj.get("addressType"), old.get("addressType"))


CREATE = {
    "services": service,
    "ingresses.networking.k8s.io": ingress,
    "ingressclasses.networking.k8s.io": ingress_class,
    "endpointslices.discovery.k8s.io": endpoint_slice,
}
UPDATE = {
    "services": service_kept,
    "ingressclasses.networking.k8s.io": ingress_class_kept,
    "endpointslices.discovery.k8s.io": endpoint_slice_kept,
}

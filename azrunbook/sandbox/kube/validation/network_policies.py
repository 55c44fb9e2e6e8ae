"""Validation of network policies: ports, peers and blocks of addresses."""

import ipaddress
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, containers, names, selectors

Object = dict[str, Any]
PROTOCOLS = ("TCP", "UDP", "SCTP")
TYPES = ("Ingress", "Egress")
NOT_A_BLOCK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def network_policy(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    found = selectors.label_selector(spec.get("podSelector"), "spec.podSelector")
    for key, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(key) or []):
            where = f"spec.{key}[{index}]"
            for number, port in enumerate(rule.get("ports") or []):
                found += _port(port, f"{where}.ports[{number}]")
            for number, peer in enumerate(rule.get(peers) or []):
                found += _peer(peer, f"{where}.{peers}[{number}]")
    kinds = spec.get("policyTypes") or []
    if len(kinds) > len(TYPES):
        why = "may not specify more than two policyTypes"
        return [*found, causes.invalid("spec.policyTypes", kinds, why)]
    return found + [
        causes.unsupported(f"spec.policyTypes[{index}]", kind, TYPES)
        for index, kind in enumerate(kinds)
        if kind not in TYPES
    ]


def _port(part: Object, where: str) -> list[Cause]:
    protocol, port, last = part.get("protocol"), part.get("port"), part.get("endPort")
    found: list[Cause] = []
    if protocol is not None and protocol not in PROTOCOLS:
        found.append(causes.unsupported(f"{where}.protocol", protocol, PROTOCOLS))
    if port is None:
        if last is not None:
            why = "may not be specified when `port` is not specified"
            found.append(causes.invalid(f"{where}.endPort", last, why))
    elif isinstance(port, str):
        if last is not None:
            why = "may not be specified when `port` is non-numeric"
            found.append(causes.invalid(f"{where}.endPort", last, why))
        found += [causes.invalid(f"{where}.port", port, why) for why in names.port_name(port)]
    else:
        found += containers.port_number(f"{where}.port", port)
        if last is not None:
            if last < port:
                why = "must be greater than or equal to `port`"
                found.append(causes.invalid(f"{where}.endPort", port, why))
            found += containers.port_number(f"{where}.endPort", last)
    return found


def _peer(peer: Object, where: str) -> list[Cause]:
    given = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if key in peer]
    found: list[Cause] = []
    for key in given:
        if key == "ipBlock":
            found += _block(peer[key], f"{where}.ipBlock")
        else:
            found += selectors.label_selector(peer[key], f"{where}.{key}")
    if not given:
        found.append(causes.required(where, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        why = "may not specify both ipBlock and another peer"
        found.append(causes.forbidden(where, why))
    return found


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _block(block: Object, where: str) -> list[Cause]:
    text = block.get("cidr", "")
    if not text:
        return [causes.required(f"{where}.cidr")]
    whole = _network(text)
    if whole is None:
        return [causes.invalid(f"{where}.cidr", text, NOT_A_BLOCK)]
    found: list[Cause] = []
    for index, part in enumerate(block.get("except") or []):
        place, inner = f"{where}.except[{index}]", _network(part)
        if inner is None:
            return [*found, causes.invalid(place, part, NOT_A_BLOCK)]
        is_inside = inner.version == whole.version and inner.network_address in whole
        if not is_inside or whole.prefixlen >= inner.prefixlen:
            why = "must be a strict subset of `cidr`"
            found.append(causes.invalid(place, part, why))
    return found


CREATE = {"networkpolicies.networking.k8s.io": network_policy}

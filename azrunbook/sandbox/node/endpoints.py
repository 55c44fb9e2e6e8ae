"""Which addresses the service proxy listens on, and where they lead. Pure.

Only READY endpoints count: one that is not ready, or is terminating, gets no new connection.
"""

from collections.abc import Iterable
from typing import NamedTuple

from azrunbook.sandbox.node import config

_SERVICE_LABEL = "kubernetes.io/service-name"


class Address(NamedTuple):
    """An address and a port."""

    ip: str
    port: int


def plan_listeners(
    services: Iterable[config.Object], slices: Iterable[config.Object]
) -> dict[Address, tuple[Address, ...]]:
    """Return the backends of each address of each TCP service; without backends, no entry."""
    by_service: dict[tuple[str, str], list[config.Object]] = {}
    for each in slices:
        meta = each["metadata"]
        name = (meta.get("labels") or {}).get(_SERVICE_LABEL)
        if name and each.get("addressType") == "IPv4":
            by_service.setdefault((meta["namespace"], name), []).append(each)
    plan = {}
    for service in services:
        meta, spec = service["metadata"], service["spec"]
        own = by_service.get((meta["namespace"], meta["name"]), [])
        for port in spec.get("ports") or ():
            if port.get("protocol", "TCP") == "TCP":
                backends = list_backends(own, port.get("name") or "")
                if backends:
                    for ip in list_ips(service):
                        plan[Address(ip, port["port"])] = backends
    return plan


def list_ips(service: config.Object) -> list[str]:
    """Return the cluster address and the load balancer's addresses of a service."""
    cluster_ip = service["spec"].get("clusterIP")
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    outside = [entry["ip"] for entry in ingress if entry.get("ip")]
    return [*([cluster_ip] if cluster_ip and cluster_ip != "None" else []), *outside]


def list_backends(slices: Iterable[config.Object], port_name: str) -> tuple[Address, ...]:
    """Return the ready endpoints of a service's port, in a stable order."""
    found = {
        Address(ip, port["port"])
        for each in slices
        for port in each.get("ports") or ()
        if (port.get("name") or "") == port_name and port.get("port")
        for endpoint in each.get("endpoints") or ()
        if is_ready(endpoint)
        for ip in endpoint["addresses"]
    }
    return tuple(sorted(found))


def is_ready(endpoint: config.Object) -> bool:
    """Tell whether an endpoint takes new connections; unknown counts as ready, as the API says."""
    conditions = endpoint.get("conditions") or {}
    return conditions.get("ready") is not False and not conditions.get("terminating")

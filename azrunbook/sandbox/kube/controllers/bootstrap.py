"""What a cluster holds before anybody has asked for anything.

Law: ensures, never overwrites: a cluster that is started again keeps what it has.
"""

import ipaddress
from typing import Any

from azrunbook.sandbox.kube import resources
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PRIORITY_CLASSES = (
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, "
        "but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
)


def ensure_system_objects(
    cluster: Access, *, service_addresses: ipaddress.IPv4Network, address: str, port: int
) -> None:
    """Namespaces, priority classes, and the Service `kubernetes` with its endpoints."""
    for name in NAMESPACES:
        _ensure(cluster, cluster.resource("", "namespaces"), {"metadata": {"name": name}})
    for name, value, description in PRIORITY_CLASSES:
        made = {"metadata": {"name": name}, "value": value, "description": description}
        _ensure(cluster, cluster.resource("scheduling.k8s.io", "priorityclasses"), made)
    cluster_ip = str(service_addresses.network_address + 1)
    service = _api_service(cluster_ip, port)
    _ensure(cluster, cluster.resource("", "services"), service)
    _ensure(cluster, cluster.resource("", "endpoints"), _api_endpoints(address, port))
    slices = cluster.resource("discovery.k8s.io", "endpointslices")
    _ensure(cluster, slices, _api_slice(address, port))


def _ensure(cluster: Access, resource: resources.Resource, obj: Object) -> None:
    metadata = obj["metadata"]
    if cluster.registry.find(resource, metadata.get("namespace"), metadata["name"]) is None:
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        cluster.create(resource, {**kind, **obj})


def _api_service(cluster_ip: str, port: int) -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }


def _api_endpoints(address: str, port: int) -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": address}],
                "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            }
        ],
    }


def _api_slice(address: str, port: int) -> Object:
    return {
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }

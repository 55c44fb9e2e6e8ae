"""The API server as a Service of its own cluster: `kubernetes` in namespace default.

Law: ensures, never overwrites: a cluster that is started again keeps what it has.
"""

import ipaddress
from typing import Any

from azrunbook.sandbox.kube import resources
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


def ensure_api_service(
    cluster: Access, *, service_addresses: ipaddress.IPv4Network, address: str, port: int
) -> None:
    """The Service `kubernetes` at the first service address, with endpoints written by hand."""
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

"""The service controller: a load balancer's address for each Service that asks for one.

Law: hands out addresses of one network and nothing else; who listens on them is the proxy's
business. ClusterIP and node ports are given at creation, by the API server. What a cloud puts
before a load balancer is the cloud's, which is told of each one (:class:`Cloud`).
Source: k8s.io/cloud-provider controllers/service.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any, Protocol

from azrunbook.sandbox.kube.controllers import loop
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "service-controller"
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
ADDRESS_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-ipv4"
RETRY_SECONDS = 5.0


class Cloud(Protocol):
    """What the cloud does about a cluster's load balancers; it may be told anything again."""

    def keep(self, service: Object, address: str) -> None:
        """The Service has a load balancer at this address.

        Raises:
            ValueError: the cloud cannot do what the Service's annotations ask for.
        """

    def forget(self, namespace: str, name: str) -> None:
        """The Service has no load balancer any more."""


def wants_balancer(service: Object) -> bool:
    is_ours = not service["spec"].get("loadBalancerClass")
    return service["spec"].get("type") == "LoadBalancer" and is_ours


def balancer_address(service: Object) -> str:
    """The address that the Service has, or an empty string."""
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or [{}]
    return str(ingress[0].get("ip", ""))


def plan_address(
    service: Object, others: Sequence[Object], network: ipaddress.IPv4Network
) -> str | None:
    """The address asked for if it is free, else the first free one; None if there is none."""
    taken = {balancer_address(other) for other in others}
    annotations = service["metadata"].get("annotations") or {}
    asked = annotations.get(ADDRESS_ANNOTATION) or service["spec"].get("loadBalancerIP")
    hosts = (str(host) for host in network.hosts())
    if asked:
        return asked if asked in hosts and asked not in taken else None
    return next((host for host in hosts if host not in taken), None)


class ServiceController:
    """Ensures and deletes load balancers."""

    name = "service"

    def __init__(
        self, cluster: Access, addresses: ipaddress.IPv4Network, cloud: Cloud | None = None
    ) -> None:
        self._cluster = cluster
        self._addresses = addresses
        self._cloud = cloud
        self._services = cluster.resource("", "services")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._services, loop.own_key)]

    def reconcile(self, key: loop.Key) -> float | None:
        service = self._cluster.registry.find(self._services, *key)
        if service is None:
            return None
        if "deletionTimestamp" in service["metadata"] or not wants_balancer(service):
            self._delete_balancer(service)
            return None
        return self._ensure_balancer(service)

    def _ensure_balancer(self, service: Object) -> float | None:
        finalizers = service["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            body = {"metadata": {"finalizers": [*finalizers, FINALIZER]}}
            service = self._cluster.patch(self._services, service, body)
        if known := balancer_address(service):
            return self._tell_cloud(service, known)
        self._tell(service, "EnsuringLoadBalancer", "Ensuring load balancer")
        uid = service["metadata"]["uid"]
        listed = self._cluster.registry.list(self._services)
        others = [other for other in listed if other["metadata"]["uid"] != uid]
        address = plan_address(service, others, self._addresses)
        if address is None:
            name = service["metadata"]["name"]
            return self._fail(service, f"no free address for {name} in {self._addresses}")
        if delay := self._tell_cloud(service, address):
            return delay
        ingress = [{"ip": address, "ipMode": "VIP"}]
        status = {**(service.get("status") or {}), "loadBalancer": {"ingress": ingress}}
        self._cluster.write_status(self._services, service, status)
        self._tell(service, "EnsuredLoadBalancer", "Ensured load balancer")
        return None

    def _tell_cloud(self, service: Object, address: str) -> float | None:
        if self._cloud is None:
            return None
        try:
            self._cloud.keep(service, address)
        except ValueError as error:
            return self._fail(service, str(error))
        return None

    def _fail(self, service: Object, why: str) -> float:
        message = f"Error syncing load balancer: failed to ensure load balancer: {why}"
        self._cluster.events.warning(
            service, "SyncLoadBalancerFailed", message, component=COMPONENT
        )
        return RETRY_SECONDS

    def _delete_balancer(self, service: Object) -> None:
        finalizers = service["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        if self._cloud is not None:
            self._cloud.forget(service["metadata"]["namespace"], service["metadata"]["name"])
        self._tell(service, "DeletingLoadBalancer", "Deleting load balancer")
        if "deletionTimestamp" not in service["metadata"]:
            status = {**(service.get("status") or {}), "loadBalancer": {}}
            self._cluster.write_status(self._services, service, status)
        self._tell(service, "DeletedLoadBalancer", "Deleted load balancer")
        left = [one for one in finalizers if one != FINALIZER]
        self._cluster.patch(self._services, service, {"metadata": {"finalizers": left or None}})

    def _tell(self, service: Object, reason: str, message: str) -> None:
        self._cluster.events.normal(service, reason, message, component=COMPONENT)

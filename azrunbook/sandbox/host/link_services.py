"""Private link services as AKS's cloud provider makes them: from annotations to ARM's documents.

The cloud of the clusters' service controllers: a Service of type LoadBalancer that is internal and
carries ``azure-pls-create`` gets a private link service, by ``azure-pls-name``, in the cluster's
node resource group. It goes with the load balancer, and the connections to it with it. The load
balancer itself is no document here.
Source: cloud-provider-azure, "Azure Private Link Service Integration".
"""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.arm import paths, store as arm_store
from azrunbook.sandbox.arm.providers import private_links

Object = dict[str, Any]
Front = tuple[str, tuple[str, str], str]

_PREFIX = "service.beta.kubernetes.io/azure-"
_INTERNAL = f"{_PREFIX}load-balancer-internal"
_CREATE, _NAME = f"{_PREFIX}pls-create", f"{_PREFIX}pls-name"
_SUBNET = f"{_PREFIX}pls-ip-configuration-subnet"
_POOL = "Microsoft.ContainerService/managedClusters/agentPools"


def is_internal(service: Object) -> bool:
    """Whether a load balancer has an address of the network only."""
    return _read(service, _INTERNAL) == "true"


class LinkServices:
    """Every private link service of the sandbox, and the load balancer behind it."""

    def __init__(self) -> None:
        self._store: arm_store.Store | None = None
        # By the id of the service in lower case: cluster, Service, and its balancer's address.
        self._fronts: dict[str, Front] = {}

    def follow(self, store: arm_store.Store) -> None:
        """Keep the documents there."""
        self._store = store

    def serve(self, cluster_id: str) -> "ClusterCloud":
        """Return what a cluster's service controller tells of its load balancers."""
        return ClusterCloud(self, cluster_id)

    def find_front(self, link_id: str) -> tuple[str, str] | None:
        """Return the cluster and the balancer's address behind a link service."""
        found = self._fronts.get(link_id.lower())
        return (found[0], found[2]) if found else None

    def keep(self, cluster_id: str, service: Object, address: str) -> None:
        """See that there is the link service that a Service's annotations ask for, and no other.

        Raises:
            ValueError: it would stand before a public load balancer.
        """
        metadata = service["metadata"]
        owner = (metadata["namespace"], metadata["name"])
        wanted = None
        if _read(service, _CREATE) == "true":
            if not is_internal(service):
                msg = f"a private link service needs an internal load balancer: set {_INTERNAL}"
                raise ValueError(msg)
            wanted = self._write(paths.parse(cluster_id), service)
        self._drop(lambda front: front[:2] == (cluster_id.lower(), owner), but=wanted)
        if wanted:
            self._fronts[wanted.key] = (cluster_id.lower(), owner, address)

    def forget(self, cluster_id: str, owner: tuple[str, str]) -> None:
        """Take away what stood before a Service's load balancer."""
        self._drop(lambda front: front[:2] == (cluster_id.lower(), owner))

    def forget_cluster(self, cluster_id: str) -> None:
        """Take away all of a cluster, as its node resource group goes with it."""
        self._drop(lambda front: front[0] == cluster_id.lower())

    def _drop(self, is_meant: Callable[[Front], bool], but: paths.ResourceId | None = None) -> None:
        for link_id, front in list(self._fronts.items()):
            if is_meant(front) and (but is None or but.key != link_id):
                del self._fronts[link_id]
                if self._store is not None:
                    self._store.delete(paths.parse(link_id))

    def _write(self, cluster: paths.ResourceId, service: Object) -> paths.ResourceId | None:
        document = self._store.find(cluster) if self._store else None
        if self._store is None or document is None:
            return None
        metadata = service["metadata"]
        frontend = f"a{metadata['uid'].replace('-', '')}"
        pools = self._store.list_by_type(_POOL, below=cluster)
        nodes = next((str(one["properties"].get("vnetSubnetID") or "") for one in pools), "")
        name = _read(service, _SUBNET)
        link = paths.parse(
            f"/subscriptions/{cluster.subscription}/resourceGroups/"
            f"{document['properties']['nodeResourceGroup']}/providers/{private_links.SERVICE}/"
            f"{_read(service, _NAME) or f'pls-{frontend}'}"
        )
        private_links.ensure_service(
            self._store,
            link,
            location=document["location"],
            tags={
                "k8s-azure-cluster-name": "kubernetes",
                "k8s-azure-owner-service": f"{metadata['namespace']}/{metadata['name']}",
            },
            frontend=frontend,
            subnet=f"{nodes.rpartition('/')[0]}/{name}" if name and nodes else nodes,
        )
        return link


class ClusterCloud:
    """One cluster's part of it: ``services.Cloud``."""

    def __init__(self, links: LinkServices, cluster_id: str) -> None:
        self._links = links
        self._cluster_id = cluster_id

    def keep(self, service: Object, address: str) -> None:
        self._links.keep(self._cluster_id, service, address)

    def forget(self, namespace: str, name: str) -> None:
        self._links.forget(self._cluster_id, (namespace, name))


def _read(service: Object, annotation: str) -> str:
    return str((service["metadata"].get("annotations") or {}).get(annotation, ""))

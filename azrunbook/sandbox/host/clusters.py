"""Managed clusters made real: an API server, its nodes and its service proxy per cluster.

Implements what the ARM emulator asks for (``arm.backends.Clusters``) with the Kubernetes emulator
and the node agents. A stopped cluster keeps its objects, as AKS keeps etcd, and loses its nodes'
processes; starting it brings the same objects back.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.arm import backends
from azrunbook.sandbox.host import addons, addresses, grants, link_services, machines, metrics
from azrunbook.sandbox.kube import cluster as kube_cluster
from azrunbook.sandbox.kube.controllers import assembly
from azrunbook.sandbox.node import (
    agent,
    api as node_api,
    config as node_config,
    image as node_image,
    images,
    proxy,
)

_LOG = logging.getLogger(__name__)
# The controller manager's --horizontal-pod-autoscaler-sync-period, 15 s by default: like Azure's
# operations, a rehearsal's autoscaler keeps its ways and takes a third of the time.
_AUTOSCALER_SECONDS = 5.0
_ADMIN_GROUP = "system:masters"
_DNS_LABEL = "service.beta.kubernetes.io/azure-dns-label-name"


@dataclass
class _Running:
    """One managed cluster and what runs for it."""

    request: backends.ClusterRequest
    block: addresses.Block
    cluster: kube_cluster.Cluster
    proxy: proxy.ServiceProxy
    agents: dict[str, agent.NodeAgent]
    free_indexes: list[int] = field(default_factory=lambda: list(range(240)))
    indexes: dict[str, int] = field(default_factory=dict)
    is_stopped: bool = False
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Clusters:
    """Every managed cluster of the sandbox, by its ARM id in lower case."""

    def __init__(
        self,
        *,
        authority: tls.Authority,
        images: images.ImageStore,
        supervisor: processes.Supervisor,
        folder: Path,
        find_names: Callable[[str], Path] | None = None,
        links: link_services.LinkServices | None = None,
        unrunnable: node_config.Unrunnable = "fail",
        check_pull: Callable[[str, node_image.Reference], None] = lambda *_: None,
    ) -> None:
        """Take what clusters need.

        Args:
            authority: signs the certificates; its own is all that pods trust.
            images: what pods are made of.
            supervisor: ends the pods with the sandbox.
            folder: for logs, disks and the kubeconfig.
            find_names: where the table of names of a cluster, by its ARM id, is.
            links: keeps the private link services before internal load balancers.
            unrunnable: what nodes do with an image that cannot run here.
            check_pull: raises when a cluster, by its ARM id, may not pull an image.
        """
        self._authority = authority
        self._images = images
        self._supervisor = supervisor
        self._folder = folder
        self._find_names = find_names
        self._links = links
        self._unrunnable = unrunnable
        self._check_pull = check_pull
        self._trust = folder / "trust"
        self._running: dict[str, _Running] = {}

    async def ensure(self, request: backends.ClusterRequest) -> None:
        """Create the cluster, or bring its pools to what was asked last."""
        running = self._running.get(request.id.lower())
        if running is None:
            running = await self._create(request)
            self._running[request.id.lower()] = running
        running.request = request
        async with running.changing:  # pools change side by side; each call does all that is open
            await self._reconcile_nodes(running)
        self._write_kubeconfig()

    async def _create(self, request: backends.ClusterRequest) -> _Running:
        self._write_trust()
        block = addresses.claim_block()
        config = kube_cluster.ClusterConfig(
            name=request.name,
            location=request.location,
            version=request.kubernetes_version,
            address=block.server,
            port=addresses.API_SERVER_PORT,
            service_addresses=block.services,
            load_balancer_addresses=block.load_balancers,
            timing=assembly.Timing(autoscaler_period_seconds=_AUTOSCALER_SECONDS),
        )
        agents: dict[str, agent.NodeAgent] = {}
        source = metrics.AgentMetrics(agents)
        cloud = self._links.serve(request.id) if self._links else None
        cluster = kube_cluster.Cluster(config, self._authority, source, cloud)
        try:
            await cluster.start()
            addons.install(cluster.registry)
            service_proxy = proxy.ServiceProxy(self._access(cluster, "system:kube-proxy", ""))
            await service_proxy.start()
        except BaseException:  # also cancelled: aborting or deleting the group ends a creation
            await cluster.stop()
            block.release()
            raise
        if self._unrunnable == "simulate":
            grants.let_nodes_label_pods(cluster.registry)
        return _Running(request, block, cluster, service_proxy, agents)

    def _write_trust(self) -> None:
        """What an image's base has in /etc/ssl/certs, with the sandbox's authority alone in it."""
        self._trust.mkdir(parents=True, exist_ok=True)
        (self._trust / "ca-certificates.crt").write_bytes(self._authority.certificate_pem)

    def _access(self, cluster: kube_cluster.Cluster, user: str, group: str) -> node_api.ApiAccess:
        pair = self._authority.issue_client(user, [group] if group else [])
        return node_api.ApiAccess(url=cluster.url, ssl_context=self._authority.client_context(pair))

    async def _reconcile_nodes(self, running: _Running) -> None:
        request = running.request
        wanted = {
            machine.name: machine
            for pool in request.pools
            for machine in machines.list_machines(request.id, request.location, pool)
        }
        gone = [name for name in running.agents if name not in wanted]
        await asyncio.gather(*(self._remove_node(running, name) for name in gone))
        new = [machine for name, machine in wanted.items() if name not in running.agents]
        await asyncio.gather(*(self._add_node(running, machine) for machine in new))

    async def _add_node(self, running: _Running, machine: machines.Machine) -> None:
        index = running.free_indexes.pop(0)
        running.indexes[machine.name] = index
        address = running.block.node(index)
        config = node_config.NodeConfig(
            name=machine.name,
            address=address,
            pod_addresses=running.block.pods(index),
            labels=dict(machine.labels),
            taints=[dict(taint) for taint in machine.taints],
            capacity=dict(machine.capacity),
            kubelet_version=f"v{running.cluster.config.version}",
            log_dir=self._folder / "logs" / running.request.location / machine.name,
            disks_dir=self._folder / "disks" / running.request.location,
            names_path=self._find_names(running.request.id) if self._find_names else None,
            trust_folder=self._trust,
            provider_id=f"azure://{running.request.id}/{machine.pool}/{machine.index}",
            server_context=self._authority.server_context(
                address, machine.name, ask_client_certificate=True
            ),
            unrunnable=self._unrunnable,
            check_pull=functools.partial(self._check_pull, running.request.id),
        )
        access = self._access(running.cluster, f"system:node:{machine.name}", "system:nodes")
        node = agent.NodeAgent(config, access, self._images, self._supervisor)
        running.agents[machine.name] = node
        await node.start()

    async def _remove_node(self, running: _Running, name: str) -> None:
        node = running.agents.pop(name)
        await node.stop(drain=True)
        registry = running.cluster.registry
        resource = registry.resources.get("", "nodes")
        if registry.find(resource, None, name):
            registry.delete(resource, None, name)
        running.free_indexes.insert(0, running.indexes.pop(name))

    async def stop(self, cluster_id: str) -> None:
        """Deallocate: nodes and API server go, objects stay."""
        running = self._running[cluster_id.lower()]
        running.is_stopped = True
        await self._halt(running)

    async def start(self, cluster_id: str) -> None:
        """Bring a stopped cluster back with the objects it had."""
        running = self._running[cluster_id.lower()]
        await running.cluster.start()
        await running.proxy.start()
        await asyncio.gather(*(node.start() for node in running.agents.values()))
        running.is_stopped = False

    async def delete(self, cluster_id: str) -> None:
        running = self._running.pop(cluster_id.lower(), None)
        if running is None:
            return
        await self._halt(running)
        running.block.release()
        if self._links:
            self._links.forget_cluster(cluster_id)
        self._write_kubeconfig()

    async def _halt(self, running: _Running) -> None:
        await running.proxy.stop()
        await asyncio.gather(*(node.stop(drain=False) for node in running.agents.values()))
        await running.cluster.stop()

    async def close(self) -> None:
        """End everything, whatever state it is in."""
        for cluster_id in list(self._running):
            try:
                await self.delete(cluster_id)
            except Exception:  # noqa: BLE001 - the others must still be ended
                _LOG.exception("cluster %s did not end cleanly", cluster_id)

    def kubeconfig(self, cluster_id: str, user: str) -> str:
        """A kubeconfig with an administrator's client certificate, YAML."""
        cluster = self._running[cluster_id.lower()].cluster
        return yaml.safe_dump(cluster.kubeconfig(user, [_ADMIN_GROUP], cluster.config.name))

    async def lose_node(self, name: str) -> None:
        """Stop a node's agent and leave its objects: the cluster has to notice by itself.

        Raises:
            KeyError: no cluster has a node of this name.
        """
        agents = {name: node for one in self._running.values() for name, node in one.agents.items()}
        await agents[name].stop(drain=False)

    @property
    def kubeconfig_path(self) -> Path:
        return self._folder / "kubeconfig"

    def _write_kubeconfig(self) -> None:
        """One context per cluster for a person's shell, the primary current."""
        merged: dict[str, Any] = {
            "apiVersion": "v1", "kind": "Config", "preferences": {},
            "clusters": [], "users": [], "contexts": [], "current-context": "",
        }  # fmt: skip
        for running in self._running.values():
            context = f"{running.request.name}-{running.request.location}"
            one = running.cluster.kubeconfig("sandbox-admin", [_ADMIN_GROUP], context)
            for section in ("clusters", "users", "contexts"):
                merged[section] += one[section]
            if running.request.tags.get("role") == "primary" or not merged["current-context"]:
                merged["current-context"] = context
        partial = self.kubeconfig_path.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_text(yaml.safe_dump(merged))
        partial.replace(self.kubeconfig_path)

    def resolve(self, label: str, location: str, port: int) -> tuple[str, int] | None:
        """Find the listener of ``<label>.<location>.cloudapp.azure.com:<port>``."""
        for running in self._running.values():
            if running.request.location != location or running.is_stopped:
                continue
            registry = running.cluster.registry
            for service in registry.list(registry.resources.get("", "services")):
                annotations = service["metadata"].get("annotations", {})
                if annotations.get(_DNS_LABEL) != label or link_services.is_internal(service):
                    continue
                balancer = service.get("status", {}).get("loadBalancer", {})
                for ingress in balancer.get("ingress", []):
                    return running.proxy.find_listener(ingress["ip"], port)
        return None

    def find_balancer(self, cluster_id: str, address: str, port: int) -> tuple[str, int] | None:
        """Find the listener of a load balancer of a cluster, also of an internal one."""
        running = self._running.get(cluster_id.lower())
        if running is None or running.is_stopped:
            return None
        return running.proxy.find_listener(address, port)

    def status(self) -> list[dict[str, Any]]:
        """One row per cluster, for people."""
        return [self._status_of(running) for running in self._running.values()]

    @staticmethod
    def _status_of(running: _Running) -> dict[str, Any]:
        registry = running.cluster.registry
        return {
            "name": running.request.name,
            "location": running.request.location,
            "url": running.cluster.url,
            "power": "Stopped" if running.is_stopped else "Running",
            "kubernetes_version": running.cluster.config.version,
            "nodes": len(running.agents),
            "pods": len(registry.list(registry.resources.get("", "pods"))),
        }

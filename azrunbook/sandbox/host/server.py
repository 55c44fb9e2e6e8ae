"""The whole sandbox in one process: starts every server, wires them, ends them.

Order matters twice: certificates before listeners, and the connection file last, because its
presence says "ready". Ending goes the other way round, and every part is ended even when another
one fails to.
"""

import asyncio
import json
import logging
import secrets
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from azrunbook.sandbox import charts, faults, processes, tls
from azrunbook.sandbox.arm import backends, server as arm_server, settings as arm_settings
from azrunbook.sandbox.data import blob_service
from azrunbook.sandbox.edge import config as edge_config, server as edge_server
from azrunbook.sandbox.host import (
    addresses,
    clusters,
    control,
    data,
    link_services,
    names,
    registries,
)
from azrunbook.sandbox.node import config as node_config, images

_LOG = logging.getLogger(__name__)
_PUBLIC_DNS_SUFFIX = ".cloudapp.azure.com"
_EDGE_PROPAGATION_SECONDS = 0.5
_EDGE_TYPES = tuple(
    f"Microsoft.Cdn/profiles{suffix}"
    for suffix in (
        "", "/afdEndpoints", "/afdEndpoints/routes", "/originGroups", "/originGroups/origins",
    )
)  # fmt: skip
_STORAGE, _STORAGE_AUDIENCE = "/microsoft.storage/", "https://storage.azure.com"
_DATA_PROGRAMS = {"postgres", "valkey-server"}
_CONNECTION, _COLLEAGUE = "connection", "colleague"
_TRAEFIK_REPOSITORY = "https://traefik.github.io/charts"


@dataclass(frozen=True)
class HostSettings:
    """Where the sandbox keeps its files, and how long Azure's operations take in it.

    ``began_at`` is the monotonic instant at which it was asked for, before its process was there:
    whoever waits for it waits for its imports too. ``images`` says what nodes do with an image that
    cannot run here.
    """

    folder: Path
    began_at: float
    timing: arm_settings.Timing
    images: node_config.Unrunnable = "fail"


class Host:
    """One sandbox: ``start``, then ``stopped`` is set when somebody asked it to end, ``stop``."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._ready_seconds = 0.0
        self.stopped = asyncio.Event()
        self._authority = tls.Authority()
        self._block = addresses.claim_block()
        self._supervisor = processes.Supervisor()
        self._images = images.ImageStore(settings.folder.parent / "images")
        self._names = names.NameTables(settings.folder / "names", self._list_service_names)
        self._data = data.DataServices(
            folder=settings.folder / "data",
            block=self._block,
            authority=self._authority,
            supervisor=self._supervisor,
            check_token=self._is_token_valid,
            check_storage_token=self._is_storage_token_valid,
            changed=self._names.write,
        )
        self._links = link_services.LinkServices()
        self._registries = self._make_registries()
        self._clusters = clusters.Clusters(
            authority=self._authority,
            images=self._images,
            supervisor=self._supervisor,
            folder=settings.folder,
            find_names=self._names.find_path,
            links=self._links,
            unrunnable=settings.images,
            check_pull=self._registries.check_pull,
        )
        self._edge = self._make_edge()
        self._arm = self._make_arm()
        self._deployment = edge_config.Deployment()
        self._charts = charts.ChartRepository(
            address=self._block.server,
            port=0,
            ssl_context=self._authority.server_context(self._block.server, "localhost"),
        )
        self._control = control.ControlServer(
            settings.folder / "control.sock",
            status=self.status,
            inject=self._inject,
            shutdown=self.stopped.set,
        )

    def _make_arm(self) -> arm_server.ArmServer:
        own, colleague = (
            arm_settings.Principal(str(uuid.uuid4()), secrets.token_urlsafe(32)) for _ in range(2)
        )
        self._arm_settings = arm_settings.ArmSettings(
            address=self._block.server,
            port=0,
            tenant_id=str(uuid.uuid4()),
            subscription_id=str(uuid.uuid4()),
            client_id=own.client_id,
            client_secret=own.client_secret,
            colleagues=(colleague,),
            timing=self._settings.timing,
        )
        parts = backends.Backends(
            clusters=self._clusters,
            images=self._registries,
            databases=self._data.databases,
            caches=self._data.caches,
            edge=self._edge,
        )
        return arm_server.ArmServer(self._arm_settings, self._authority, parts)

    def _make_registries(self) -> registries.Registries:
        address = self._block.server
        return registries.Registries(
            address=address,
            ssl_context=self._authority.server_context("*.azurecr.io", address, "localhost"),
            folder=self._settings.folder / "registries",
            store=self._images,
            find_resources=lambda: self._arm.store,
            is_token_valid=self._is_token_valid,
        )

    def _make_edge(self) -> edge_server.EdgeServer:
        context = self._authority.server_context(
            "*.z01.azurefd.net", self._block.server, "localhost"
        )
        return edge_server.EdgeServer(
            address=self._block.server,
            https_port=0,
            http_port=0,
            ssl_context=context,
            resolve=self._resolve,
            propagation_seconds=_EDGE_PROPAGATION_SECONDS,
            authority_pem=self._authority.certificate_pem.decode(),
        )

    async def start(self) -> None:
        """Start everything; when this returns, clients can connect."""
        await self._supervisor.start()
        await self._arm.start()
        await self._edge.start()
        await self._data.blobs.start(self._arm.store)
        await self._charts.start()
        await self._registries.start()
        self._arm.store.subscribe(self._configure_edge)
        self._names.follow(self._arm.store)
        self._links.follow(self._arm.store)
        self._ready_seconds = time.monotonic() - self._settings.began_at
        await self._control.start()
        (self._settings.folder / "ca.pem").write_bytes(self._authority.certificate_pem)
        own, colleague = self._arm_settings.principals
        self._write_connection(_COLLEAGUE, colleague, _COLLEAGUE, "colleague-secret")
        self._write_connection("sandbox", own, _CONNECTION, "client-secret")

    async def stop(self) -> None:
        """End everything, also when a part fails to."""
        for name in (_COLLEAGUE, _CONNECTION):
            (self._settings.folder / f"{name}.json").unlink(missing_ok=True)
        for part in (
            self._edge.stop,
            self._charts.stop,
            self._registries.stop,
            self._clusters.close,
            self._arm.stop,
            self._data.close,
            self._supervisor.stop,
            self._control.stop,
        ):
            try:
                await part()
            except Exception:  # noqa: BLE001 - the other parts must still be ended
                _LOG.exception("%s failed while the sandbox ended", part.__qualname__)
        self._block.release()

    def _configure_edge(self, _kind: str, _resource_id: str, resource_type: str) -> None:
        if resource_type.lower().startswith("microsoft.cdn/"):
            resources = [one for kind in _EDGE_TYPES for one in self._arm.store.list_by_type(kind)]
            self._edge.configure(self._deployment.take(resources))

    def _resolve(self, host: str, port: int) -> tuple[str, int] | None:
        """What the edge reaches: by a public host name, or by the id behind a private link."""
        if host.startswith("/"):
            if _STORAGE in host:
                return self._data.blobs.find_listener(host)
            front = self._links.find_front(host)
            return self._clusters.find_balancer(*front, port) if front else None
        if host.endswith(blob_service.SUFFIX):
            return self._data.blobs.find_listener(host)
        if not host.endswith(_PUBLIC_DNS_SUFFIX):
            return None
        label, _, location = host.removesuffix(_PUBLIC_DNS_SUFFIX).partition(".")
        return self._clusters.resolve(label, location, port)

    def _is_token_valid(self, token: str) -> bool:
        return self._arm.is_token_valid(token)

    def _is_storage_token_valid(self, token: str) -> bool:
        return self._arm.is_token_valid(token, _STORAGE_AUDIENCE)

    def _list_service_names(self) -> dict[str, str]:
        return self._data.list_names()

    async def _inject(self, fault: dict[str, Any]) -> dict[str, Any]:
        return await faults.inject(fault, arm=self._arm, nodes=self._clusters, data=self._data)

    def _write_connection(
        self, name: str, principal: arm_settings.Principal, stem: str, secret_name: str
    ) -> None:
        """Write what a client of one identity needs; the second one is somebody else's."""
        folder = self._settings.folder
        secret = folder / secret_name
        secret.touch(mode=0o600)
        secret.write_text(principal.client_secret)
        settings = self._arm_settings
        connection = {
            "name": name,
            "subscription_id": settings.subscription_id,
            "tenant_id": settings.tenant_id,
            "resource_manager": self._arm.url,
            "authority": self._arm.url,
            "credential": {
                "client_id": principal.client_id,
                "client_secret_file": str(secret),
            },
            "ca_bundle": str(folder / "ca.pem"),
            "polling_interval_seconds": 0.2,
            "public_connect_to": f"{self._block.server}:{self._edge.https_port}",
            "registry_connect_to": self._registries.place,
            "blob_endpoint": self._data.blobs.endpoint,
            "chart_mirrors": {_TRAEFIK_REPOSITORY: self._charts.url},
        }
        partial = folder / f"{stem}.partial"
        partial.write_text(json.dumps(connection, indent=2))
        partial.replace(folder / f"{stem}.json")

    def status(self) -> dict[str, Any]:
        """What runs, with its memory: the sandbox's own process, pods, and data services apart."""
        process = psutil.Process()
        children = process.children(recursive=True)
        return {
            "running": True,
            "pid": process.pid,
            "ready_seconds": round(self._ready_seconds, 2),
            "images": self._settings.images,
            "memory_bytes": process.memory_info().rss,
            **_measure(children),
            "endpoints": {
                "resource_manager": self._arm.url,
                "front_door": f"https://{self._block.server}:{self._edge.https_port}",
                "charts": self._charts.url,
                "registries": f"https://{self._registries.place}",
            },
            "clusters": self._clusters.status(),
            "edge": self._edge.status(),
        }


def make_timing(name: str, speed: float) -> arm_settings.Timing:
    """``immediate``, ``manual``, or Azure's own proportions in a fraction of the time."""
    match name:
        case "immediate":
            return arm_settings.Timing(default="immediate")
        case "manual":
            return arm_settings.Timing(default="manual")
        case _:
            return arm_settings.Timing(by_type=arm_settings.AZURE_SECONDS, factor=1 / speed)


def _measure(children: list[psutil.Process]) -> dict[str, int]:
    """Add up memory; what PostgreSQL's processes share counts once for each of them."""
    total = {"pods_memory_bytes": 0, "data_memory_bytes": 0}
    for child in children:
        try:
            key = "data_memory_bytes" if child.name() in _DATA_PROGRAMS else "pods_memory_bytes"
            total[key] += int(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total

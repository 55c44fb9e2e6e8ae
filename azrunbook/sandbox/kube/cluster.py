"""One emulated cluster: registry, API server and controllers as one thing that starts and stops.

Law: composes, decides nothing. Stopping ends the listener and the controllers; the objects stay,
and on the next start everything is reconciled again, as after the outage of a control plane.
"""

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from azrunbook.sandbox import tls
from azrunbook.sandbox.kube import admission, metrics, registry, resources, server, store
from azrunbook.sandbox.kube.access import authentication, bootstrap
from azrunbook.sandbox.kube.controllers import (
    access,
    api_registration,
    api_service,
    assembly,
    events,
    loop,
    services,
)

Object = dict[str, Any]


@dataclass(frozen=True)
class ClusterConfig:
    """What a cluster is called, where it listens, and which addresses it hands out."""

    name: str
    location: str
    version: str
    address: str
    port: int
    service_addresses: ipaddress.IPv4Network
    load_balancer_addresses: ipaddress.IPv4Network
    timing: assembly.Timing = field(default_factory=assembly.Timing)


class Cluster:
    """A Kubernetes cluster without nodes; node agents join over HTTP."""

    def __init__(
        self,
        config: ClusterConfig,
        authority: tls.Authority,
        source: metrics.Source | None = None,
        cloud: services.Cloud | None = None,
    ) -> None:
        """`source` says what pods use; without it there are no metrics, nothing scales."""
        self.config = config
        self._cloud = cloud
        self._authority = authority
        self.registry = registry.Registry(
            resources.ResourceTable(), store.Store(), admission.Admission(config.service_addresses)
        )
        self._access = access.Access(self.registry, events.Recorder(self.registry))
        self._authenticator = authentication.Authenticator(self.registry)
        self._server = server.ApiServer(
            self.registry,
            authority,
            config.address,
            config.port,
            config.version,
            self._authenticator,
            source,
        )
        self._readings = None if source is None else source.find_pod
        self._loop: loop.Loop | None = None

    @property
    def url(self) -> str:
        return self._server.url

    async def start(self) -> None:
        """Serve, and start the controllers. Raises OSError if the address is taken."""
        bootstrap.seed(self.registry)
        await self._server.start()
        api_service.ensure_api_service(
            self._access,
            service_addresses=self.config.service_addresses,
            address=self.config.address,
            port=int(self.url.rpartition(":")[2]),
        )
        api_registration.ApiRegistrationController(self._access).ensure_all()
        self._loop = loop.Loop(self.registry, self.make_controllers())
        await self._loop.start()

    def make_controllers(self) -> list[loop.Controller]:
        """The controllers of one start."""
        return assembly.make_controllers(
            self._access,
            ca_pem=self._authority.certificate_pem,
            load_balancer_addresses=self.config.load_balancer_addresses,
            timing=self.config.timing,
            metrics=self._readings,
            issue_token=self._authenticator.issue_lasting_token,
            cloud=self._cloud,
        )

    def emulates(self, resource: resources.Resource, subresource: str, verb: str) -> bool:
        """Whether a verb of a subresource is answered."""
        return self._server.emulates(resource, subresource, verb)

    async def stop(self) -> None:
        """End the controllers and the listener; a cluster that is not running is left alone."""
        if self._loop is None:
            return
        await self._loop.stop()
        self._loop = None
        await self._server.stop()

    def kubeconfig(self, user: str, groups: Sequence[str], context: str) -> Object:
        """A kubeconfig with one context, the client certificate and the CA embedded."""
        pair = self._authority.issue_client(user, groups)
        cluster = {
            "server": self.url,
            "certificate-authority-data": _embedded(self._authority.certificate_pem),
        }
        credentials = {
            "client-certificate-data": _embedded(pair.certificate_pem),
            "client-key-data": _embedded(pair.key_pem),
        }
        user_name = f"{user}-{context}"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "preferences": {},
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": user_name, "user": credentials}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": user_name}}],
            "current-context": context,
        }


def _embedded(pem: bytes) -> str:
    return base64.b64encode(pem).decode()

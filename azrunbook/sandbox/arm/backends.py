"""What ARM asks of the rest of the sandbox: clusters, images, data, Front Door. Protocols only.

The ARM server knows neither Kubernetes nor containers. The host passes in objects with these
methods, and tests pass in recorders; a long-running operation is finished when they are.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol


class BackendError(Exception):
    """A backend refuses or fails; becomes the error of the long-running operation."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclasses.dataclass(frozen=True)
class PoolRequest:
    """A node pool as declared; ``count`` nodes of ``vm_size``."""

    name: str
    count: int
    vm_size: str
    mode: str
    zones: tuple[str, ...] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taints: tuple[str, ...] = ()
    max_pods: int = 110


@dataclasses.dataclass(frozen=True)
class ClusterRequest:
    """A managed cluster as declared; ``kubernetes_version`` is the full patch version."""

    id: str
    name: str
    location: str
    kubernetes_version: str
    tags: Mapping[str, str]
    pools: tuple[PoolRequest, ...]


class ClusterBackend(Protocol):
    """Runs the Kubernetes clusters."""

    async def ensure(self, cluster: ClusterRequest) -> None:
        """Make the cluster and its nodes be as requested; idempotent."""

    async def stop(self, id_: str) -> None:
        """Take control plane and nodes away and keep the cluster's state."""

    async def start(self, id_: str) -> None:
        """Bring a stopped cluster back."""

    async def delete(self, id_: str) -> None:
        """Remove the cluster; does nothing for one that is unknown."""

    def kubeconfig(self, id_: str, user: str) -> str:
        """Return a kubeconfig as YAML; user is ``clusterUser`` or ``clusterAdmin``."""


class ImageBackend(Protocol):
    """Builds images from an uploaded context."""

    async def build(
        self,
        context: bytes,
        dockerfile: str,
        names: list[str],
        log: Callable[[str], None],
        *,
        arguments: Mapping[str, str],
    ) -> str:
        """Build a (possibly gzipped) tar by the Dockerfile at that path in it.

        Returns:
            The digest, ``sha256:…``.
        """


@dataclasses.dataclass(frozen=True)
class ServerRequest:
    """A PostgreSQL server as declared.

    Attributes:
        host: the public name that clients connect to, with port 5432 behind it.
        source_id: the server this one replicates; None: it takes writes.
    """

    id: str
    host: str
    location: str
    version: str
    administrator: str
    password: str = dataclasses.field(repr=False)
    source_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Replication:
    """How a replica follows: ``Active``, ``Catchup`` or ``Broken``; None: it is not connected."""

    state: str
    lag_bytes: int | None
    lag_seconds: float | None


class DatabaseBackend(Protocol):
    """Runs PostgreSQL servers; ids as ARM has them, compared without regard to letter case."""

    async def ensure(self, server: ServerRequest) -> None:
        """Make the server run as requested, a new password included; idempotent."""

    async def delete(self, id_: str) -> None:
        """Remove a server with its data; does nothing for one that is unknown."""

    async def stop(self, id_: str) -> None:
        """End the process and keep the data."""

    async def start(self, id_: str) -> None:
        """Bring a stopped server back."""

    async def restart(self, id_: str) -> None:
        """End the process and bring it back."""

    async def create_database(self, id_: str, name: str) -> None:
        """Make a database on a server; one that is there is as good."""

    async def drop_database(self, id_: str, name: str) -> None:
        """Remove a database; one that is gone is as good."""

    async def promote(
        self, id_: str, mode: Literal["Switchover", "Standalone"], *, forced: bool
    ) -> None:
        """Let a replica take writes; a switchover makes its source the replica."""

    async def measure(self, id_: str) -> Mapping[str, Replication]:
        """How each replica of a server follows it, by id in lower case."""

    async def point(self, host: str, id_: str | None) -> None:
        """Let a virtual endpoint's name lead to a server; None: to none any more."""


@dataclasses.dataclass(frozen=True)
class CacheRequest:
    """A Redis cache as declared.

    Attributes:
        host: the public name that clients connect to.
        port: with TLS; 10000 of Managed Redis, 6380 of Premium.
        keys: access keys, either of which is the password.
        linked_ids: the other caches of its replication group, itself left out.
        is_writable: False for the secondary of a passive link.
    """

    id: str
    host: str
    port: int
    location: str
    memory_mib: int
    keys: tuple[str, str] = dataclasses.field(repr=False)
    linked_ids: tuple[str, ...] = ()
    is_writable: bool = True


class CacheBackend(Protocol):
    """Runs Redis caches; ids are of the managed database or the Premium cache."""

    async def ensure(self, cache: CacheRequest) -> None:
        """Make the cache run as requested, links and keys included; idempotent."""

    async def delete(self, id_: str) -> None:
        """Remove a cache with its data; does nothing for one that is unknown."""

    async def flush(self, id_: str) -> None:
        """Remove all keys of a cache and of those linked with it."""


class EdgeBackend(Protocol):
    """Front Door's data path."""

    def purge(self, hosts: Sequence[str], paths: Sequence[str]) -> None:
        """Drop the copies of paths of these host names; ``*`` at an end stands for anything."""


@dataclasses.dataclass(frozen=True)
class Backends:
    """Everything the ARM server drives; without databases or caches their documents stand alone."""

    clusters: ClusterBackend
    images: ImageBackend
    databases: DatabaseBackend | None = None
    caches: CacheBackend | None = None
    edge: EdgeBackend | None = None

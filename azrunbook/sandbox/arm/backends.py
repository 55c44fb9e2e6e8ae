"""What ARM asks of the rest of the sandbox: clusters and images. Protocols only.

The ARM server knows neither Kubernetes nor containers. The host passes in objects with these
methods, and tests pass in recorders; a long-running operation is finished when they are.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol


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
        self, context: bytes, dockerfile: str, names: list[str], log: Callable[[str], None]
    ) -> str:
        """Build a (possibly gzipped) tar by the Dockerfile at that path in it.

        Returns:
            The digest, ``sha256:…``.
        """


@dataclasses.dataclass(frozen=True)
class Backends:
    """Everything the ARM server drives."""

    clusters: ClusterBackend
    images: ImageBackend

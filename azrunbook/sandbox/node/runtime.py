"""What every part of one node works with, handed from the agent down. Values only."""

from dataclasses import dataclass, field
from pathlib import Path

from azrunbook.sandbox import processes
from azrunbook.sandbox.node import api, config, events, images, registration


@dataclass(frozen=True)
class Runtime:
    """One node's parts. ``pulled`` holds the images that are on the node."""

    config: config.NodeConfig
    client: api.ApiClient
    images: images.ImageStore
    supervisor: processes.Supervisor
    events: events.EventRecorder
    pulled: set[str] = field(default_factory=set)

    @property
    def allocatable(self) -> dict[str, str]:
        return registration.compute_allocatable(self.config.capacity)


@dataclass(frozen=True)
class Place:
    """Where a running pod is: its address, its folders and its volumes."""

    address: str
    folder: Path
    log_folder: Path
    volumes: dict[str, Path]
    kubeconfig: Path | None

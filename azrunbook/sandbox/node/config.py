"""What a node agent is told when it starts: values only.

The host decides names, addresses and sizes; an agent takes them as they are.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal

from azrunbook.sandbox.node import image

Object = dict[str, Any]

KUBELET_PORT = 10250

Unrunnable = Literal["fail", "simulate"]


@dataclass(frozen=True)
class BackOff:
    """Delays before a container is started again, or an image is asked for again.

    The defaults are the kubelet's: ten seconds, doubling to five minutes, forgotten after ten
    minutes without a failure.
    """

    first_seconds: float = 10.0
    limit_seconds: float = 300.0
    forget_after_seconds: float = 600.0


@dataclass(frozen=True)
class NodeConfig:
    """One node: who it is, what it offers, where it keeps its files.

    ``capacity`` has Kubernetes quantities (``cpu``, ``memory``, ``pods``, ``ephemeral-storage``).
    ``log_dir`` holds the containers' logs and the pods' directories, ``disks_dir`` the persistent
    volumes (the same for all nodes of a cluster; below ``log_dir`` if not given). ``unrunnable``
    says what to do with an image that has no command here: ``fail`` as a registry without it
    would, or ``simulate`` a running container without a process (``simulation.py``).
    ``check_pull`` raises for an image that the node's registries do not give it.
    """

    name: str
    address: str
    pod_addresses: IPv4Network
    labels: dict[str, str]
    taints: list[Object]
    capacity: dict[str, str]
    kubelet_version: str
    log_dir: Path
    provider_id: str
    server_context: ssl.SSLContext
    disks_dir: Path | None = None
    unrunnable: Unrunnable = "fail"
    check_pull: Callable[[image.Reference], None] = lambda _: None
    lease_seconds: float = 10.0
    status_seconds: float = 300.0
    memory_sample_seconds: float = 5.0
    volume_sync_seconds: float = 60.0
    backoff: BackOff = field(default_factory=BackOff)
    kubelet_port: int = KUBELET_PORT
    names_path: Path | None = None
    trust_folder: Path | None = None

"""An Azure Resource Manager in one process: tokens, resources, long-running operations.

The real SDKs and azurerm talk to it over TLS and cannot tell. It knows no Kubernetes and no
containers: what must happen behind the control plane is asked of :mod:`.backends`.
"""

from azrunbook.sandbox.arm.backends import (
    BackendError,
    Backends,
    CacheRequest,
    ClusterRequest,
    PoolRequest,
    ServerRequest,
)
from azrunbook.sandbox.arm.faults import FaultRule
from azrunbook.sandbox.arm.routing import CoverageRow, list_coverage
from azrunbook.sandbox.arm.server import ArmServer
from azrunbook.sandbox.arm.settings import AZURE_SECONDS, ArmSettings, Timing

__all__ = [
    "AZURE_SECONDS",
    "ArmServer",
    "ArmSettings",
    "BackendError",
    "Backends",
    "CacheRequest",
    "ClusterRequest",
    "CoverageRow",
    "FaultRule",
    "PoolRequest",
    "ServerRequest",
    "Timing",
    "list_coverage",
]

"""Token buckets as Azure limits requests: per subscription, and per resource for AKS. No IO.

The figures are Microsoft's published ones (ARM request limits since 2024, AKS quotas page). The
scale of the settings multiplies both size and refill: the default is generous, 1.0 is the real
thing, and a test takes less.
"""

import dataclasses
import math
from collections.abc import Callable

from azrunbook.sandbox.arm import errors


@dataclasses.dataclass(frozen=True)
class Limit:
    """A bucket's size and how many tokens flow back each second."""

    size: float
    refill_per_second: float


ARM_LIMITS = {"reads": Limit(250, 25), "writes": Limit(200, 10), "deletes": Limit(200, 10)}

# Per resource (the path asked for), by operation.
_PER_MINUTE = 1 / 60
PROVIDER_LIMITS = {
    "ManagedClusters_CreateOrUpdate": Limit(20, _PER_MINUTE),
    "AgentPools_CreateOrUpdate": Limit(20, _PER_MINUTE),
    "ManagedClusters_Get": Limit(60, 1),
    "ManagedClusters_ListByResourceGroup": Limit(60, 1),
    "ManagedClusters_List": Limit(500, 1),
}
_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


class Throttling:
    """Counts requests and refuses what is too many."""

    def __init__(self, scale: float, clock: Callable[[], float]) -> None:
        self._scale = scale
        self._clock = clock
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def admit(self, method: str, scope: str) -> dict[str, str]:
        """Take one token of the scope's reads, writes or deletes; returns the answer's headers.

        Args:
            method: the HTTP method.
            scope: ``subscription`` or ``tenant``.

        Raises:
            errors.ArmError: 429 TooManyRequests with Retry-After.
        """
        kind = _KINDS.get(method, "writes")
        left, wait_seconds = self._take((scope, kind), ARM_LIMITS[kind])
        if wait_seconds:
            raise errors.ArmError(
                429,
                "TooManyRequests",
                f"Number of {kind} requests for the {scope} exceeded the limit. "
                f"Please try again after {wait_seconds} seconds.",
                headers={"Retry-After": str(wait_seconds)},
            )
        return {f"x-ms-ratelimit-remaining-{scope}-{kind}": str(int(left))}

    def admit_operation(self, operation: str, path: str) -> None:
        """Take one token of a resource provider's own bucket, if the operation has one.

        Raises:
            errors.ArmError: 429 Throttled with Retry-After.
        """
        if limit := PROVIDER_LIMITS.get(operation):
            _, wait_seconds = self._take((operation, path.lower()), limit)
            if wait_seconds:
                raise errors.AksError(
                    429,
                    "Throttled",
                    f"The request is throttled: {operation} allows {limit.size:g} requests in a "
                    f"burst. Please retry after {wait_seconds} seconds.",
                    headers={"Retry-After": str(wait_seconds)},
                )

    def _take(self, key: tuple[str, str], limit: Limit) -> tuple[float, int]:
        now = self._clock()
        size = max(1.0, limit.size * self._scale)
        rate = limit.refill_per_second * self._scale
        level, at = self._levels.get(key, (size, now))
        level = min(size, level + (now - at) * rate)
        if level < 1:
            self._levels[key] = (level, now)
            return 0, max(1, math.ceil((1 - level) / rate))
        self._levels[key] = (level - 1, now)
        return level - 1, 0

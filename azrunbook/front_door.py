"""Front Door of one estate: its host name, its origins, and what its probe settings promise.

Reads and patches Microsoft.Cdn resources through an ARM client. ARM's success does not mean that
the edge has the change yet: ask the public endpoint for that.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azrunbook import errors, estate, operations

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm


@dataclass(frozen=True)
class Origin:
    """One origin; ``name`` is the location it stands for, the lowest ``priority`` serves."""

    name: str
    host: str
    priority: int
    weight: int
    is_enabled: bool
    provisioning_state: str


@dataclass(frozen=True)
class Prediction:
    """How long the edge takes to see an origin fail and come back, in seconds.

    Between the bounds lies the moment within a probe interval at which it happens. A probe that
    hangs until its own timeout instead of being refused adds that timeout.
    """

    detect_min_seconds: float
    detect_max_seconds: float
    restore_min_seconds: float
    restore_max_seconds: float


def predict_detection(
    health_probe: estate.HealthProbe, load_balancing: estate.LoadBalancing
) -> Prediction:
    """Predict from an origin group's settings; pure.

    An origin is healthy while at least x of its last n probes succeeded, so n - x + 1 failed ones
    take it out; after an outage longer than n probes, x good ones bring it back. The first of them
    comes at once or a whole interval later. (Azure: Front Door, health probes, "how is the health
    of an origin determined".)
    """
    interval = float(health_probe.interval_seconds)
    good = load_balancing.successful_samples
    bad = load_balancing.sample_size - good + 1
    return Prediction(
        detect_min_seconds=(bad - 1) * interval,
        detect_max_seconds=bad * interval,
        restore_min_seconds=(good - 1) * interval,
        restore_max_seconds=good * interval,
    )


class FrontDoor:
    """The endpoint and the origin group of an estate.

    Args:
        endpoint_id: ARM id of the endpoint.
        origin_group_id: ARM id of the origin group.
        api_version: of Microsoft.Cdn.
    """

    def __init__(
        self,
        client: "arm.ArmClient",
        *,
        endpoint_id: str,
        origin_group_id: str,
        api_version: str,
    ) -> None:
        self._arm = client
        self._endpoint_id = endpoint_id
        self._group_id = origin_group_id
        self._api_version = api_version

    def get_endpoint_host(self) -> str:
        """Read the public host name, which Azure makes unique with a hash.

        Raises:
            NotFoundError: there is no such endpoint.
        """
        body = self._arm.get(self._endpoint_id, self._api_version)
        return str(body["properties"]["hostName"])

    def list_origins(self) -> tuple[Origin, ...]:
        """List the origins of the group, the preferred one first.

        Raises:
            NotFoundError: there is no such group.
        """
        found = self._arm.list(f"{self._group_id}/origins", self._api_version)
        return tuple(sorted(map(_describe, found), key=lambda one: (one.priority, one.name)))

    def get_probe_settings(self) -> tuple[estate.HealthProbe, estate.LoadBalancing]:
        """Read the settings that are in force, for :func:`predict_detection`.

        Raises:
            NotFoundError: there is no such group, or it probes nothing.
        """
        properties = self._arm.get(self._group_id, self._api_version)["properties"]
        probe, balancing = (
            properties.get("healthProbeSettings"),
            properties["loadBalancingSettings"],
        )
        if not probe:
            raise errors.NotFoundError(
                f"{self._group_id} has no health probe: expected healthProbeSettings. "
                "Run the provisioning notebook."
            )
        return (
            estate.HealthProbe(
                path=probe["probePath"],
                method=probe["probeRequestType"].upper(),
                interval_seconds=probe["probeIntervalInSeconds"],
            ),
            estate.LoadBalancing(
                sample_size=balancing["sampleSize"],
                successful_samples=balancing["successfulSamplesRequired"],
                additional_latency_milliseconds=balancing["additionalLatencyInMilliseconds"],
            ),
        )

    def set_origin_state(
        self,
        name: str,
        *,
        is_enabled: bool,
        timeout: float = 600,
        progress: operations.Tell | None = None,
    ) -> None:
        """Let an origin take part in serving, or not; waits for ARM, ``timeout`` in seconds.

        Raises:
            NotFoundError: no such origin.
            StepError: ARM refused.
        """
        state = "Enabled" if is_enabled else "Disabled"
        poller = self._arm.begin_patch(
            f"{self._group_id}/origins/{name}",
            self._api_version,
            {"properties": {"enabledState": state}},
            patience=timeout,
            progress=progress,
        )
        what = f"set origin {name} {state}"
        self._arm.wait(poller, what=what, timeout=timeout, progress=progress)


def _describe(body: dict[str, Any]) -> Origin:
    properties = body["properties"]
    return Origin(
        name=body["name"],
        host=properties["hostName"],
        priority=properties["priority"],
        weight=properties["weight"],
        is_enabled=properties["enabledState"] == "Enabled",
        provisioning_state=properties.get("provisioningState", ""),
    )

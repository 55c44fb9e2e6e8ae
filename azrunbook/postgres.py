"""Flexible servers of PostgreSQL: roles, lag as Azure tells it, promotion, the names that move.

Reads and changes Microsoft.DBforPostgreSQL through an ARM client; opens no connection to a
database (a private server has no address outside its network: :mod:`azrunbook.visits` asks the
application). A planned promotion loses nothing and needs both servers; a forced one is for a
primary that is gone, and loses what the replica had not received.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azrunbook import errors, operations, secrets

if TYPE_CHECKING:  # the SDKs are imported when a client is made, not with this module
    from azrunbook import arm

PRIMARY = "Primary"
_METRICS_API = "2024-02-01"
_LAG = "physical_replication_delay_in_seconds"
_LAG_MINUTES = 5


@dataclass(frozen=True)
class Server:
    """A server; ``replication_state`` is empty for a primary.

    ``role`` is ``Primary``, ``AsyncReplica`` or ``GeoAsyncReplica``, ``state`` Azure's (``Ready``,
    ``Stopped``, ``Updating``, …), ``replication_state`` as well (``Active``, ``Broken``, …).
    """

    id: str
    name: str
    location: str
    host: str
    role: str
    state: str
    replication_state: str


@dataclass(frozen=True)
class Endpoint:
    """A virtual endpoint: what clients connect to, because a promotion moves it."""

    name: str
    writer_host: str
    reader_host: str


class FlexibleServers:
    """Flexible servers by id.

    Args:
        api_version: of Microsoft.DBforPostgreSQL.
    """

    def __init__(self, client: "arm.ArmClient", *, api_version: str) -> None:
        self._arm = client
        self._api_version = api_version

    def get_server(self, server_id: str) -> Server:
        """Read one server.

        Raises:
            NotFoundError: there is none of this id.
        """
        return _describe(self._arm.get(server_id, self._api_version))

    def list_replicas(self, primary_id: str) -> tuple[Server, ...]:
        """List what replicates a server."""
        found = self._arm.list(f"{primary_id}/replicas", self._api_version)
        return tuple(map(_describe, found))

    def measure_lag(self, replica_id: str) -> float | None:
        """How many seconds a replica is late by Azure's last measurement; None: it does not say.

        The largest of the last minutes for which Azure Monitor has a value.
        """
        query = f"metricnames={_LAG}&aggregation=Maximum&interval=PT1M"
        path = f"{replica_id}/providers/Microsoft.Insights/metrics?{query}"
        told = [
            float(point["maximum"])
            for metric in self._arm.list(path, _METRICS_API)
            for series in metric["timeseries"]
            for point in series["data"]
            if point.get("maximum") is not None
        ]
        return max(told[-_LAG_MINUTES:], default=None)

    def list_endpoints(self, primary_id: str) -> tuple[Endpoint, ...]:
        """List the virtual endpoints whose writer a server is."""
        found = self._arm.list(f"{primary_id}/virtualendpoints", self._api_version)
        return tuple(map(_describe_endpoint, found))

    def promote(
        self,
        replica_id: str,
        *,
        is_forced: bool = False,
        timeout: float = 1800,
        progress: operations.Tell | None = None,
    ) -> None:
        """Swap a replica's role with its primary's; virtual endpoints follow. Idempotent.

        Raises:
            NotFoundError: no such server.
            StepError: ARM refused, or (planned) the replica could not catch up.
        """
        if self.get_server(replica_id).role == PRIMARY:
            return
        option = "Forced" if is_forced else "Planned"
        replica = {"promoteMode": "Switchover", "promoteOption": option}
        self._patch(
            replica_id,
            {"replica": replica},
            what=f"promote {_name_of(replica_id)} ({option.lower()})",
            timeout=timeout,
            progress=progress,
        )
        if (promoted := self.get_server(replica_id)).role != PRIMARY:
            raise errors.StepError(
                f"{promoted.name} was promoted and is {promoted.role}; expected {PRIMARY}. "
                "Look at its replicas in the portal before anything else."
            )

    def set_password(
        self,
        server_id: str,
        password: str,
        *,
        timeout: float = 600,
        progress: operations.Tell | None = None,
    ) -> None:
        """Give the administrator a password; it is scrubbed from all that is written.

        Raises:
            NotFoundError: no such server.
            StepError: ARM refused, for example a replica: its primary has the roles.
        """
        secrets.register(password)
        self._patch(
            server_id,
            {"administratorLoginPassword": password},
            what=f"set the administrator's password of {_name_of(server_id)}",
            timeout=timeout,
            progress=progress,
        )

    def _patch(
        self,
        server_id: str,
        properties: Mapping[str, Any],
        *,
        what: str,
        timeout: float,
        progress: operations.Tell | None,
    ) -> None:
        poller = self._arm.begin_patch(
            server_id,
            self._api_version,
            {"properties": dict(properties)},
            patience=timeout,
            progress=progress,
        )
        self._arm.wait(poller, what=what, timeout=timeout, progress=progress)


def _name_of(server_id: str) -> str:
    return server_id.rpartition("/")[2]


def _describe(body: Mapping[str, Any]) -> Server:
    properties = body["properties"]
    return Server(
        id=str(body["id"]),
        name=str(body["name"]),
        location=str(body["location"]),
        host=str(properties["fullyQualifiedDomainName"]),
        role=str(properties["replicationRole"]),
        state=str(properties["state"]),
        replication_state=str((properties.get("replica") or {}).get("replicationState") or ""),
    )


def _describe_endpoint(body: Mapping[str, Any]) -> Endpoint:
    writer, reader = body["properties"]["virtualEndpoints"]
    return Endpoint(name=str(body["name"]), writer_host=str(writer), reader_host=str(reader))

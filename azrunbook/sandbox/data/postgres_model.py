"""What is asked of flexible servers and what they answer: values only.

Ids are ARM ids, compared in any case. The host makes these of ARM's bodies.
"""

from dataclasses import dataclass, field
from typing import Literal

VERSION = "16"

Role = Literal["Primary", "AsyncReplica", "GeoAsyncReplica"]
State = Literal["Ready", "Stopped", "Unavailable"]
ReplicationState = Literal["Active", "Catchup", "Broken"]


@dataclass(frozen=True)
class ServerRequest:
    """A primary as declared. ``is_highly_available`` is kept and shown, and changes nothing."""

    id: str
    location: str
    administrator_login: str
    administrator_password: str = field(repr=False)
    version: str = VERSION
    is_password_allowed: bool = True
    is_highly_available: bool = False


@dataclass(frozen=True)
class ReplicaRequest:
    """A replica of ``source_id``; in another region it is a geo-replica."""

    id: str
    location: str
    source_id: str


@dataclass(frozen=True)
class ServerStatus:
    """What a server is now. ``Unavailable``: its region is lost."""

    id: str
    location: str
    role: Role
    state: State
    source_id: str | None
    host_name: str
    address: str
    is_highly_available: bool


@dataclass(frozen=True)
class ReplicaStatus:
    """A replica as its primary sees it.

    ``state`` is ``Active``, ``Catchup`` or ``Broken``, Azure's words; bytes of log and seconds are
    None when it is not connected.
    """

    id: str
    location: str
    state: ReplicationState
    lag_bytes: int | None
    lag_seconds: float | None


@dataclass(frozen=True)
class Promotion:
    """What a promotion did.

    ``lost_bytes`` is the log that the old primary had written and the new one does not have, an
    upper bound on what was lost; 0 for a planned one, None when the old primary could not be
    asked. ``committed_at`` (Unix seconds) is the last transaction that the new primary has.
    ``seconds`` is how long nothing could be written.
    """

    lost_bytes: int | None
    committed_at: float | None
    seconds: float

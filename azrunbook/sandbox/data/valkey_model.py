"""What is asked of caches and what they answer: values only. Ids are ARM ids, in any case."""

from dataclasses import dataclass, field
from typing import Literal

LinkState = Literal["Linked", "Linking", "LinkFailed"]


@dataclass(frozen=True)
class CacheRequest:
    """A cache as declared.

    ``host`` is its public name and ``port`` the one with TLS (10000 of Managed Redis, 6380 of
    Premium). Either of ``keys`` is the password. ``linked_ids`` are the others of its replication
    group. Of an active group (Managed Redis) every one takes writes; of a passive link (Premium,
    ``is_active`` False) the secondary, whose ``is_writable`` is False, does not.
    """

    id: str
    host: str
    port: int
    location: str
    memory_mib: int
    keys: tuple[str, str] = field(repr=False)
    linked_ids: tuple[str, ...] = ()
    is_active: bool = True
    is_writable: bool = True


@dataclass(frozen=True)
class CacheStatus:
    """What a cache is now.

    ``leader_id`` is the cache that takes the writes: itself, unless it replicates. ``lag_bytes``
    of the replication stream are None when it leads or is not connected.
    """

    id: str
    location: str
    is_running: bool
    leader_id: str
    link_state: LinkState
    lag_bytes: int | None

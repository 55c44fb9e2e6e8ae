"""Who asks: a user with groups, as authentication found them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class User:
    """An authenticated identity; `extra` is what tokens add (pod name and so on)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SYSTEM = User("system:azrunbook-controller", ("system:masters", "system:authenticated"))
"""The identity of the controllers of the cluster itself; may do everything."""

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))

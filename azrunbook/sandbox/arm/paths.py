"""Resource ids: parse and build, nothing else. No IO.

ARM compares ids without regard to letter case and still answers with the case of creation, so an id
carries its text and offers :attr:`ResourceId.key` for every comparison.
"""

from __future__ import annotations

import dataclasses
import re

_SCOPE = re.compile(
    r"^/subscriptions/(?P<subscription>[^/]+)"
    r"(?:/resourceGroups/(?P<group>[^/]+))?"
    r"(?:/providers/(?P<namespace>[^/]+)(?P<rest>(?:/[^/]+)*)|/(?P<tail>.+))?$",
    re.IGNORECASE,
)


class InvalidIdError(ValueError):
    """The text is no resource id."""


@dataclasses.dataclass(frozen=True)
class ResourceId:
    """One resource: ``/subscriptions/S/resourceGroups/G/providers/NS/type/name/type/name``."""

    subscription: str
    group: str | None = None
    namespace: str | None = None
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """The form to compare by."""
        return str(self).lower()

    @property
    def type(self) -> str:
        """For instance ``Microsoft.Network/virtualNetworks/subnets``."""
        if self.namespace is None:
            kind = "subscriptions" if self.group is None else "resourceGroups"
            return f"Microsoft.Resources/{kind}"
        for place in range(len(self.parts) - 1, -1, -1):
            if self._extends(place):
                kinds = [kind for kind, _ in self.parts[place + 1 :]]
                return "/".join([self.parts[place][1], *kinds])
        return "/".join([self.namespace, *(kind for kind, _ in self.parts)])

    @property
    def name(self) -> str:
        """The last name in the id."""
        if self.parts:
            return self.parts[-1][1]
        return self.group or self.subscription

    @property
    def path_name(self) -> str:
        """All names below the namespace, as ARM writes them in messages: ``parent/child``."""
        return "/".join(name for _, name in self.parts) or self.name

    @property
    def parent(self) -> ResourceId:
        """The resource this one lives in; for a top-level resource its group."""
        if len(self.parts) > 1:
            # What extends a resource (a role assignment) lives in that resource.
            kept = len(self.parts) - (2 if self._extends(len(self.parts) - 2) else 1)
            return dataclasses.replace(self, parts=self.parts[:kept])
        return self.scope

    @property
    def scope(self) -> ResourceId:
        """The group (or subscription) that contains this resource."""
        return dataclasses.replace(self, namespace=None, parts=())

    def child(self, kind: str, name: str) -> ResourceId:
        """Return the id of a nested resource."""
        return dataclasses.replace(self, parts=(*self.parts, (kind, name)))

    def contains(self, other: ResourceId) -> bool:
        """Tell whether the other lies strictly below this one."""
        return other.key.startswith(self.key + "/")

    def _extends(self, place: int) -> bool:
        return self.parts[place][0].lower() == "providers"

    def __str__(self) -> str:
        text = f"/subscriptions/{self.subscription}"
        if self.group is not None:
            text += f"/resourceGroups/{self.group}"
        if self.namespace is not None:
            text += f"/providers/{self.namespace}"
        return text + "".join(f"/{kind}/{name}" for kind, name in self.parts)


def split(path: str) -> tuple[ResourceId, str | None]:
    """Split a request path into the resource and what is left: a collection or an action.

    ``…/managedClusters/c/stop`` is cluster ``c`` and ``stop``; ``…/managedClusters`` is the
    namespace in its group and ``managedClusters``; ``/subscriptions/s/locations`` is the
    subscription and ``locations``.

    Raises:
        InvalidIdError: the path is not below ``/subscriptions/…``.
    """
    found = _SCOPE.match(path.rstrip("/"))
    if found is None:
        raise InvalidIdError(
            f"{path!r} is no resource id; expected for example "
            "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V"
        )
    segments = [part for part in (found["rest"] or "").split("/") if part]
    tail = segments.pop() if len(segments) % 2 else found["tail"]
    pairs = tuple(zip(segments[::2], segments[1::2], strict=True))
    return ResourceId(found["subscription"], found["group"], found["namespace"], pairs), tail


def parse(text: str) -> ResourceId:
    """Parse a full resource id.

    Raises:
        InvalidIdError: it is none, or it ends in a collection.
    """
    resource, tail = split(text)
    if tail is not None:
        raise InvalidIdError(f"{text!r} ends in {tail!r} without a name")
    return resource

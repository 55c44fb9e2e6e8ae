"""What a path asks for: group, version, resource, namespace, name, subresource.

Law: pure; the path only, not whether such a thing exists.
"""

from dataclasses import dataclass, replace
from urllib.parse import unquote


@dataclass(frozen=True)
class Target:
    """A path below /api or /apis that names a resource."""

    group: str
    version: str
    plural: str
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None
    rest: str = ""
    is_watch: bool = False


NAMESPACE_PARTS = (["status"], ["finalize"])


DISCOVERED = 2  # parts of /api/v1; a resource follows


def parse(path: str) -> Target | None:
    """The target of a path; None for discovery, health and all else that is not a resource."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > DISCOVERED:
        return _resource("", parts[1], parts[2:])
    if parts[0] == "apis" and len(parts) > DISCOVERED + 1:
        return _resource(parts[1], parts[2], parts[3:])
    return None


def _resource(group: str, version: str, parts: list[str]) -> Target:
    if parts[0] == "watch" and len(parts) > 1:
        return replace(_resource(group, version, parts[1:]), is_watch=True)
    if parts[0] == "namespaces" and parts[2:] and parts[2:] not in NAMESPACE_PARTS:
        return _named(Target(group, version, parts[2], namespace=parts[1]), parts[3:])
    return _named(Target(group, version, parts[0]), parts[1:])


def _named(target: Target, parts: list[str]) -> Target:
    if not parts:
        return target
    return replace(
        target,
        name=parts[0],
        subresource=parts[1] if len(parts) > 1 else None,
        rest="/".join(parts[2:]),
    )

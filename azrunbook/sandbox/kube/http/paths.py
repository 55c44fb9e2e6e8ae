"""What a path asks for: group, version, resource, namespace, name, subresource.

Law: pure; the path only, not whether such a thing exists.
"""

import json
from dataclasses import dataclass, replace
from urllib.parse import unquote

from azrunbook.sandbox.kube import errors


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
    """The target of a path; None for discovery, health and all else that is not a resource.

    Raises StatusError 400 for a name or namespace that can be no part of a path, 404 for a path
    that leaves one out.
    """
    parts = [unquote(part) for part in path.removeprefix("/").removesuffix("/").split("/")]
    target = None
    if parts[0] == "api" and len(parts) > DISCOVERED:
        target = _resource("", parts[1], parts[2:])
    if parts[0] == "apis" and len(parts) > DISCOVERED + 1:
        target = _resource(parts[1], parts[2], parts[3:])
    if target is not None:
        _require_names(target)
    return target


def _require_names(target: Target) -> None:
    for kind, name in (("Name", target.name), ("Namespace", target.namespace)):
        if name == "":
            raise errors.unknown_path()
        problems = _problems(name or "")
        if problems:
            shown = json.dumps(name, ensure_ascii=False)
            raise errors.bad_request(f"{kind} parameter invalid: {shown}: {'; '.join(problems)}")


def _problems(name: str) -> list[str]:
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{char}'" for char in ("/", "%") if char in name]


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

"""A registry's tokens, as Azure's registries issue them. No HTTP.

An Entra token is exchanged for a refresh token of one registry, and that for access tokens of one
repository. The refresh token is also the password of the user of zeros, which is how docker, podman
and buildah log in. Tokens are opaque here and known by lookup.
"""

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from azrunbook.sandbox.registry import content

USER = "00000000-0000-0000-0000-000000000000"
_REFRESH_SECONDS = 3 * 60 * 60.0  # as Azure's
_ACCESS_SECONDS = 75 * 60.0


@dataclass(frozen=True)
class Grant:
    """What a token is good for: actions on one registry; ``repository`` None: on all of it."""

    registry: str
    actions: frozenset[str]
    repository: str | None
    ends_at: float

    def allows(self, repository: str, action: str) -> bool:
        return action in self.actions and self.repository in {None, repository}


class Tokens:
    """Issues and checks tokens."""

    def __init__(self) -> None:
        self._refresh: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}

    def issue_refresh(self, registry: str, actions: Iterable[str]) -> str:
        """A refresh token for whoever may do these actions on a registry."""
        grant = Grant(registry, frozenset(actions), None, time.monotonic() + _REFRESH_SECONDS)
        return _issue(self._refresh, grant)

    def issue_access(self, refresh: str, scope: str) -> str:
        """An access token: ``repository:<name>:<actions>``, of these what the caller may do.

        Raises:
            content.RegistryError: 401, the refresh token is not one, or has expired.
        """
        known = _find(self._refresh, refresh)
        kind, _, rest = scope.partition(":")
        repository, _, asked = rest.rpartition(":")
        wanted = {"pull", "push", "delete"} if asked == "*" else set(asked.split(","))
        if kind != "repository":
            repository, wanted = "", {"catalog"}
        ends_at = time.monotonic() + _ACCESS_SECONDS
        grant = Grant(known.registry, known.actions & wanted, repository, ends_at)
        return _issue(self._access, grant)

    def find(self, access: str) -> Grant:
        """What an access token is good for.

        Raises:
            content.RegistryError: 401, it is not one, or has expired.
        """
        return _find(self._access, access)


def _issue(known: dict[str, Grant], grant: Grant) -> str:
    token = secrets.token_urlsafe(48)
    known[token] = grant
    return token


def _find(known: dict[str, Grant], token: str) -> Grant:
    grant = known.get(token)
    if grant is None or grant.ends_at < time.monotonic():
        raise content.RegistryError(401, "UNAUTHORIZED", "authentication required")
    return grant

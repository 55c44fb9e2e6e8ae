"""Secrets of one cluster: read, write, remove; values are registered before anybody sees them.

Talks to one API server. Writing is a server-side apply, so it is the same however often it is done,
and makes the namespace where there is none yet.
"""

import base64
from collections.abc import Mapping

from azrunbook import errors, kube_api, secrets

_MANAGER = {"fieldManager": "azrunbook", "force": "true"}
_APPLY = "application/apply-patch+yaml"


class Secrets:
    """The Secret objects of one cluster."""

    def __init__(self, api: kube_api.KubeApi) -> None:
        self._api = api

    def find(self, namespace: str, name: str) -> dict[str, str] | None:
        """Read a secret's values; None when there is none."""
        try:
            body = self._api.get(f"secret {name}", _path(namespace, name))
        except errors.NotFoundError:
            return None
        values = {
            key: base64.b64decode(value).decode() for key, value in (body.get("data") or {}).items()
        }
        for value in values.values():
            secrets.register(value)
        return values

    def write(self, namespace: str, name: str, values: Mapping[str, str]) -> None:
        """Make a secret hold these values, and its namespace be there."""
        for value in values.values():
            secrets.register(value)
        self._apply(f"/api/v1/namespaces/{namespace}", "Namespace", namespace, {})
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self._apply(_path(namespace, name), "Secret", name, {"type": "Opaque", "data": data})

    def delete(self, namespace: str, name: str) -> None:
        """Remove a secret; one that is gone is as good."""
        try:
            self._api.send("DELETE", f"secret {name}", _path(namespace, name))
        except errors.NotFoundError:
            return

    def _apply(self, path: str, kind: str, name: str, content: Mapping[str, object]) -> None:
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}
        self._api.send("PATCH", f"{kind.lower()} {name}", path, _MANAGER, body, media_type=_APPLY)


def _path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"

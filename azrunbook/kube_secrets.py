"""Secrets of one cluster: read, write, remove; values are registered before anybody sees them.

Talks to one API server. Writing is a server-side apply, so it is the same however often it is done,
and makes the namespace where there is none yet.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from azrunbook import errors, kube_api, secrets

_MANAGER = {"fieldManager": "azrunbook", "force": "true"}
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Stored:
    """A Secret as a cluster has it; values that are no text are shown by their readable part."""

    values: Mapping[str, str] = field(repr=False)
    annotations: Mapping[str, str]


class Secrets:
    """The Secret objects of one cluster."""

    def __init__(self, api: kube_api.KubeApi) -> None:
        self._api = api

    def find(self, namespace: str, name: str) -> Stored | None:
        """Read a secret; None when there is none."""
        try:
            body = self._api.get(f"secret {name}", _path(namespace, name))
        except errors.NotFoundError:
            return None
        values = {
            key: base64.b64decode(value).decode(errors="replace")
            for key, value in (body.get("data") or {}).items()
        }
        for value in values.values():
            # Somebody else may have written it; what is too short to be masked is no credential.
            if len(value) >= secrets.MINIMUM_CHARACTERS:
                secrets.register(value)
        return Stored(values, body["metadata"].get("annotations") or {})

    def write(
        self, namespace: str, name: str, values: Mapping[str, str], annotations: Mapping[str, str]
    ) -> None:
        """Make a secret hold these values, and its namespace be there."""
        for value in values.values():
            secrets.register(value)
        self._apply(f"/api/v1/namespaces/{namespace}", "Namespace", namespace, {}, {})
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        content = {"type": "Opaque", "data": data}
        self._apply(_path(namespace, name), "Secret", name, annotations, content)

    def delete(self, namespace: str, name: str) -> None:
        """Remove a secret; one that is gone is as good."""
        try:
            self._api.send("DELETE", f"secret {name}", _path(namespace, name))
        except errors.NotFoundError:
            return

    def _apply(
        self,
        path: str,
        kind: str,
        name: str,
        annotations: Mapping[str, str],
        content: Mapping[str, object],
    ) -> None:
        metadata = {"name": name, **({"annotations": dict(annotations)} if annotations else {})}
        body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}
        self._api.send("PATCH", f"{kind.lower()} {name}", path, _MANAGER, body, media_type=_APPLY)


def _path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets/{name}"

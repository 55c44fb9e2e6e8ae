"""ConfigMaps and Secrets that a pod refers to, read from the API server when they are needed."""

import base64

from azrunbook.sandbox.node import api, config


class MissingError(Exception):
    """A ConfigMap, a Secret or a key in one is not there; the words are the kubelet's."""


class References:
    """Reads each object at most once; made anew for each start of a container."""

    def __init__(self, client: api.ApiClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._seen: dict[str, dict[str, bytes] | None] = {}

    async def find_config_map(self, name: str) -> dict[str, bytes] | None:
        """Return the data of a ConfigMap, or None if there is none."""
        return await self._find("configmaps", name)

    async def find_secret(self, name: str) -> dict[str, bytes] | None:
        """Return the data of a Secret, or None if there is none."""
        return await self._find("secrets", name)

    async def get_data(
        self, kind: str, name: str, *, is_optional: bool = False
    ) -> dict[str, bytes]:
        """Return the data of ``configmap`` or ``secret``; nothing if it is optional and missing.

        Raises:
            MissingError: it is not there and not optional.
        """
        data = await self._find(f"{kind}s", name)
        if data is None and not is_optional:
            raise MissingError(f'{kind} "{name}" not found')
        return data or {}

    async def find_key(self, kind: str, selector: config.Object) -> str | None:
        """Return one value as text, or None if it is optional and missing.

        Raises:
            MissingError: the object or its key is not there and not optional.
        """
        name, key = selector.get("name", ""), selector["key"]
        is_optional = bool(selector.get("optional"))
        data = await self.get_data(kind, name, is_optional=is_optional)
        if key in data:
            return data[key].decode(errors="replace")
        if is_optional:
            return None
        title = "ConfigMap" if kind == "configmap" else "Secret"
        raise MissingError(f"couldn't find key {key} in {title} {self._namespace}/{name}")

    async def _find(self, plural: str, name: str) -> dict[str, bytes] | None:
        where = f"/api/v1/namespaces/{self._namespace}/{plural}/{name}"
        if where not in self._seen:
            try:
                self._seen[where] = _decode(await self._client.get(where))
            except api.ApiError as error:
                if not error.is_not_found:
                    raise
                self._seen[where] = None
        return self._seen[where]


def _decode(found: config.Object) -> dict[str, bytes]:
    is_secret = found.get("kind") == "Secret"
    data = {
        key: base64.b64decode(value) if is_secret else str(value).encode()
        for key, value in (found.get("data") or {}).items()
    }
    for key, value in (found.get("binaryData") or {}).items():
        data[key] = base64.b64decode(value)
    return data

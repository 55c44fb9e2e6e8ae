"""Objects of one cluster as a release's manifest names them. Reads one API server.

The plural of a kind, by which the API server is asked, is the server's own knowledge (custom kinds
come with the charts), so it is asked for it once per group and version.
"""

from collections.abc import Mapping
from typing import Any

from azrunbook import errors, kube_api


class LiveObjects:
    """Reads one cluster."""

    def __init__(self, api: kube_api.KubeApi) -> None:
        self._api = api
        self._kinds: dict[str, Mapping[str, tuple[str, bool]]] = {}

    def find(self, declared: Mapping[str, Any], namespace: str) -> Mapping[str, Any] | None:
        """Find the object that a manifest describes; None when it, or its kind, is not there.

        ``namespace`` is that of objects that name none.

        Raises:
            ConnectError: the cluster does not answer.
        """
        version, kind, metadata = declared["apiVersion"], declared["kind"], declared["metadata"]
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        try:
            plural, is_namespaced = self._list_kinds(base)[kind]
            scope = f"/namespaces/{metadata.get('namespace') or namespace}" if is_namespaced else ""
            path = f"{base}{scope}/{plural}/{metadata['name']}"
            return dict(self._api.get(f"{kind} {metadata['name']}", path))
        except (KeyError, errors.NotFoundError):
            return None

    def _list_kinds(self, base: str) -> Mapping[str, tuple[str, bool]]:
        """Plural and scope of every kind of a group and version; subresources have a slash."""
        if base not in self._kinds:
            found = self._api.get(f"kinds of {base}", base)
            self._kinds[base] = {
                one["kind"]: (one["name"], bool(one["namespaced"]))
                for one in found["resources"]
                if "/" not in one["name"]
            }
        return self._kinds[base]

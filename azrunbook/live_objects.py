"""Objects of one cluster as a release's manifest names them. Talks to one API server.

The plural of a kind, by which the API server is asked, is the server's own knowledge (custom kinds
come with the charts), so it is asked for it once per group and version.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azrunbook import errors, kube_api

_JSON_PATCH = "application/json-patch+json"
# What people put beside a release, by group and version; what controllers make of it is theirs.
_SEARCHED: Mapping[str, tuple[str, ...]] = {
    "/api/v1": (
        "configmaps", "persistentvolumeclaims", "pods", "secrets", "serviceaccounts", "services",
    ),
    "/apis/apps/v1": ("daemonsets", "deployments", "statefulsets"),
    "/apis/batch/v1": ("cronjobs", "jobs"),
    "/apis/autoscaling/v2": ("horizontalpodautoscalers",),
    "/apis/networking.k8s.io/v1": ("ingresses", "networkpolicies"),
    "/apis/policy/v1": ("poddisruptionbudgets",),
    "/apis/rbac.authorization.k8s.io/v1": ("rolebindings", "roles"),
}  # fmt: skip
# Helm's own records hold whole charts.
_NOT_HELM = "owner!=helm"


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
        try:
            what, path = self._locate(declared, namespace)
            return dict(self._api.get(what, path))
        except (KeyError, errors.NotFoundError):
            return None

    def patch(
        self,
        declared: Mapping[str, Any],
        namespace: str,
        operations: Iterable[Mapping[str, Any]],
        *,
        manager: str = "azrunbook",
    ) -> None:
        """Change an object by a JSON patch (RFC 6902): all of it, or nothing.

        ``manager`` owns the fields then.

        Raises:
            NotFoundError: the object is gone.
            StepError: what the patch tests is not so any more, or the result is refused.
        """
        what, path = self._locate(declared, namespace)
        body = list(operations)
        query = {"fieldManager": manager}
        self._api.send("PATCH", what, path, query, body, media_type=_JSON_PATCH)

    def list_all(self, namespace: str) -> Iterator[Mapping[str, Any]]:
        """List what is in a namespace of the kinds that people write."""
        for base, plurals in _SEARCHED.items():
            for plural in plurals:
                path = f"{base}/namespaces/{namespace}/{plural}"
                labels = _NOT_HELM if plural == "secrets" else ""
                found = self._api.get(f"{plural} in {namespace}", path, labels=labels)
                kind = str(found["kind"]).removesuffix("List")
                # The items of a list do not say what they are.
                yield from ({"kind": kind, **one} for one in found["items"])

    def _locate(self, declared: Mapping[str, Any], namespace: str) -> tuple[str, str]:
        """An object in words, and its path; KeyError when its kind is not served."""
        version, kind, metadata = declared["apiVersion"], declared["kind"], declared["metadata"]
        base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        plural, is_namespaced = self._list_kinds(base)[kind]
        scope = f"/namespaces/{metadata.get('namespace') or namespace}" if is_namespaced else ""
        return f"{kind} {metadata['name']}", f"{base}{scope}/{plural}/{metadata['name']}"

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

"""What every namespace holds from the start: ServiceAccount `default` and kube-root-ca.crt.

Law: only puts back what is missing or, for the CA bundle, wrong.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import loop
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

BUNDLE = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal "
    "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "
    "guaranteed across distributions of Kubernetes clusters."
)


class ServiceAccountController:
    """Keeps the default ServiceAccount and the CA bundle of each live namespace."""

    name = "serviceaccount"

    def __init__(self, cluster: Access, ca_pem: bytes) -> None:
        self._cluster = cluster
        self._ca_pem = ca_pem.decode()
        self._namespaces = cluster.resource("", "namespaces")
        self._accounts = cluster.resource("", "serviceaccounts")
        self._config_maps = cluster.resource("", "configmaps")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._namespaces, loop.own_key),
            loop.Watch(self._accounts, lambda change: _namespace_of(change, "default")),
            loop.Watch(self._config_maps, lambda change: _namespace_of(change, BUNDLE)),
        ]

    def reconcile(self, key: loop.Key) -> float | None:
        namespace = self._cluster.registry.find(self._namespaces, None, key[1])
        if namespace is None or "deletionTimestamp" in namespace["metadata"]:
            return None
        self.ensure(key[1])
        return None

    def ensure(self, namespace: str) -> None:
        """Put both objects into the namespace unless they are there as they should be."""
        store = self._cluster.registry
        if store.find(self._accounts, namespace, "default") is None:
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default", "namespace": namespace},
            }
            self._cluster.create(self._accounts, account)
        data = {"ca.crt": self._ca_pem}
        bundle = store.find(self._config_maps, namespace, BUNDLE)
        if bundle is None:
            made = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": BUNDLE,
                    "namespace": namespace,
                    "annotations": {"kubernetes.io/description": DESCRIPTION},
                },
                "data": data,
            }
            self._cluster.create(self._config_maps, made)
        elif bundle.get("data") != data:
            self._cluster.replace(self._config_maps, {**bundle, "data": data})


def _namespace_of(change: loop.Change, name: str) -> Iterable[loop.Key]:
    metadata = change.object["metadata"]
    return [("", metadata["namespace"])] if metadata["name"] == name else []

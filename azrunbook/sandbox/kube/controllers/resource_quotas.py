"""Resource quotas: what is allowed, and how much of it is used, in their status.

Law: writes the status of quotas and nothing else; admission counts for itself. Source:
pkg/controller/resourcequota.
"""

from collections.abc import Iterable, Sequence

from azrunbook.sandbox.kube.admission import quota
from azrunbook.sandbox.kube.controllers import loop
from azrunbook.sandbox.kube.controllers.access import Access

WATCHED = (
    *(("", plural) for plural in quota.COUNTED),
    ("apps", "deployments"),
    ("apps", "replicasets"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
    ("networking.k8s.io", "ingresses"),
)
"""What quotas are mostly about; a count of something else is renewed with the next of these."""


class ResourceQuotaController:
    """Keeps the status of each quota in step with its namespace."""

    name = "resourcequota"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._quotas = cluster.resource("", "resourcequotas")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._cluster.resource(group, plural), self._of_namespace)
            for group, plural in WATCHED
        ]

    def _of_namespace(self, change: loop.Change) -> Iterable[loop.Key]:
        namespace = change.object["metadata"]["namespace"]
        return [loop.key_of(one) for one in self._cluster.registry.list(self._quotas, namespace)]

    def reconcile(self, key: loop.Key) -> float | None:
        registry = self._cluster.registry
        found = registry.find(self._quotas, *key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return None
        hard = (found.get("spec") or {}).get("hard") or {}
        used = quota.used_of(registry, key[0], hard)
        shown = {name: quota.show(name, value) for name, value in sorted(used.items())}
        status = {"hard": hard, "used": shown} if hard else {}
        self._cluster.write_status(self._quotas, found, status)
        return None

"""APIServices: one for each version served here, and whether those of charts are available.

Law: the API server answers what it serves itself and forwards to nobody: an APIService with a
Service behind it is available only if its version is served here anyway (the metrics API), else
its condition says why not, at last that nothing is forwarded.
Source: kube-aggregator pkg/controllers/status, autoregister.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import conditions, loop
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
GROUP = "apiregistration.k8s.io"
_CORE_PRIORITY, _BUILT_IN_PRIORITY, _CUSTOM_PRIORITY = 18000, 17000, 1000


class ApiRegistrationController:
    """The key is an APIService's name; a definition's change makes all names due."""

    name = "api-registration"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._services = cluster.resource(GROUP, "apiservices")
        self._backing = cluster.resource("", "services")
        self._slices = cluster.resource("discovery.k8s.io", "endpointslices")
        self._definitions = cluster.resource("apiextensions.k8s.io", "customresourcedefinitions")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._services, loop.own_key),
            loop.Watch(self._definitions, self._of_definition),
            loop.Watch(self._backing, lambda _: self._backed()),
            loop.Watch(self._slices, lambda _: self._backed()),
        ]

    def ensure_all(self) -> None:
        """Register every version that is served when the cluster starts."""
        for name in self._served():
            self.reconcile(("", name))

    def _of_definition(self, change: loop.Change) -> Iterable[loop.Key]:
        spec = change.object["spec"]
        return [("", f"{version['name']}.{spec['group']}") for version in spec["versions"]]

    def _backed(self) -> Iterable[loop.Key]:
        found = self._cluster.registry.list(self._services)
        return [loop.key_of(one) for one in found if one["spec"].get("service")]

    def _served(self) -> dict[str, tuple[str, str]]:
        """Names of APIServices to (group, version), of everything that is served."""
        groups = self._cluster.registry.resources.groups()
        return {
            f"{version}.{group}": (group, version)
            for group, versions in groups.items()
            for version in versions
        }

    def reconcile(self, key: loop.Key) -> float | None:
        name, served = key[1], self._served()
        service = self._cluster.registry.find(self._services, None, name)
        if service is None:
            if name in served:
                self._register(*served[name])
            return None
        if service["spec"].get("service"):
            self._judge(service, is_served=name in served)
        elif name not in served and MANAGED in (service["metadata"].get("labels") or {}):
            self._cluster.delete(self._services, service)
        else:
            message = "Local APIServices are always available"
            self._say(service, reason="Local", message=message)
        return None

    def _register(self, group: str, version: str) -> None:
        resources = self._cluster.registry.resources.in_version(group, version)
        is_custom = any(resource.custom is not None for resource in resources)
        priority = _CUSTOM_PRIORITY if is_custom else _BUILT_IN_PRIORITY
        service = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "APIService",
            "metadata": {
                "name": f"{version}.{group}",
                "labels": {MANAGED: "true" if is_custom else "onstart"},
            },
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": priority if group else _CORE_PRIORITY,
                "versionPriority": 100 if is_custom else 15,
            },
        }
        self._cluster.create(self._services, service)

    def _judge(self, service: Object, *, is_served: bool) -> None:
        reference = service["spec"]["service"]
        where = f'service/{reference["name"]} in "{reference["namespace"]}"'
        key = (reference["namespace"], reference["name"])
        if is_served:
            self._say(service, reason="Passed", message="all checks passed")
        elif self._cluster.registry.find(self._backing, *key) is None:
            self._say(service, reason="ServiceNotFound", message=f"{where} is not present")
        elif not self._has_endpoints(*key):
            message = f"endpoints for {where} have no addresses"
            self._say(service, reason="MissingEndpoints", message=message)
        else:
            message = "this API server forwards no requests to other API servers"
            self._say(service, reason="FailedDiscoveryCheck", message=message)

    def _has_endpoints(self, namespace: str, name: str) -> bool:
        selector = f"kubernetes.io/service-name={name}"
        slices = self._cluster.registry.list(self._slices, namespace, label_selector=selector)
        return any(
            (endpoint.get("conditions") or {}).get("ready")
            for one in slices
            for endpoint in one.get("endpoints") or ()
        )

    def _say(self, service: Object, *, reason: str, message: str) -> None:
        present = (service.get("status") or {}).get("conditions") or []
        made = conditions.condition(
            "Available",
            reason in ("Local", "Passed"),
            at=self._cluster.now_text(),
            reason=reason,
            message=message,
        )
        status = {"conditions": conditions.replaced(present, made)}
        self._cluster.write_status(self._services, service, status)

"""Resource quotas: what a namespace may hold, counted from the objects that it holds.

Law: counts anew for every creation in a namespace that has a quota; nothing is remembered.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors, quantities
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.validation.containers import quantity

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
COUNTED = {
    "pods": "pods",
    "services": "services",
    "configmaps": "configmaps",
    "secrets": "secrets",
    "persistentvolumeclaims": "persistentvolumeclaims",
    "replicationcontrollers": "replicationcontrollers",
    "resourcequotas": "resourcequotas",
}


def usage(resource: Resource, obj: Object) -> dict[str, Fraction]:
    """What one object uses, by the names of quotas."""
    one = Fraction(1)
    found = {f"count/{resource.storage}": one}
    if resource.storage in COUNTED:
        found[COUNTED[resource.storage]] = one
    spec = obj.get("spec") or {}
    if resource.storage == "pods":
        if (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return {}
        found.update(_computed(spec))
    if resource.storage == "services":
        ports = sum(bool(port.get("nodePort")) for port in spec.get("ports") or [])
        if spec.get("type") == "NodePort":
            ports = len(spec.get("ports") or [])
        if ports:
            found["services.nodeports"] = Fraction(ports)
        if spec.get("type") == "LoadBalancer":
            found["services.loadbalancers"] = one
    if resource.storage == "persistentvolumeclaims":
        asked = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
        if asked is not None:
            found["requests.storage"] = quantity(asked)
    return found


def _computed(spec: Object) -> dict[str, Fraction]:
    """The sums of requests and limits of a pod."""
    found: dict[str, Fraction] = {}
    for container in spec.get("containers") or []:
        resources = container.get("resources") or {}
        for kind in ("requests", "limits"):
            for name, value in (resources.get(kind) or {}).items():
                key = f"{kind}.{name}"
                found[key] = found.get(key, Fraction(0)) + quantity(value)
    for name in ("cpu", "memory"):
        if f"requests.{name}" in found:
            found[name] = found[f"requests.{name}"]
    return found


def require(registry: "Registry", resource: Resource, obj: Object) -> None:
    """Raise StatusError 403 if a new object does not fit into its namespace's quotas."""
    namespace = obj["metadata"]["namespace"]
    quotas = registry.store.list_all("resourcequotas", namespace)
    if not quotas:
        return
    wanted = usage(resource, obj)
    used: dict[str, Fraction] = {}
    for other in registry.store.list_all(resource.storage, namespace):
        for name, value in usage(resource, other).items():
            used[name] = used.get(name, Fraction(0)) + value
    for quota in quotas:
        _fit(resource, obj, quota, wanted, used)


def _fit(
    resource: Resource,
    obj: Object,
    quota: Object,
    wanted: dict[str, Fraction],
    used: dict[str, Fraction],
) -> None:
    hard = quota["spec"].get("hard") or {}
    name = quota["metadata"]["name"]
    subject = obj["metadata"].get("name", "")
    if resource.storage == "pods":
        computed = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu",
                    "limits.memory")  # fmt: skip
        absent = sorted(key for key in hard if key in computed and key not in wanted)
        if absent:
            why = f"failed quota: {name}: must specify {','.join(absent)}"
            raise errors.forbidden("pods", "", subject, why)
    over = sorted(
        key
        for key, value in wanted.items()
        if key in hard and used.get(key, Fraction(0)) + value > quantity(hard[key])
    )
    if over:
        asked = ",".join(f"{key}={show(key, wanted[key])}" for key in over)
        taken = ",".join(f"{key}={show(key, used.get(key, Fraction(0)))}" for key in over)
        limit = ",".join(f"{key}={hard[key]}" for key in over)
        why = f"exceeded quota: {name}, requested: {asked}, used: {taken}, limited: {limit}"
        raise errors.forbidden(resource.plural, resource.group, subject, why)


def show(name: str, value: Fraction) -> str:
    """An amount of a resource: memory and storage in 1024s."""
    return quantities.written(value, is_binary=name.endswith(("memory", "storage")))


def used_of(registry: "Registry", namespace: str, names: Iterable[str]) -> dict[str, Fraction]:
    """What a namespace uses of the resources of these names."""
    found = dict.fromkeys(names, Fraction(0))
    stored = {one.storage: one for one in registry.resources if one.namespaced and one.is_stored}
    for resource in stored.values():
        for obj in registry.store.list_all(resource.storage, namespace):
            for name, value in usage(resource, obj).items():
                if name in found:
                    found[name] += value
    return found

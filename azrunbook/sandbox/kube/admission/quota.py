"""Resource quotas: what a namespace may hold, counted from the objects that it holds.

Law: counts anew for every creation in a namespace that has a quota; nothing is remembered.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors
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
        kind = {"NodePort": "services.nodeports", "LoadBalancer": "services.loadbalancers"}
        if spec.get("type") in kind:
            found[kind[spec["type"]]] = one
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
        asked = ",".join(f"{key}={_show(wanted[key])}" for key in over)
        taken = ",".join(f"{key}={_show(used.get(key, Fraction(0)))}" for key in over)
        limit = ",".join(f"{key}={hard[key]}" for key in over)
        why = f"exceeded quota: {name}, requested: {asked}, used: {taken}, limited: {limit}"
        raise errors.forbidden(resource.plural, resource.group, subject, why)


def _show(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    return f"{int(value * 1000)}m"

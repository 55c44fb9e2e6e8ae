"""LimitRanges: what containers, pods and claims ask for is filled in and bounded.

Law: reads the limits of the namespace; changes only the object that comes in.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors, quantities
from azrunbook.sandbox.kube.validation.containers import quantity

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
LIMITED = frozenset({"pods", "persistentvolumeclaims"})
ANNOTATION = "kubernetes.io/limit-ranger"


def admit(registry: "Registry", storage: str, obj: Object) -> None:
    """Fill in defaults, then hold every limit; raises StatusError 403 with all that is over."""
    ranges = registry.store.list_all("limitranges", obj["metadata"]["namespace"])
    items = [item for one in ranges for item in (one.get("spec") or {}).get("limits") or []]
    if storage == "pods":
        _fill(obj, [item for item in items if item.get("type") == "Container"])
    for one in ranges:
        over = list(_over(storage, obj, (one.get("spec") or {}).get("limits") or []))
        if over:
            why = over[0] if len(over) == 1 else "[" + ", ".join(over) + "]"
            raise errors.forbidden(storage, "", obj["metadata"].get("name", ""), why)


def _fill(obj: Object, items: list[Object]) -> None:
    said: list[str] = []
    for key, word in (("containers", "container"), ("initContainers", "init container")):
        for container in obj["spec"].get(key) or []:
            said += _fill_container(container, word, items)
    if said:
        annotations = obj["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = "LimitRanger plugin set: " + "; ".join(said)


def _fill_container(container: Object, word: str, items: list[Object]) -> list[str]:
    resources = container["resources"]
    said: list[str] = []
    for kind, source in (("requests", "defaultRequest"), ("limits", "default")):
        given = {name: value for item in items for name, value in (item.get(source) or {}).items()}
        absent = sorted(name for name in given if name not in (resources.get(kind) or {}))
        for name in absent:
            resources.setdefault(kind, {})[name] = given[name]
        if absent:
            said.append(f"{', '.join(absent)} {kind[:-1]} for {word} {container['name']}")
    return said


Asked = tuple[dict[str, Any], dict[str, Any]]
"""What is requested, and what it is limited to, by resource."""


def _over(storage: str, obj: Object, items: list[Object]) -> Iterator[str]:
    for item in items:
        kind = item.get("type", "")
        for requests, limits in _asked(storage, kind, obj):
            yield from _bounds(kind, item, requests, limits)


def _asked(storage: str, kind: str, obj: Object) -> Iterator[Asked]:
    spec = obj["spec"]
    if storage == "persistentvolumeclaims":
        if kind == "PersistentVolumeClaim":
            yield (spec.get("resources") or {}).get("requests") or {}, {}
        return
    parts = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    asked = [
        ((part.get("resources") or {}).get("requests") or {},
         (part.get("resources") or {}).get("limits") or {})
        for part in parts
    ]  # fmt: skip
    if kind == "Container":
        yield from asked
    elif kind == "Pod":
        whole = asked[: len(spec.get("containers") or [])]
        yield _summed([one[0] for one in whole]), _summed([one[1] for one in whole])


def _summed(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What containers ask for together, of what each of them says."""
    found: dict[str, Any] = {}
    for name in set().union(*parts):
        given = [part[name] for part in parts if name in part]
        total = sum(map(quantity, given), Fraction(0))
        found[name] = quantities.written(total, is_binary=str(given[0]).endswith("i"))
    return found


def _bounds(kind: str, item: Object, requests: Object, limits: Object) -> Iterator[str]:
    is_claim = kind == "PersistentVolumeClaim"
    for name, lowest in sorted((item.get("min") or {}).items()):
        start = f"minimum {name} usage per {kind} is {lowest}"
        if name not in requests:
            yield f"{start}.  No request is specified"
        elif quantity(requests[name]) < quantity(lowest):
            yield f"{start}, but request is {requests[name]}"
        elif name in limits and quantity(limits[name]) < quantity(lowest):
            yield f"{start}, but limit is {limits[name]}"
    for name, highest in sorted((item.get("max") or {}).items()):
        start = f"maximum {name} usage per {kind} is {highest}"
        if is_claim:
            if name in requests and quantity(requests[name]) > quantity(highest):
                yield f"{start}, but request is {requests[name]}"
        elif name not in limits:
            yield f"{start}.  No limit is specified"
        elif quantity(limits[name]) > quantity(highest):
            yield f"{start}, but limit is {limits[name]}"
    yield from _ratios(kind, item, requests, limits)


def _ratios(kind: str, item: Object, requests: Object, limits: Object) -> Iterator[str]:
    for name, highest in sorted((item.get("maxLimitRequestRatio") or {}).items()):
        start = f"{name} max limit to request ratio per {kind} is {highest}"
        if name not in requests or name not in limits or not quantity(requests[name]):
            yield f"{start}, but no request is specified or request is 0"
            continue
        ratio = quantity(limits[name]) / quantity(requests[name])
        if ratio > quantity(highest):
            yield f"{start}, but provided ratio is {float(ratio):f}"

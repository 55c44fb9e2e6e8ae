"""Kubernetes manifests as Helm renders them, and what differs between two sets of them. Pure.

Objects are the same when kind, namespace and name are. What a Secret holds is never shown, neither
here nor in what is made of it; that it changed is.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from azrunbook import plan

Object = Mapping[str, Any]
_HIDDEN = "(hidden)"
_OTHER = "(hidden, another value)"
_DIGEST_CHARACTERS = 12


def read(text: str) -> list[Object]:
    """Read the objects of a multi-document manifest; empty documents are passed over.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return [one for one in yaml.safe_load_all(text) if one]


def compare(
    before: Iterable[Object], after: Iterable[Object], *, namespace: str
) -> tuple[plan.PropertyChange, ...]:
    """List what changes, object by object; ``namespace`` is that of objects that name none.

    An object that comes or goes is one change, told by a digest of its content. How many replicas
    an autoscaler's target has is the autoscaler's decision, and no change.
    """
    old = {_name(one, namespace): one for one in before}
    new = {_name(one, namespace): one for one in after}
    scaled = {f"{one} spec replicas" for one in _list_scaled(old) & _list_scaled(new)}
    changes: list[plan.PropertyChange] = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            changes.append(plan.PropertyChange(name, _digest(old[name]), None))
        elif name not in old:
            changes.append(plan.PropertyChange(name, None, _digest(new[name])))
        elif old[name].get("kind") == "Secret":
            changes += _hide(_differences(old[name], new[name], name))
        else:
            changes += _differences(old[name], new[name], name)
    return tuple(one for one in changes if one.path not in scaled)


def _list_scaled(objects: Mapping[str, Object]) -> set[str]:
    """The targets of the autoscalers among some objects, as those are named."""
    found = set()
    for name, one in objects.items():
        if one.get("kind") == "HorizontalPodAutoscaler":
            target = one["spec"]["scaleTargetRef"]
            namespace = name.partition(" ")[2].partition("/")[0]
            found.add(f"{target['kind']} {namespace}/{target['name']}")
    return found


def _name(one: Object, namespace: str) -> str:
    metadata = one["metadata"]
    return f"{one['kind']} {metadata.get('namespace') or namespace}/{metadata['name']}"


def _digest(one: Object) -> str:
    text = json.dumps(one, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]}"


def _differences(before: Any, after: Any, path: str) -> Iterator[plan.PropertyChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted(before.keys() | after.keys(), key=str):
            yield from _differences(before.get(key), after.get(key), f"{path} {key}")
    elif _is_named(before) and _is_named(after):
        old = {item["name"]: item for item in before}
        new = {item["name"]: item for item in after}
        for name in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(name), new.get(name), f"{path}[{name}]")
    elif before != after:
        yield plan.PropertyChange(path, before, after)


def _is_named(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(item, Mapping) and "name" in item for item in value)
        and len({str(item["name"]) for item in value}) == len(value)
    )


def _hide(changes: Iterable[plan.PropertyChange]) -> Iterator[plan.PropertyChange]:
    for one in changes:
        yield plan.PropertyChange(
            one.path,
            None if one.before is None else _HIDDEN,
            None if one.after is None else _OTHER,
        )

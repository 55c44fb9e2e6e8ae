"""Field selectors: which fields each resource can be selected by, and how a text is read.

Law: pure. The list of selectable fields is the real server's; all others are refused with 400.
"""

import functools
from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.resources import Resource
from azrunbook.sandbox.kube.selectors import Predicate

Object = dict[str, Any]

SELECTABLE: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.hostNetwork",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.nominatedNodeName",
        "status.phase",
        "status.podIP",
        "status.podIPs",
    ),
    "nodes": ("spec.unschedulable",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "namespaces": ("status.phase",),
    "replicationcontrollers": ("status.replicas",),
    "replicasets.apps": ("status.replicas",),
    "jobs.batch": ("status.successful",),
    "certificatesigningrequests.certificates.k8s.io": ("spec.signerName",),
    "resourceslices.resource.k8s.io": ("spec.driver", "spec.nodeName"),
    "ipaddresses.networking.k8s.io": (),
    "events": (
        "involvedObject.apiVersion",
        "involvedObject.fieldPath",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.resourceVersion",
        "involvedObject.uid",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}

RENAMED = {
    ("events.k8s.io", "regarding"): "involvedObject",
    ("events.k8s.io", "reportingController"): "reportingComponent",
}


def _selectable(resource: Resource) -> tuple[str, ...]:
    if resource.custom is not None:
        paths = resource.custom.get("selectableFields") or []
        return tuple(str(part["jsonPath"]).lstrip(".") for part in paths)
    return SELECTABLE.get(resource.storage, ())


def _stored_path(resource: Resource, path: str) -> str:
    head, dot, rest = path.partition(".")
    return RENAMED.get((resource.group, head), head) + dot + rest


def _unknown(resource: Resource, path: str) -> errors.StatusError:
    if _selectable(resource):
        return errors.bad_request(f"field label not supported: {path}")
    return errors.bad_request(
        f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


ABSENT = {
    "spec.unschedulable": "false",
    "spec.hostNetwork": "false",
    "status.replicas": "0",
    "status.successful": "0",
}
RENAMED_VALUES = {"status.successful": "status.succeeded"}


def read(obj: Object, path: str) -> str:
    """The value of a selectable field as text, "" when it is absent."""
    return _reader(path)(obj)


@functools.cache
def _reader(path: str) -> Callable[[Object], str]:
    """What reads a field, made once: a watch of one node's pods asks every pod."""
    if path == "source":
        return _read_source
    if path == "status.podIPs":
        return _read_addresses
    parts, absent = RENAMED_VALUES.get(path, path).split("."), ABSENT.get(path, "")

    def read_parts(obj: Object) -> str:
        value: Any = obj
        for part in parts:
            if not isinstance(value, dict):
                return absent
            value = value.get(part)
        if type(value) is str:
            return value
        return absent if value is None else _text(value)

    return read_parts


def _read_source(obj: Object) -> str:
    return _text((obj.get("source") or {}).get("component") or obj.get("reportingComponent"))


def _read_addresses(obj: Object) -> str:
    return ",".join(part["ip"] for part in (obj.get("status") or {}).get("podIPs") or [])


def _terms(text: str) -> list[tuple[str, str, str]]:
    found = []
    for term in text.split(","):
        if not term:
            continue
        for operator in ("!=", "==", "="):
            left, middle, right = term.partition(operator)
            if middle:
                found.append((left.strip(), operator, right))
                break
        else:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
    return found


@functools.lru_cache(maxsize=1024)
def field_predicate(resource: Resource, text: str) -> Predicate | None:
    """A predicate over stored objects; None when all match. Raises StatusError 400."""
    terms = []
    for path, operator, value in _terms(text):
        stored = _stored_path(resource, path)
        always = ("metadata.name", "metadata.namespace")
        if stored not in (*always, *_selectable(resource)):
            raise _unknown(resource, path)
        terms.append((_reader(stored), operator != "!=", value))
    if not terms:
        return None
    if len(terms) == 1:
        reader, is_same, wanted = terms[0]
        return lambda obj: (reader(obj) == wanted) is is_same
    return lambda obj: all((reader(obj) == value) is same for reader, same, value in terms)

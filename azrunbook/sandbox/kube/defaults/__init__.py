"""Defaults: what the real server fills in when a client leaves it out.

Law: pure; an object is changed in place, the caller has copied it. One function per kind, found by
the name of its collection; parts shared by kinds (pod template, probe) are functions too.
"""

from collections.abc import Callable
from typing import Any

from azrunbook.sandbox.kube.defaults import extensions, pods, services, storage, workloads
from azrunbook.sandbox.kube.resources import Resource

Object = dict[str, Any]
DEFAULTS: dict[str, Callable[[Object], None]] = {
    "pods": pods.pod,
    **workloads.DEFAULTS,
    **services.DEFAULTS,
    **storage.DEFAULTS,
    **extensions.DEFAULTS,
}


def apply(resource: Resource, obj: Object) -> None:
    """Fill in the defaults of this kind."""
    default = DEFAULTS.get(resource.storage)
    if default is not None:
        default(obj)

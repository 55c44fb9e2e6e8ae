"""Values that only Azure knows, as references in a desired body. Pure.

The object id of an identity exists once the identity does; what needs it says
``[reference('<id>').properties.principalId]``, as an ARM template does. A plan shows the reference
while its target is not there, and the value from then on.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_REFERENCE = re.compile(r"^\[reference\('(?P<id>[^']+)'\)\.(?P<path>[\w.]+)\]$")
# What a put replaces by a new random secret; it stands in no plan and no record.
SECRET = "[newSecret()]"  # noqa: S105 - a placeholder

Find = Callable[[str], Mapping[str, Any] | None]


def reference(resource_id: str, path: str) -> str:
    """Write a reference to a property of another resource."""
    return f"[reference('{resource_id}').{path}]"


def list_references(value: Any) -> Iterator[str]:
    """The ids of the resources that a body refers to."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from list_references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from list_references(part)
    elif isinstance(value, str) and (found := _REFERENCE.match(value)):
        yield found["id"]


def resolve(value: Any, find: Find) -> Any:
    """Replace references by what is found; one whose target is not there yet stays as it is."""
    if isinstance(value, Mapping):
        return {key: resolve(part, find) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(part, find) for part in value]
    found = _REFERENCE.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    target: Any = find(found["id"])
    for key in found["path"].split("."):
        target = target.get(key) if isinstance(target, Mapping) else None
    return value if target is None else target


def fill_secrets(value: Any, make: Callable[[], str]) -> Any:
    """Replace every placeholder of a secret by one that ``make`` returns."""
    if isinstance(value, Mapping):
        return {key: fill_secrets(part, make) for key, part in value.items()}
    return make() if value == SECRET else value

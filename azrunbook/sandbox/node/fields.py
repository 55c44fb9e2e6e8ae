"""The downward API: fields and resources of a pod as text. Pure."""

import math
import re

from azrunbook.sandbox.node import config, registration

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


class FieldError(Exception):
    """A pod asks for a field that the downward API does not have."""


def resolve_field(pod: config.Object, path: str) -> str:
    """Return the text of a ``fieldRef.fieldPath``.

    Raises:
        FieldError: no such field.
    """
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    if match := _SUBSCRIPT.match(path):
        return str((meta.get(match[1]) or {}).get(match[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        entries = meta.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{_escape(value)}"' for key, value in sorted(entries.items()))
    plain = {
        "metadata.name": meta.get("name"),
        "metadata.namespace": meta.get("namespace"),
        "metadata.uid": meta.get("uid"),
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP"),
        "status.podIPs": ",".join(entry["ip"] for entry in status.get("podIPs") or ()),
        "status.hostIP": status.get("hostIP"),
        "status.hostIPs": ",".join(entry["ip"] for entry in status.get("hostIPs") or ()),
    }
    if path not in plain:
        raise FieldError(f"unsupported fieldPath: {path}")
    return str(plain[path] or "")


def resolve_resource(
    container: config.Object, selector: config.Object, allocatable: dict[str, str]
) -> str:
    """Return the text of a ``resourceFieldRef``: in units of its divisor, rounded up.

    Without a limit the node's allocatable amount counts, as in a real cluster.

    Raises:
        FieldError: no such resource.
    """
    group, _, name = selector["resource"].partition(".")
    if group not in {"limits", "requests"} or not name:
        raise FieldError(f"unsupported container resource: {selector['resource']}")
    resources = container.get("resources") or {}
    amount = (resources.get(group) or {}).get(name)
    if amount is None:
        amount = allocatable.get(name, "0") if group == "limits" else "0"
    divisor = registration.parse_quantity(selector.get("divisor") or "1") or 1
    return str(math.ceil(registration.parse_quantity(amount) / divisor))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

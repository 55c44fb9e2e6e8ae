"""The environment variables of a container, as its specification and the kubelet give them.

Order as in the kubelet: what the image sets, the cluster's own, ``envFrom``, ``env``; a later one
wins, and ``$(NAME)`` refers to what was set before it.
"""

import re
from collections.abc import Mapping
from urllib import parse

from azrunbook.sandbox.node import config, fields, references

_REFERENCE = re.compile(r"\$(\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace ``$(NAME)``; an unknown name stays as written, ``$$`` is a dollar."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return known.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def describe_cluster(api_url: str) -> dict[str, str]:
    """Return the variables by which in-cluster clients find the API server."""
    address = parse.urlsplit(api_url)
    host, port = address.hostname or "", str(address.port or 443)
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
        "KUBERNETES_PORT": f"tcp://{host}:{port}",
        f"KUBERNETES_PORT_{port}_TCP": f"tcp://{host}:{port}",
    }


async def build_environment(
    pod: config.Object,
    container: config.Object,
    *,
    inherited: Mapping[str, str],
    found: references.References,
    allocatable: dict[str, str],
) -> dict[str, str]:
    """Return the variables of one container; ``inherited`` is what the image and cluster set.

    Raises:
        MissingError: a ConfigMap, a Secret or a key is missing (CreateContainerConfigError).
        FieldError: a field that does not exist.
    """
    values = dict(inherited)
    for source in container.get("envFrom") or ():
        values.update(await _read_source(source, found))
    for entry in container.get("env") or ():
        name = entry["name"]
        if "valueFrom" not in entry or entry["valueFrom"] is None:
            values[name] = expand(str(entry.get("value") or ""), values)
            continue
        value = await _read_value(entry["valueFrom"], pod, container, found, allocatable)
        if value is not None:
            values[name] = value
    return values


async def _read_source(source: config.Object, found: references.References) -> dict[str, str]:
    kind, selector = (
        ("configmap", source["configMapRef"])
        if source.get("configMapRef")
        else ("secret", source["secretRef"])
    )
    is_optional = bool(selector.get("optional"))
    data = await found.get_data(kind, selector.get("name", ""), is_optional=is_optional)
    prefix = source.get("prefix") or ""
    return {prefix + key: value.decode(errors="replace") for key, value in data.items()}


async def _read_value(
    source: config.Object,
    pod: config.Object,
    container: config.Object,
    found: references.References,
    allocatable: dict[str, str],
) -> str | None:
    if selector := source.get("fieldRef"):
        return fields.resolve_field(pod, selector["fieldPath"])
    if selector := source.get("resourceFieldRef"):
        return fields.resolve_resource(container, selector, allocatable)
    if selector := source.get("configMapKeyRef"):
        return await found.find_key("configmap", selector)
    if selector := source.get("secretKeyRef"):
        return await found.find_key("secret", selector)
    raise fields.FieldError(f"unsupported valueFrom: {', '.join(source)}")

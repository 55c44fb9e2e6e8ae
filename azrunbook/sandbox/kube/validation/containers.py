"""Validation of containers: names, images, ports, environment, probes, resources, mounts."""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from azrunbook.sandbox.kube.errors import Cause
from azrunbook.sandbox.kube.validation import causes, names

Object = dict[str, Any]
HIGHEST_PORT = 65535
PORT_RANGE = f"must be between 1 and {HIGHEST_PORT}, inclusive"
PROTOCOLS = ("SCTP", "TCP", "UDP")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
SUFFIXES: dict[str, Fraction | int] = {
    "": 1, "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000),
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip


def quantity(text: Any) -> Fraction:
    """The value of a quantity; raises ValueError."""
    match = re.fullmatch(r"([+-]?[\d.]+)(?:([eE][+-]?\d+)|([numkKMGTPE]i?)?)", str(text))
    if match is None:
        raise ValueError(text)
    number, exponent, suffix = match.groups()
    if exponent:
        return Fraction(number + exponent)
    return Fraction(number) * SUFFIXES[suffix or ""]


def port_number(where: str, value: Any) -> list[Cause]:
    """A number that has to be a port."""
    if isinstance(value, int) and 1 <= value <= HIGHEST_PORT:
        return []
    return [causes.invalid(where, value, PORT_RANGE)]


def port_or_name(where: str, value: Any) -> list[Cause]:
    """A port by number or by name."""
    if isinstance(value, str):
        return [causes.invalid(where, value, why) for why in names.port_name(value)]
    return port_number(where, value)


def containers(found: Sequence[Object] | None, where: str, volumes: set[str]) -> list[Cause]:
    """The containers of a pod; at least one is needed."""
    if not found:
        return [causes.required(where)]
    return each(found, where, volumes)


def each(found: Sequence[Object], where: str, volumes: set[str]) -> list[Cause]:
    problems: list[Cause] = []
    seen: set[str] = set()
    for index, part in enumerate(found):
        place = f"{where}[{index}]"
        name = part.get("name", "")
        if not name:
            problems.append(causes.required(f"{place}.name"))
        else:
            problems += [causes.invalid(f"{place}.name", name, why) for why in names.label(name)]
        if name in seen:
            problems.append(causes.duplicate(f"{place}.name", name))
        seen.add(name)
        problems += _container(part, place, volumes)
    return problems


def _container(part: Object, where: str, volumes: set[str]) -> list[Cause]:
    image = part.get("image", "")
    found: list[Cause] = []
    if not image:
        found.append(causes.required(f"{where}.image"))
    elif image != image.strip():
        why = "must not have leading or trailing whitespace"
        found.append(causes.invalid(f"{where}.image", image, why))
    messages = ("FallbackToLogsOnError", "File")
    policy = part.get("terminationMessagePolicy")
    found += causes.one_of(f"{where}.terminationMessagePolicy", policy, messages)
    found += _ports(part.get("ports") or [], f"{where}.ports")
    found += _environment(part.get("env") or [], f"{where}.env")
    found += _mounts(part.get("volumeMounts") or [], f"{where}.volumeMounts", volumes)
    policy = part.get("imagePullPolicy")
    found += causes.one_of(f"{where}.imagePullPolicy", policy, PULL_POLICIES)
    found += resources(part.get("resources") or {}, f"{where}.resources")
    found += _security(part.get("securityContext") or {}, f"{where}.securityContext")
    return found + _hooks(part, where)


def _hooks(part: Object, where: str) -> list[Cause]:
    """What is called or run in a container from outside: hooks and probes."""
    found: list[Cause] = []
    for key in ("postStart", "preStop"):
        handler = (part.get("lifecycle") or {}).get(key)
        if handler is not None:
            found += _handler(handler, f"{where}.lifecycle.{key}")
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        if key in part:
            found += _probe(part[key], f"{where}.{key}", is_single=key != "readinessProbe")
    return found


HIGHEST_ID = 2147483647
CONTEXT = (
    "Capabilities", "Privileged", "SELinuxOptions", "WindowsOptions", "RunAsUser", "RunAsGroup",
    "RunAsNonRoot", "ReadOnlyRootFilesystem", "AllowPrivilegeEscalation", "ProcMount",
    "SeccompProfile", "AppArmorProfile",
)  # fmt: skip
"""A container's security context in the order of the server's internal type."""


def identities(part: Object, where: str, keys: Sequence[str]) -> list[Cause]:
    """Users and groups by number."""
    return [
        causes.invalid(
            f"{where}.{key}", part[key], f"must be between 0 and {HIGHEST_ID}, inclusive"
        )
        for key in keys
        if part.get(key) is not None and not 0 <= part[key] <= HIGHEST_ID
    ]


def _security(part: Object, where: str) -> list[Cause]:
    found = identities(part, where, ("runAsUser", "runAsGroup"))
    if part.get("allowPrivilegeEscalation") is False and part.get("privileged"):
        shown = {name: part.get(name[0].lower() + name[1:]) for name in CONTEXT}
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        found.append(causes.invalid(where, shown, why))
    return found


def _ports(ports: Sequence[Object], where: str) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        place = f"{where}[{index}]"
        name = port.get("name")
        if name:
            problems = names.port_name(name)
            found += [causes.invalid(f"{place}.name", name, why) for why in problems]
            if not problems and name in seen:
                found.append(causes.duplicate(f"{place}.name", name))
            seen.add(name)
        if not port.get("containerPort"):
            found.append(causes.required(f"{place}.containerPort"))
        else:
            found += port_number(f"{place}.containerPort", port["containerPort"])
        if port.get("hostPort"):
            found += port_number(f"{place}.hostPort", port["hostPort"])
        found += causes.one_of(f"{place}.protocol", port.get("protocol"), PROTOCOLS)
    return found


def _environment(variables: Sequence[Object], where: str) -> list[Cause]:
    found: list[Cause] = []
    for index, variable in enumerate(variables):
        place = f"{where}[{index}]"
        name = variable.get("name", "")
        if not name:
            found.append(causes.required(f"{place}.name"))
        else:
            problems = names.environment(name)
            found += [causes.invalid(f"{place}.name", name, why) for why in problems]
        source = variable.get("valueFrom")
        if source is not None:
            if variable.get("value"):
                why = "may not be specified when `value` is not empty"
                found.append(causes.invalid(f"{place}.valueFrom", "", why))
            if not source:
                why = (
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                    "`secretKeyRef` or `fileKeyRef`"
                )
                found.append(causes.invalid(f"{place}.valueFrom", "", why))
            elif len(source) > 1:
                why = "may not have more than one field specified at a time"
                found.append(causes.invalid(f"{place}.valueFrom", "", why))
            else:
                found += _source(source, f"{place}.valueFrom")
    return found


FIELDS = frozenset({
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
})  # fmt: skip
KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['[^']+'\]")


def _source(source: Object, where: str) -> list[Cause]:
    """Where one variable's value comes from."""
    found: list[Cause] = []
    for kind in ("configMapKeyRef", "secretKeyRef"):
        reference = source.get(kind)
        if reference is not None:
            found += [
                causes.required(f"{where}.{kind}.{key}")
                for key in ("name", "key")
                if not reference.get(key)
            ]
    if "fieldRef" in source:
        path, place = source["fieldRef"].get("fieldPath", ""), f"{where}.fieldRef.fieldPath"
        if not path:
            found.append(causes.required(place))
        elif path not in FIELDS and not KEYED_FIELD.fullmatch(path):
            why = f"error converting fieldPath: field label not supported: {path}"
            found.append(causes.invalid(place, path, why))
    return found


def _mounts(mounts: Sequence[Object], where: str, volumes: set[str]) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        place = f"{where}[{index}]"
        name, path = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            found.append(causes.required(f"{place}.name"))
        elif name not in volumes:
            found.append(causes.missing(f"{place}.name", name))
        if not path:
            found.append(causes.required(f"{place}.mountPath"))
        if path in seen:
            found.append(causes.invalid(f"{place}.mountPath", path, "must be unique"))
        seen.add(path)
    return found


HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")


def _handler(part: Object, where: str) -> list[Cause]:
    """Exactly one way to do it, and that one complete."""
    kinds = [key for key in HANDLERS if key in part]
    found: list[Cause] = []
    if not kinds and "sleep" not in part:
        found.append(causes.required(where, "must specify a handler type"))
    for extra in kinds[1:]:
        why = "may not specify more than 1 handler type"
        found.append(causes.forbidden(f"{where}.{extra}", why))
    if "exec" in part and not (part["exec"] or {}).get("command"):
        found.append(causes.required(f"{where}.exec.command"))
    get = part.get("httpGet")
    if get is not None:
        found += port_or_name(f"{where}.httpGet.port", get.get("port"))
        schemes = ("HTTP", "HTTPS")
        found += causes.one_of(f"{where}.httpGet.scheme", get.get("scheme"), schemes)
    if "tcpSocket" in part:
        found += port_or_name(f"{where}.tcpSocket.port", part["tcpSocket"].get("port"))
    return found


def _probe(part: Object, where: str, *, is_single: bool) -> list[Cause]:
    found = _handler(part, where)
    for key in (
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ):
        found += causes.non_negative(f"{where}.{key}", part.get(key))
    if is_single and part.get("successThreshold", 1) != 1:
        found.append(
            causes.invalid(f"{where}.successThreshold", part["successThreshold"], "must be 1")
        )
    return found


STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})


def _resource_name(name: str, where: str) -> list[Cause]:
    if "/" in name or name in STANDARD or name.startswith("hugepages-"):
        return []
    problems = ["must be a standard resource for containers"]
    if name not in ("storage", "pods"):
        problems.insert(0, "must be a standard resource type or fully qualified")
    return [causes.invalid(where, name, why) for why in problems]


def resources(part: Object, where: str) -> list[Cause]:
    """Requests and limits."""
    found: list[Cause] = []
    requests, limits = part.get("requests") or {}, part.get("limits") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, value in sorted(amounts.items()):
            place = f"{where}.{kind}[{name}]"
            found += _resource_name(name, place)
            if quantity(value) < 0:
                why = "must be greater than or equal to 0"
                found.append(causes.invalid(place, value, why))
    for name, value in sorted(requests.items()):
        if name in limits and quantity(value) > quantity(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            found.append(causes.invalid(f"{where}.requests", str(value), why))
    return found

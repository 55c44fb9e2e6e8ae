"""What the cluster hands out to services: addresses and node ports.

Law: an address belongs to the service that holds it in the store; nothing is remembered besides.
"""

import ipaddress
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
NODE_PORTS = range(30000, 32768)
USUAL_NETWORK = ipaddress.IPv4Network("10.96.0.0/16")
EXTERNAL_KINDS = ("NodePort", "LoadBalancer")


class ServiceAllocator:
    """Gives services their addresses from one network."""

    def __init__(self, network: ipaddress.IPv4Network = USUAL_NETWORK) -> None:
        self.network = network

    def allocate(self, registry: "Registry", obj: Object, old: Object | None) -> None:
        """Fill in addresses and ports; raises StatusError 422."""
        spec = obj["spec"]
        kept = (old or {}).get("spec") or {}
        if spec["type"] == "ExternalName":
            for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(key, None)
            _drop_ports(spec)
            return
        _require_one_family(obj)
        self._give_address(registry, obj)
        if spec["type"] in EXTERNAL_KINDS:
            self._give_ports(registry, obj, kept)
        else:
            _drop_ports(spec)
            spec.pop("allocateLoadBalancerNodePorts", None)
        if spec["type"] != "LoadBalancer":
            spec.pop("allocateLoadBalancerNodePorts", None)

    def _others(self, registry: "Registry", obj: Object) -> Iterator[Object]:
        metadata = obj["metadata"]
        for other in registry.store.list_all("services"):
            mine = other["metadata"]
            if (mine["namespace"], mine["name"]) != (metadata["namespace"], metadata["name"]):
                yield other["spec"]

    def _give_address(self, registry: "Registry", obj: Object) -> None:
        spec = obj["spec"]
        address = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        if address != "None":
            taken = {other.get("clusterIP") for other in self._others(registry, obj)}
            if not address:
                address = self._free_address(taken)
            elif address in taken:
                raise _invalid(
                    obj, "spec.clusterIPs", [address], "provided IP is already allocated"
                )
            elif not self._holds(address):
                why = (
                    f"the provided IP ({address}) is not in the valid range. "
                    f"The range of valid IPs is {self.network}"
                )
                raise _invalid(obj, "spec.clusterIPs", [address], why)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _holds(self, address: str) -> bool:
        try:
            return ipaddress.IPv4Address(address) in self.network
        except ValueError:
            return False

    def _free_address(self, taken: set[Any]) -> str:
        """A random free address; the first tenth stays for services that ask for one."""
        size = self.network.num_addresses
        lowest = min(max(size // 16, 8), 256)
        start = secrets.randbelow(size - lowest - 1)
        for step in range(size - lowest - 1):
            address = str(self.network[lowest + (start + step) % (size - lowest - 1)])
            if address not in taken:
                return address
        raise errors.internal("failed to allocate a serviceIP: range is full")

    def _give_ports(self, registry: "Registry", obj: Object, kept: Object) -> None:
        spec = obj["spec"]
        is_balancer = spec["type"] == "LoadBalancer"
        wants_ports = not is_balancer or spec.get("allocateLoadBalancerNodePorts", True)
        taken = {
            (port["nodePort"], port.get("protocol"))
            for other in self._others(registry, obj)
            for port in other.get("ports") or []
            if port.get("nodePort")
        }
        before = {
            (port.get("name"), port["port"], port.get("protocol")): port.get("nodePort")
            for port in kept.get("ports") or []
        }
        own = {
            (p["nodePort"], p.get("protocol")) for p in spec.get("ports") or [] if p.get("nodePort")
        }
        for index, port in enumerate(spec.get("ports") or []):
            protocol = port.get("protocol")
            if port.get("nodePort"):
                _require_port(obj, index, port, taken)
                continue
            earlier = before.get((port.get("name"), port["port"], protocol))
            if earlier and (earlier, protocol) not in own:
                port["nodePort"] = earlier
            elif wants_ports:
                port["nodePort"] = _free_port(taken | own, protocol)
            if port.get("nodePort"):
                own.add((port["nodePort"], protocol))


ADDRESS_FIELDS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def keep(spec: Object, kept: Object) -> None:
    """Addresses stay when an update does not say them.

    What goes with a type that is no longer asked for is dropped, unless the update changes it.
    """
    kind, before = spec["type"], kept.get("type")
    if kind == "ExternalName":
        if spec.get("clusterIP") in (kept.get("clusterIP"), None, ""):
            for key in ADDRESS_FIELDS:
                spec.pop(key, None)
        return
    if before != "ExternalName":
        _keep_addresses(spec, kept)
    if before in EXTERNAL_KINDS and kind not in EXTERNAL_KINDS:
        _drop_ports(spec)
        if not spec.get("externalIPs"):
            _drop_if_kept(spec, kept, "externalTrafficPolicy")
    if before == "LoadBalancer" and kind != "LoadBalancer":
        for key in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            _drop_if_kept(spec, kept, key)


def _keep_addresses(spec: Object, kept: Object) -> None:
    for key in ADDRESS_FIELDS:
        if not spec.get(key) and kept.get(key):
            spec[key] = kept[key]
    if spec.get("clusterIP") and spec["clusterIP"] != kept.get("clusterIP"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def _drop_if_kept(spec: Object, kept: Object, key: str) -> None:
    if spec.get(key) == kept.get(key):
        spec.pop(key, None)


def _drop_ports(spec: Object) -> None:
    for port in spec.get("ports") or []:
        port.pop("nodePort", None)


def _free_port(taken: set[tuple[int, Any]], protocol: Any) -> int:
    start = secrets.randbelow(len(NODE_PORTS))
    for step in range(len(NODE_PORTS)):
        port = NODE_PORTS[(start + step) % len(NODE_PORTS)]
        if (port, protocol) not in taken:
            return port
    raise errors.internal("failed to allocate a nodePort: range is full")


def _require_port(obj: Object, index: int, port: Object, taken: set[tuple[int, Any]]) -> None:
    where = f"spec.ports[{index}].nodePort"
    if port["nodePort"] not in NODE_PORTS:
        why = "provided port is not in the valid range. The range of valid ports is 30000-32767"
        raise _invalid(obj, where, port["nodePort"], why)
    if (port["nodePort"], port.get("protocol")) in taken:
        raise _invalid(obj, where, port["nodePort"], "provided port is already allocated")


def _require_one_family(obj: Object) -> None:
    """The cluster has IPv4 only; raises StatusError 422."""
    spec = obj["spec"]
    policy, families = spec.get("ipFamilyPolicy"), spec.get("ipFamilies") or []
    if policy == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        raise _invalid(obj, "spec.ipFamilyPolicy", '"RequireDualStack"', why)
    for index, family in enumerate(families):
        if family != "IPv4":
            where = f"spec.ipFamilies[{index}]"
            raise _invalid(obj, where, f'"{family}"', "not configured on this cluster")


def _invalid(obj: Object, where: str, value: Any, why: str) -> errors.StatusError:
    shown = '["' + '","'.join(value) + '"]' if isinstance(value, list) else str(value)
    cause = errors.Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", where)
    return errors.invalid("Service", "", obj["metadata"].get("name", ""), [cause])

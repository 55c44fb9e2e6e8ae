"""EndpointSlices for Endpoints that someone writes by hand, so that proxies find them.

Law: mirrors the Endpoints of Services without a selector; never touches other managers' slices.
Source: k8s.io/kubernetes pkg/controller/endpointslicemirroring, documentation "EndpointSlices".
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import endpoint_slices, endpoints, loop, owners
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

MANAGED_BY = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
_NOT_COPIED = {endpoints.CHANGED_AT, "kubectl.kubernetes.io/last-applied-configuration"}
MOST_PER_SUBSET = 1000


def is_mirrored(found: Object, service: Object | None) -> bool:
    """Whether these Endpoints are someone's own, of a Service that selects nothing."""
    metadata = found["metadata"]
    is_skipped = (metadata.get("labels") or {}).get(SKIP_LABEL) == "true"
    is_election = LEADER_ANNOTATION in (metadata.get("annotations") or {})
    if service is None or is_skipped or is_election:
        return False
    return not service["spec"].get("selector")


def plan_mirrors(found: Object) -> list[endpoints.SlicePlan]:
    """Slices by ports and kind of address, at most 100 endpoints in each."""
    groups: dict[tuple[endpoints.Ports, str], list[Object]] = {}
    for subset in found.get("subsets") or ():
        ports = tuple(
            (
                port.get("name") or "",
                int(port["port"]),
                port.get("protocol") or "TCP",
                port.get("appProtocol"),
            )
            for port in subset.get("ports") or ()
        )
        listed = [(one, True) for one in subset.get("addresses") or ()]
        listed += [(one, False) for one in subset.get("notReadyAddresses") or ()]
        for address, is_ready in listed[:MOST_PER_SUBSET]:
            kind = f"IPv{ipaddress.ip_address(address['ip']).version}"
            groups.setdefault((ports, kind), []).append(_endpoint(address, is_ready=is_ready))
    most = endpoints.MOST_PER_SLICE
    return [
        endpoints.SlicePlan(ports, tuple(members[start : start + most]), kind)
        for (ports, kind), members in groups.items()
        for start in range(0, len(members), most)
    ]


def _endpoint(address: Object, *, is_ready: bool) -> Object:
    kept: Object = {
        name: address[name] for name in ("hostname", "nodeName", "targetRef") if name in address
    }
    return {"addresses": [address["ip"]], "conditions": {"ready": is_ready}, **kept}


class EndpointMirrorController:
    """Writes slices for hand-made Endpoints; they are owned by those and go with them."""

    name = "endpointslicemirroring"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._services = cluster.resource("", "services")
        self._endpoints = cluster.resource("", "endpoints")
        self._slices = cluster.resource("discovery.k8s.io", "endpointslices")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._services, loop.own_key),
            loop.Watch(self._endpoints, loop.own_key),
            loop.Watch(self._slices, _of_slice),
        ]

    def reconcile(self, key: loop.Key) -> float | None:
        found = self._cluster.registry.find(self._endpoints, *key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return None
        is_ours = is_mirrored(found, self._cluster.registry.find(self._services, *key))
        metadata = found["metadata"]
        labels = dict(metadata.get("labels") or {})
        annotations = metadata.get("annotations") or {}
        wanted = endpoint_slices.Wanted(
            metadata["name"],
            metadata["namespace"],
            {
                **labels,
                endpoints.SERVICE_NAME: metadata["name"],
                endpoints.MANAGED_BY_LABEL: MANAGED_BY,
            },
            {name: value for name, value in annotations.items() if name not in _NOT_COPIED},
            owners.reference_to(found, api_version="v1", kind="Endpoints"),
        )
        plans = plan_mirrors(found) if is_ours else []
        endpoint_slices.write_slices(self._cluster, wanted, plans, managed_by=MANAGED_BY)
        return None


def _of_slice(change: loop.Change) -> Iterable[loop.Key]:
    metadata = change.object["metadata"]
    labels = metadata.get("labels") or {}
    name = labels.get(endpoints.SERVICE_NAME)
    is_ours = labels.get(endpoints.MANAGED_BY_LABEL) == MANAGED_BY
    return [(metadata["namespace"], name)] if is_ours and name else []

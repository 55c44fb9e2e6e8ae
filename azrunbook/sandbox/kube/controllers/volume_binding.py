"""What a pod's volumes mean for its placement: what is missing, what waits for a node, where to.

Law: reads the registry; writes only the node that the scheduler has chosen into waiting claims.
Source: pkg/scheduler/framework/plugins/volumebinding.
"""

from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube.controllers import claims
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


@dataclass(frozen=True)
class Needs:
    """Of one pod: why it fits nowhere (or ""), claims not bound yet, node selectors of volumes."""

    problem: str = ""
    waiting: tuple[Object, ...] = ()
    selectors: tuple[Object, ...] = ()


def examine(cluster: Access, pod: Object) -> Needs:
    """Look at the claims of a pod."""
    waiting, selectors = [], []
    for name in claims.claim_names(pod):
        claim = cluster.registry.find(
            cluster.resource("", "persistentvolumeclaims"), pod["metadata"]["namespace"], name
        )
        if claim is None:
            return Needs(f'persistentvolumeclaim "{name}" not found')
        if "deletionTimestamp" in claim["metadata"]:
            return Needs(f'persistentvolumeclaim "{name}" is being deleted')
        if not claims.is_bound(claim):
            if not _waits_for_consumer(cluster, claim):
                return Needs("pod has unbound immediate PersistentVolumeClaims")
            waiting.append(claim)
            continue
        volume = cluster.registry.find(
            cluster.resource("", "persistentvolumes"), None, claim["spec"]["volumeName"]
        )
        if volume is None:
            return Needs(f'persistentvolume "{claim["spec"]["volumeName"]}" not found')
        if required := (volume["spec"].get("nodeAffinity") or {}).get("required"):
            selectors.append(required)
    return Needs("", tuple(waiting), tuple(selectors))


def _waits_for_consumer(cluster: Access, claim: Object) -> bool:
    classes = cluster.resource("storage.k8s.io", "storageclasses")
    name = claim["spec"].get("storageClassName")
    found = cluster.registry.find(classes, None, name) if name else None
    return bool(found and found.get("volumeBindingMode") == claims.WAIT_FOR_CONSUMER)


def select_node(cluster: Access, waiting: tuple[Object, ...], node_name: str) -> None:
    """Tell the claims where their first consumer goes, so that they are bound."""
    resource = cluster.resource("", "persistentvolumeclaims")
    for claim in waiting:
        if claims.annotation(claim, claims.SELECTED_NODE) != node_name:
            body = {"metadata": {"annotations": {claims.SELECTED_NODE: node_name}}}
            cluster.patch(resource, claim, body)

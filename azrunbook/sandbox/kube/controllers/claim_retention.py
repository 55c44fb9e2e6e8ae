"""Which claims of a StatefulSet go with it, or with a pod that is scaled away.

Law: writes owner references of claims; the garbage collector does the rest.
Source: pkg/controller/statefulset/stateful_set_utils.go, updateClaimOwnerRefForSetAndPod.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from azrunbook.sandbox.kube.controllers import owners
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


def retain(cluster: Access, stateful: Object, members: Mapping[int, Object]) -> None:
    """Make each claim owned as its set's persistentVolumeClaimRetentionPolicy says."""
    policy = stateful["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    resource = cluster.resource("", "persistentvolumeclaims")
    for ordinal, pod in members.items():
        wanted = _owners(stateful, pod, policy, is_kept=_is_kept(stateful["spec"], ordinal))
        for name in claim_names(stateful, pod["metadata"]["name"]):
            claim = cluster.registry.find(resource, stateful["metadata"]["namespace"], name)
            if claim is None or "deletionTimestamp" in claim["metadata"]:
                continue
            present = claim["metadata"].get("ownerReferences") or []
            uids = {stateful["metadata"]["uid"], pod["metadata"]["uid"]}
            others = [one for one in present if one["uid"] not in uids]
            if [*others, *wanted] != present:
                body = {"metadata": {"ownerReferences": [*others, *wanted] or None}}
                cluster.patch(resource, claim, body)


def claim_names(stateful: Object, pod_name: str) -> Iterator[str]:
    """The claims of one pod, in the order of the set's claim templates."""
    for template in stateful["spec"].get("volumeClaimTemplates") or ():
        yield f"{template['metadata']['name']}-{pod_name}"


def _is_kept(spec: Object, ordinal: int) -> bool:
    start = int((spec.get("ordinals") or {}).get("start") or 0)
    return start <= ordinal < start + int(spec.get("replicas", 1))


def _owners(stateful: Object, pod: Object, policy: Object, *, is_kept: bool) -> list[Object]:
    if policy.get("whenScaled") == "Delete" and not is_kept:
        owner = owners.reference_to(pod, api_version="v1", kind="Pod")
    elif policy.get("whenDeleted") == "Delete":
        owner = owners.reference_to(stateful, api_version="apps/v1", kind="StatefulSet")
    else:
        return []
    return [{key: owner[key] for key in ("apiVersion", "kind", "name", "uid")}]

"""The revisions of a Deployment: which ReplicaSet is the new one, and how they are numbered.

Law: pure. Source: k8s.io/kubernetes pkg/controller/deployment/util.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import names, owners, rollout

Object = dict[str, Any]

HASH_LABEL = "pod-template-hash"
_PREFIX = "deployment.kubernetes.io/"
REVISION = _PREFIX + "revision"
REVISION_HISTORY = _PREFIX + "revision-history"
DESIRED = _PREFIX + "desired-replicas"
MOST = _PREFIX + "max-replicas"
LONGEST_HISTORY = 2000
_OWN_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED,
        MOST,
        "deprecated.deployment.rollback.to",
    }
)


def bare_template(template: Object) -> Object:
    """A pod template without what only a ReplicaSet's copy carries."""
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    labels = {k: v for k, v in (metadata.pop("labels", None) or {}).items() if k != HASH_LABEL}
    return {**template, "metadata": {**metadata, "labels": labels}}


def oldest_first(sets: Iterable[Object]) -> list[Object]:
    return sorted(
        sets,
        key=lambda rs: (rs["metadata"].get("creationTimestamp") or "", rs["metadata"]["name"]),
    )


def find_new(deployment: Object, sets: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's current template; the oldest if there are several."""
    wanted = bare_template(deployment["spec"]["template"])
    for candidate in oldest_first(sets):
        if bare_template(candidate["spec"]["template"]) == wanted:
            return candidate
    return None


def revision_of(obj: Object) -> int:
    text = (obj["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def next_revision(old: Iterable[Object]) -> int:
    return max((revision_of(one) for one in old), default=0) + 1


def replicas_of(obj: Object) -> int:
    return int(obj["spec"].get("replicas", 1))


def bounds_of(deployment: Object) -> rollout.Bounds:
    """The limits of a rolling update; a Recreate has none."""
    strategy = deployment["spec"].get("strategy") or {}
    replicas = replicas_of(deployment)
    if strategy.get("type") == "Recreate":
        return rollout.Bounds(replicas, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    return rollout.plan_bounds(
        replicas,
        max_surge=rolling.get("maxSurge", "25%"),
        max_unavailable=rolling.get("maxUnavailable", "25%"),
    )


def sizes_of(replica_set: Object) -> rollout.Sizes:
    most = (replica_set["metadata"].get("annotations") or {}).get(MOST, "")
    return rollout.Sizes(
        replica_set["metadata"]["name"],
        replicas_of(replica_set),
        int(replica_set.get("status", {}).get("availableReplicas") or 0),
        int(most) if most.isdigit() else None,
    )


def scale_annotations(bounds: rollout.Bounds) -> dict[str, str]:
    return {DESIRED: str(bounds.replicas), MOST: str(bounds.most)}


def new_annotations(
    deployment: Object, existing: Object | None, revision: int, bounds: rollout.Bounds
) -> dict[str, str]:
    """The annotations of the new ReplicaSet: the Deployment's, the revision and its history."""
    copied = {
        key: value
        for key, value in (deployment["metadata"].get("annotations") or {}).items()
        if key not in _OWN_ANNOTATIONS
    }
    if existing is None:
        return {**copied, REVISION: str(revision), **scale_annotations(bounds)}
    annotations = {**(existing["metadata"].get("annotations") or {}), **copied}
    before = revision_of(existing)
    if before < revision:
        annotations[REVISION] = str(revision)
        if before:
            annotations[REVISION_HISTORY] = _extended(annotations.get(REVISION_HISTORY, ""), before)
    return annotations


def _extended(history: str, revision: int) -> str:
    """The history with one more revision; the oldest go where it would grow without end."""
    found = [one for one in history.split(",") if one]
    while len(found) > 1 and len(",".join(found)) + len(str(revision)) > LONGEST_HISTORY:
        del found[0]
    return ",".join([*found, str(revision)])


def plan_replica_set(
    deployment: Object, *, size: int, revision: int, bounds: rollout.Bounds, reference: Object
) -> Object:
    """The new ReplicaSet of a Deployment."""
    template = bare_template(deployment["spec"]["template"])
    collisions = deployment.get("status", {}).get("collisionCount")
    digest = names.hash_object(template, collisions)
    labels = {**template["metadata"]["labels"], HASH_LABEL: digest}
    selector = deployment["spec"]["selector"]
    spec: Object = {
        "replicas": size,
        "selector": {
            **selector,
            "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest},
        },
        "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": new_annotations(deployment, None, revision, bounds),
            "ownerReferences": [reference],
        },
        "spec": spec,
    }


def plan_cleanup(old: Sequence[Object], limit: int | None) -> list[Object]:
    """Empty old ReplicaSets beyond the history limit, oldest revision first."""
    if limit is None:
        return []
    alive = [rs for rs in old if "deletionTimestamp" not in rs["metadata"]]
    excess = sorted(alive, key=revision_of)[: max(0, len(alive) - limit)]
    return [rs for rs in excess if _is_settled_at_zero(rs)]


def _is_settled_at_zero(replica_set: Object) -> bool:
    status = replica_set.get("status", {})
    is_observed = replica_set["metadata"].get("generation", 0) <= status.get(
        "observedGeneration", 0
    )
    return is_observed and not status.get("replicas") and replicas_of(replica_set) == 0


def is_from(pod: Object, replica_set: Object | None) -> bool:
    return replica_set is not None and owners.is_controlled_by(pod, replica_set)

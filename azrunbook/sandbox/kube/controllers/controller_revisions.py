"""ControllerRevisions: the template history of StatefulSets and DaemonSets.

Law: the newest revision is the current template; going back to an earlier one gives that revision
the next number, so that `kubectl rollout undo` finds it.
"""

from collections.abc import Iterable
from typing import Any

from azrunbook.sandbox.kube.controllers import names, owners
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

HASH_LABEL = "controller-revision-hash"
DEFAULT_LIMIT = 10


def data_of(owner: Object) -> Object:
    """What a revision remembers: the pod template, as a patch that replaces it."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def template_of(revision: Object) -> Object:
    template = dict(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return template


def list_revisions(cluster: Access, owner: Object) -> list[Object]:
    """The owner's revisions, oldest first."""
    resource = cluster.resource("apps", "controllerrevisions")
    found = cluster.registry.list(resource, owner["metadata"]["namespace"])
    mine = [one for one in found if owners.is_controlled_by(one, owner)]
    return sorted(mine, key=lambda one: int(one["revision"]))


def ensure_current(cluster: Access, owner: Object) -> Object:
    """The revision of the owner's template as it is now, with the highest number."""
    resource = cluster.resource("apps", "controllerrevisions")
    history = list_revisions(cluster, owner)
    wanted = data_of(owner)
    top = int(history[-1]["revision"]) if history else 0
    for revision in reversed(history):
        if revision["data"] == wanted:
            if int(revision["revision"]) == top:
                return revision
            return cluster.patch(resource, revision, {"revision": top + 1})
    collisions = owner.get("status", {}).get("collisionCount")
    digest = names.hash_object(wanted, collisions)
    made = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{owner['metadata']['name']}-{digest}",
            "namespace": owner["metadata"]["namespace"],
            "labels": {
                **(owner["spec"]["template"]["metadata"].get("labels") or {}),
                HASH_LABEL: digest,
            },
            "ownerReferences": [
                owners.reference_to(owner, api_version=owner["apiVersion"], kind=owner["kind"])
            ],
        },
        "data": wanted,
        "revision": top + 1,
    }
    return cluster.create(resource, made)


def hash_of(revision: Object) -> str:
    return str(revision["metadata"]["labels"][HASH_LABEL])


def truncate(cluster: Access, owner: Object, in_use: Iterable[str]) -> None:
    """Delete the oldest revisions beyond the limit that no pod (by its hash) runs."""
    used = set(in_use)
    limit = int(owner["spec"].get("revisionHistoryLimit", DEFAULT_LIMIT))
    idle = [one for one in list_revisions(cluster, owner) if hash_of(one) not in used]
    for revision in idle[: max(0, len(idle) - limit)]:
        cluster.delete(cluster.resource("apps", "controllerrevisions"), revision)

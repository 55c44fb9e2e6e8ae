"""The garbage collector: objects go with their owners.

Law: knows no kind; whatever has ownerReferences is looked after. Background, Foreground and Orphan
as in the documentation "Garbage Collection". An owner whose kind is not served keeps its
dependents, as in the real collector.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube import errors, resources
from azrunbook.sandbox.kube.controllers import contents, loop
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "garbage-collector-controller"
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True)
class Owners:
    """The owner references of one object by the state of what they refer to."""

    solid: tuple[Object, ...]
    gone: tuple[Object, ...]
    waiting: tuple[Object, ...]
    """The owner is being deleted and waits for its dependents."""


class GarbageCollector:
    """Deletes dependents without owners, and lets owners go that wait for dependents.

    A key is ("<collection>/<namespace>", name): the queue spans all kinds.
    """

    name = "garbage"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._dependents: dict[str, set[loop.Key]] = defaultdict(set)
        self._owner_uids: dict[loop.Key, frozenset[str]] = {}
        self._collections: dict[str, resources.Resource] = {}
        self._namespaces: dict[str, str] = {}
        """Of every object by uid: owners are looked for in the dependent's namespace only."""

    def watches(self) -> Sequence[loop.Watch]:
        found = contents.stored_resources(self._cluster.registry.resources)
        self._collections = {resource.storage: resource for resource in found}
        return [loop.Watch(one, functools.partial(self._heard, one)) for one in found]

    def _heard(self, resource: resources.Resource, change: loop.Change) -> Iterable[loop.Key]:
        """Keep the graph and say who is due: the object, its owners, its dependents."""
        metadata = change.object["metadata"]
        key = (f"{resource.storage}/{metadata.get('namespace') or ''}", metadata["name"])
        before = self._owner_uids.get(key, frozenset())
        is_gone = change.type == "DELETED"
        after = frozenset() if is_gone else frozenset(_owner_uids(change.object))
        for uid in before - after:
            self._dependents[uid].discard(key)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in after:
            self._dependents[uid].add(key)
        self._owner_uids[key] = after
        if not after:
            del self._owner_uids[key]
        if not is_gone:
            self._namespaces[metadata["uid"]] = metadata.get("namespace") or ""
        else:
            self._namespaces.pop(metadata["uid"], None)
            return [*self._dependents.get(metadata["uid"], ()), *self._owner_keys(change.object)]
        is_due = after or "deletionTimestamp" in metadata
        due = [key] if is_due else []
        if change.previous is not None and _references(change.previous) != _references(
            change.object
        ):
            due += self._owner_keys(change.previous)  # one of them may be blocked no longer
        return due

    def _owner_keys(self, obj: Object) -> list[loop.Key]:
        """The keys of owners, which may wait for this object to be gone."""
        keys = []
        for reference in obj["metadata"].get("ownerReferences") or ():
            resource = self._resource_of(reference)
            if resource is not None:
                namespace = obj["metadata"].get("namespace") if resource.namespaced else None
                keys.append((f"{resource.storage}/{namespace or ''}", reference["name"]))
        return keys

    def _resource_of(self, reference: Object) -> resources.Resource | None:
        table = self._cluster.registry.resources
        return table.find_kind(reference["apiVersion"], reference["kind"])

    def _find(self, key: loop.Key) -> tuple[resources.Resource, Object] | None:
        storage, _, namespace = key[0].rpartition("/")
        resource = self._collections.get(storage)
        if resource is None:
            return None
        found = self._cluster.registry.find(resource, namespace or None, key[1])
        return (resource, found) if found is not None else None

    def reconcile(self, key: loop.Key) -> float | None:
        item = self._find(key)
        if item is None:
            return None
        resource, obj = item
        finalizers = obj["metadata"].get("finalizers") or ()
        if "deletionTimestamp" in obj["metadata"]:
            if FOREGROUND in finalizers:
                self._delete_dependents(resource, obj)
            elif ORPHAN in finalizers:
                self._orphan_dependents(resource, obj)
            return None
        if obj["metadata"].get("ownerReferences"):
            self._collect(resource, obj)
        return None

    def _collect(self, resource: resources.Resource, obj: Object) -> None:
        owners = self._classify(obj)
        uid = obj["metadata"]["uid"]
        if owners.solid:
            if owners.gone or owners.waiting:
                body = {"metadata": {"uid": uid, "ownerReferences": list(owners.solid)}}
                self._cluster.patch(resource, obj, body)
            return
        if not owners.gone and not owners.waiting:
            return
        finalizers = obj["metadata"].get("finalizers") or ()
        for reference in owners.gone:
            self._warn_of_namespace(obj, reference)
        if owners.waiting and any(self._is_waiting(key) for key in self._dependents.get(uid, ())):
            self._unblock(resource, obj)
        policy = "Background"
        if ORPHAN in finalizers:
            policy = "Orphan"
        elif FOREGROUND in finalizers or (owners.waiting and self._dependents.get(uid)):
            policy = "Foreground"
        _ignoring_gone(self._cluster, resource, obj, policy)

    def _warn_of_namespace(self, obj: Object, reference: Object) -> None:
        """The owner exists, but elsewhere: say why the object goes all the same."""
        there, here = self._namespaces.get(reference["uid"]), obj["metadata"].get("namespace")
        if there is None or there in ("", here):
            return
        identity = f"[{reference['apiVersion']}/{reference['kind']}, namespace: {here}, "
        identity += f"name: {reference['name']}, uid: {reference['uid']}]"
        message = f'ownerRef {identity} does not exist in namespace "{here}"'
        self._cluster.events.warning(obj, "OwnerRefInvalidNamespace", message, component=COMPONENT)

    def _is_waiting(self, key: loop.Key) -> bool:
        item = self._find(key)
        return item is not None and _waits_for_dependents(item[1])

    def _unblock(self, resource: resources.Resource, obj: Object) -> None:
        """Owners in a circle would wait for each other for ever: let this one block none."""
        freed = [{**one, "blockOwnerDeletion": False} for one in _references(obj)]
        self._cluster.patch(resource, obj, {"metadata": {"ownerReferences": freed}})

    def _classify(self, obj: Object) -> Owners:
        solid, gone, waiting = [], [], []
        for reference in obj["metadata"].get("ownerReferences") or ():
            resource = self._resource_of(reference)
            if resource is None:
                solid.append(reference)
                continue
            namespace = obj["metadata"].get("namespace")
            if resource.namespaced and namespace is None:
                solid.append(reference)  # not valid, and the real collector keeps its hands off
                continue
            owner = self._cluster.registry.find(resource, namespace, reference["name"])
            if owner is None or owner["metadata"]["uid"] != reference["uid"]:
                gone.append(reference)
            elif _waits_for_dependents(owner) and reference.get("blockOwnerDeletion"):
                waiting.append(reference)
            else:
                solid.append(reference)
        return Owners(tuple(solid), tuple(gone), tuple(waiting))

    def _delete_dependents(self, resource: resources.Resource, owner: Object) -> None:
        """Foreground: the owner goes when no dependent that blocks it is left."""
        uid = owner["metadata"]["uid"]
        is_blocked = False
        for key in sorted(self._dependents.get(uid, ())):
            item = self._find(key)
            if item is None:
                continue
            kind, dependent = item
            is_blocked = is_blocked or _blocks(dependent, uid)
            if "deletionTimestamp" not in dependent["metadata"]:
                self._collect(kind, dependent)
        if not is_blocked:
            self._drop_finalizer(resource, owner, FOREGROUND)

    def _orphan_dependents(self, resource: resources.Resource, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for key in sorted(self._dependents.get(uid, ())):
            item = self._find(key)
            if item is None:
                continue
            kind, dependent = item
            references = dependent["metadata"].get("ownerReferences") or ()
            left = [one for one in references if one["uid"] != uid]
            self._cluster.patch(kind, dependent, {"metadata": {"ownerReferences": left or None}})
        self._drop_finalizer(resource, owner, ORPHAN)

    def _drop_finalizer(self, resource: resources.Resource, obj: Object, name: str) -> None:
        left = [one for one in obj["metadata"].get("finalizers") or () if one != name]
        self._cluster.patch(resource, obj, {"metadata": {"finalizers": left or None}})


def _references(obj: Object) -> list[Object]:
    return obj["metadata"].get("ownerReferences") or []


def _owner_uids(obj: Object) -> Iterable[str]:
    return (str(one["uid"]) for one in obj["metadata"].get("ownerReferences") or ())


def _waits_for_dependents(owner: Object) -> bool:
    metadata = owner["metadata"]
    return "deletionTimestamp" in metadata and FOREGROUND in (metadata.get("finalizers") or ())


def _blocks(dependent: Object, uid: str) -> bool:
    references = dependent["metadata"].get("ownerReferences") or ()
    return any(one["uid"] == uid and one.get("blockOwnerDeletion") for one in references)


def _ignoring_gone(cluster: Access, resource: resources.Resource, obj: Object, policy: str) -> None:
    """Delete; someone else having been faster is no error."""
    try:
        cluster.delete(resource, obj, {"propagationPolicy": policy})
    except errors.StatusError as error:
        if error.reason not in ("NotFound", "Conflict"):
            raise

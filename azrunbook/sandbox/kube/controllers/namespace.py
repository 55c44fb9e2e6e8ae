"""The namespace controller: empties a namespace that is being deleted, then lets it go.

Law: pods first and everything else once they are gone (the order of the real controller since
1.33), so that a pod never outlives its ServiceAccount or NetworkPolicy. What finalizers hold back
is said in the conditions. Like the real one it lets a namespace be Terminating for 5 s before it
begins, so that every client sees the refusal of new content.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors, resources
from azrunbook.sandbox.kube.controllers import conditions, contents, loop, moments
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

FINALIZER = "kubernetes"


class NamespaceController:
    """Carries out the deletion of namespaces."""

    name = "namespace"

    def __init__(self, cluster: Access, *, grace_seconds: float) -> None:
        self._cluster = cluster
        self._grace_seconds = grace_seconds
        self._namespaces = cluster.resource("", "namespaces")
        self._leaving: set[str] = set()

    def watches(self) -> Sequence[loop.Watch]:
        table = self._cluster.registry.resources
        inside = contents.namespaced_resources(table)
        return [
            loop.Watch(self._namespaces, loop.own_key),
            *(loop.Watch(resource, self._of_content) for resource in inside),
        ]

    def _of_content(self, change: loop.Change) -> Iterable[loop.Key]:
        namespace = change.object["metadata"]["namespace"]
        return [("", namespace)] if namespace in self._leaving else []

    def reconcile(self, key: loop.Key) -> float | None:
        namespace = self._cluster.registry.find(self._namespaces, None, key[1])
        if namespace is None or "deletionTimestamp" not in namespace["metadata"]:
            self._leaving.discard(key[1])
            return None
        if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
            return None
        left_seconds = moments.seconds_until(
            namespace["metadata"]["deletionTimestamp"],
            plus_seconds=self._grace_seconds,
            at=self._cluster.clock(),
        )
        if left_seconds > 0:
            return left_seconds
        self._leaving.add(key[1])
        self._empty(key[1])
        left = self._remaining(key[1])
        self._say(key[1], left)
        if not left:
            self._finalize(key[1])
        return None

    def _remaining(self, name: str) -> list[tuple[resources.Resource, Object]]:
        store = self._cluster.registry
        return [
            (resource, obj)
            for resource in contents.namespaced_resources(store.resources)
            for obj in store.list(resource, name)
        ]

    def _empty(self, name: str) -> None:
        """Delete what is not being deleted yet: the pods, or without pods all the rest."""
        found = self._remaining(name)
        some_pods = [(r, o) for r, o in found if (r.group, r.plural) == ("", "pods")]
        for resource, obj in some_pods or found:
            if "deletionTimestamp" in obj["metadata"]:
                continue
            try:
                self._cluster.delete(resource, obj, {"propagationPolicy": "Background"})
            except errors.StatusError as error:
                if error.reason not in ("NotFound", "Conflict"):
                    raise

    def _say(self, name: str, left: Sequence[tuple[resources.Resource, Object]]) -> None:
        namespace = self._cluster.registry.find(self._namespaces, None, name)
        if namespace is None:
            return
        status = dict(namespace.get("status") or {})
        found = status.get("conditions") or []
        for made in plan_conditions(left, at=self._cluster.now_text()):
            found = conditions.replaced(found, made)
        self._cluster.write_status(self._namespaces, namespace, {**status, "conditions": found})

    def _finalize(self, name: str) -> None:
        namespace = self._cluster.registry.get(self._namespaces, None, name)
        rest = [one for one in namespace["spec"].get("finalizers") or () if one != FINALIZER]
        changed = {**namespace, "spec": {**namespace["spec"], "finalizers": rest}}
        self._cluster.registry.update(self._namespaces, None, name, changed, subresource="finalize")
        self._leaving.discard(name)


def plan_conditions(left: Iterable[tuple[resources.Resource, Object]], *, at: str) -> list[Object]:
    """What a namespace says about its deletion: five conditions, as the real one."""
    instances: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for resource, obj in left:
        group = f".{resource.group}" if resource.group else "."
        instances[f"{resource.plural}{group}"] += 1
        held.update(obj["metadata"].get("finalizers") or ())
    remaining = ", ".join(f"{k} has {n} resource instances" for k, n in sorted(instances.items()))
    finalizers = ", ".join(f"{k} in {n} resource instances" for k, n in sorted(held.items()))
    said = [
        (
            "DeletionDiscoveryFailure",
            "",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "DeletionGroupVersionParsingFailure",
            "",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "DeletionContentFailure",
            "",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "ContentRemaining",
            remaining,
            "SomeResourcesRemain" if remaining else "ContentRemoved",
            f"Some resources are remaining: {remaining}"
            if remaining
            else "All content successfully removed",
        ),
        (
            "FinalizersRemaining",
            finalizers,
            "SomeFinalizersRemain" if finalizers else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {finalizers}"
            if finalizers
            else "All content-preserving finalizers finished",
        ),
    ]
    return [
        conditions.condition(f"Namespace{kind}", bool(is_so), at=at, reason=why, message=message)
        for kind, is_so, why, message in said
    ]

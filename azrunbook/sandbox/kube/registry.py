"""The API machinery without HTTP: every read and write of an object goes through here.

Law: synchronous but for `watch`; there is no await inside, so a read and the write after it are one
step. Objects handed out are shared with the store: copy before changing.
The HTTP server and the controllers use the same methods, so a controller gets the same defaults,
validation, conflicts and garbage as a client.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

from azrunbook.sandbox.kube import (
    conversion,
    creating,
    deleting,
    errors,
    fields,
    patching,
    selectors,
    updating,
    watching,
)
from azrunbook.sandbox.kube.admission import Admission
from azrunbook.sandbox.kube.crds.serving import CustomResources
from azrunbook.sandbox.kube.identity import SYSTEM, User
from azrunbook.sandbox.kube.resources import Resource, ResourceTable
from azrunbook.sandbox.kube.store import Key, Store
from azrunbook.sandbox.kube.watching import Event
from azrunbook.sandbox.kube.writes import CONTROLLER, Write

Object = dict[str, Any]


class Registry:
    """The objects of one cluster, as its API gives and takes them."""

    def __init__(
        self, resources: ResourceTable, store: Store, admission: Admission | None = None
    ) -> None:
        self.resources = resources
        self.store = store
        self.admission = admission or Admission()
        self.shapes: dict[tuple[str, str, str], Any] = {}
        """Compiled shapes of custom resources by (group, version, plural)."""
        self.after_write: list[Callable[[Resource, Object | None, Object | None], None]] = []
        """Called with (resource, before, after) right after each write: derived state."""
        self.custom_resources = CustomResources(self)

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """One object; raises StatusError 404."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise errors.not_found(resource.plural, resource.group, name)
        return found

    def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """One object or None."""
        found = self.store.find(resource.storage, key_of(resource, namespace, name))
        return None if found is None else conversion.to_version(resource, found)

    def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[Object]:
        """All objects that match, by namespace and name; raises StatusError 400."""
        labels = selectors.label_predicate(label_selector)
        chosen = fields.field_predicate(resource, field_selector)
        found = self.store.list_all(resource.storage, namespace)
        if labels is not None:
            found = [obj for obj in found if labels(obj)]
        if chosen is not None:
            found = [obj for obj in found if chosen(obj)]
        return conversion.all_to_version(resource, found)

    def create(
        self,
        resource: Resource,
        namespace: str | None,
        obj: Object,
        *,
        manager: str = CONTROLLER,
        user: User = SYSTEM,
        dry_run: bool = False,
    ) -> Object:
        """Create an object; raises StatusError 400, 403, 404 (namespace), 409 or 422."""
        write = Write(manager=manager, user=user, dry_run=dry_run)
        return creating.create(self, resource, namespace, obj, write)

    def update(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        obj: Object,
        *,
        subresource: str | None = None,
        manager: str = CONTROLLER,
        user: User = SYSTEM,
    ) -> Object:
        """Replace an object; raises StatusError 404, 409 on a stale resourceVersion, or 422."""
        write = Write(manager=manager, user=user)
        return updating.update(
            self, resource, namespace, name, obj, write=write, subresource=subresource
        )

    def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Any,
        *,
        content_type: str = "application/merge-patch+json",
        subresource: str | None = None,
        manager: str = CONTROLLER,
        user: User = SYSTEM,
    ) -> Object:
        """Patch an object; raises StatusError 404, 409, 415 or 422."""
        write = Write(manager=manager, user=user)
        return patching.patch(
            self,
            resource,
            namespace,
            name,
            body,
            content_type=content_type,
            write=write,
            subresource=subresource,
        )

    def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        options: Object | None = None,
        user: User = SYSTEM,
    ) -> Object:
        """Delete an object, or mark it for deletion; raises StatusError 404 or 409.

        Returns its last state: with `deletionTimestamp` if something still holds it.
        """
        return deleting.delete(
            self, resource, namespace, name, options=options or {}, write=Write(user=user)
        ).object

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        since: int | None = None,
        initial: bool = True,
        label_selector: str = "",
        field_selector: str = "",
    ) -> AsyncIterator[Event]:
        """Changes from now, or from a version; with `initial`, ADDED for what exists first.

        Raises StatusError 410 when the history no longer reaches back to `since`, also later if
        the consumer has fallen too far behind: list again.
        """
        scope = watching.Scope(resource, namespace, label_selector, field_selector)
        return watching.events(self.store, scope, since=since, initial=initial)

    def notify(self, resource: Resource, before: Object | None, after: Object | None) -> None:
        """Tell derived state about a write that has just been done."""
        for callback in self.after_write:
            callback(resource, before, after)


def key_of(resource: Resource, namespace: str | None, name: str) -> Key:
    """The key of an object in its collection."""
    return ((namespace or "") if resource.namespaced else "", name)

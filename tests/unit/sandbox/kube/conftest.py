"""A registry without HTTP, and the causes of a refusal as lines of text."""

import pytest

from azrunbook.sandbox.kube import errors, registry
from azrunbook.sandbox.kube.resources import ResourceTable
from azrunbook.sandbox.kube.store import Store


class Refusals:
    """Says what a registry answers to objects of one namespace, `n`."""

    def __init__(self):
        self.registry = registry.Registry(ResourceTable(), Store())
        namespaces = self.registry.resources.get("", "namespaces")
        self.registry.create(namespaces, None, {"metadata": {"name": "n"}})

    def _find(self, storage):
        plural, _, group = storage.partition(".")
        resource = self.registry.resources.get(group, plural)
        return resource, "n" if resource.namespaced else None

    def create(self, storage, parts):
        """The object as it was made; raises StatusError."""
        resource, namespace = self._find(storage)
        metadata = {"name": "x", **parts.get("metadata", {})}
        return self.registry.create(resource, namespace, {**parts, "metadata": metadata})

    def of_create(self, storage, parts):
        """One line for each cause: the field and what is said of it."""
        with pytest.raises(errors.StatusError) as raised:
            self.create(storage, parts)
        return _lines(raised.value)

    def of_change(self, storage, parts, patch):
        """The causes for which a merge patch of a new object is refused."""
        made = self.create(storage, parts)
        resource, namespace = self._find(storage)
        with pytest.raises(errors.StatusError) as raised:
            self.registry.patch(
                resource,
                namespace,
                made["metadata"]["name"],
                patch,
                content_type="application/merge-patch+json",
            )
        return _lines(raised.value)


def _lines(error):
    found = (error.details or {}).get("causes") or []
    return [f"{cause['field']}: {cause['message']}" for cause in found] or [error.message]


@pytest.fixture
def refusals():
    return Refusals()

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
        self.create(storage, parts)
        with pytest.raises(errors.StatusError) as raised:
            self.change(storage, patch)
        return _lines(raised.value)

    def change(self, storage, patch):
        """The object `x` after a merge patch; raises StatusError."""
        resource, namespace = self._find(storage)
        kind = "application/merge-patch+json"
        return self.registry.patch(resource, namespace, "x", patch, content_type=kind)


def _lines(error):
    found = (error.details or {}).get("causes") or []
    return [f"{cause['field']}: {cause['message']}" for cause in found] or [error.message]


@pytest.fixture
def refusals():
    return Refusals()

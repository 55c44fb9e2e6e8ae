"""The resource table: what this server serves, as data.

Law: knows no storage and no HTTP. The built-in part is `resources.json`, read off the discovery
of a real 1.36.2 server; custom resources are added and removed at run time.
"""

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources as package_files
from typing import Any

from azrunbook.sandbox.kube import errors

GROUP_ORDER = (
    "",
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)

STORED_AS = {
    ("autoscaling", "horizontalpodautoscalers"): ("autoscaling", "v2"),
    ("events.k8s.io", "events"): ("", "v1"),
}
"""Resources served in several forms of one stored object: (group, plural) to (group, version)."""


@dataclass(frozen=True)
class Subresource:
    """A part of a resource with its own path; `group` and `version` when its kind is foreign."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource in one version."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()
    custom: Mapping[str, Any] | None = None
    """The version's part of its CustomResourceDefinition; None for a built-in resource."""
    custom_columns: tuple[Mapping[str, Any], ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        return self.kind + "List"

    @functools.cached_property
    def storage(self) -> str:
        """The name of the collection that holds the objects, the same for all their forms."""
        group, _ = STORED_AS.get((self.group, self.plural), (self.group, self.version))
        return errors.qualified(self.plural, group)

    @property
    def storage_api_version(self) -> str:
        group, version = STORED_AS.get((self.group, self.plural), (self.group, self.version))
        return f"{group}/{version}" if group else version

    @functools.cached_property
    def is_stored(self) -> bool:
        """Whether its objects are kept; a review or a binding is answered and forgotten."""
        return "get" in self.verbs

    def find_subresource(self, name: str) -> Subresource | None:
        return next((part for part in self.subresources if part.name == name), None)


def _subresource(data: Mapping[str, Any]) -> Subresource:
    return Subresource(
        name=data["name"],
        kind=data["kind"],
        verbs=tuple(data["verbs"]),
        group=data.get("group", ""),
        version=data.get("version", ""),
    )


@functools.cache
def built_in() -> tuple[Resource, ...]:
    """Read the table once per process; every cluster shares it."""
    text = package_files.files(__package__).joinpath("resources.json").read_text()
    return tuple(
        Resource(
            group=row["group"],
            version=row["version"],
            plural=row["plural"],
            singular=row["singular"],
            kind=row["kind"],
            namespaced=row["namespaced"],
            verbs=tuple(row["verbs"]),
            short_names=tuple(row.get("shortNames", ())),
            categories=tuple(row.get("categories", ())),
            subresources=tuple(_subresource(part) for part in row.get("subresources", ())),
        )
        for row in json.loads(text)["resources"]
    )


class ResourceTable:
    """All resources of one cluster. `generation` changes whenever one is added or removed."""

    def __init__(self) -> None:
        self.generation = 0
        self._by_plural: dict[tuple[str, str, str], Resource] = {}
        self._preferred: dict[tuple[str, str], Resource] = {}
        self._by_kind: dict[tuple[str, str], Resource] = {}
        for resource in built_in():
            self._index(resource)

    def _index(self, resource: Resource) -> None:
        self._by_plural[resource.group, resource.version, resource.plural] = resource
        self._by_kind[resource.api_version, resource.kind] = resource
        self._preferred.setdefault((resource.group, resource.plural), resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_plural.values())

    def find(self, group: str, plural: str, version: str | None = None) -> Resource | None:
        """The resource, in its preferred version if none is asked for; None if not served."""
        if version is None:
            return self._preferred.get((group, plural))
        return self._by_plural.get((group, version, plural))

    def get(self, group: str, plural: str, version: str | None = None) -> Resource:
        """The same as `find`; raises StatusError 404 if there is none."""
        resource = self.find(group, plural, version)
        if resource is None:
            raise errors.unknown_path()
        return resource

    def find_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource whose objects say this `apiVersion` and `kind`."""
        return self._by_kind.get((api_version, kind))

    def groups(self) -> dict[str, list[str]]:
        """Group name to its versions, preferred first, in the order of discovery."""
        found: dict[str, list[str]] = {name: [] for name in GROUP_ORDER}
        for resource in self._by_plural.values():
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return {name: versions for name, versions in found.items() if versions}

    def in_version(self, group: str, version: str) -> list[Resource]:
        return [r for r in self._by_plural.values() if (r.group, r.version) == (group, version)]

    def add(self, resource: Resource) -> None:
        """Add or replace a custom resource; the version added first is the preferred one."""
        self._by_plural[resource.group, resource.version, resource.plural] = resource
        self._by_kind[resource.api_version, resource.kind] = resource
        preferred = self._preferred.get((resource.group, resource.plural))
        if preferred is None or preferred.version == resource.version:
            self._preferred[resource.group, resource.plural] = resource
        self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        """Take a custom resource out, in all its versions."""
        for key in [k for k in self._by_plural if (k[0], k[2]) == (group, plural)]:
            gone = self._by_plural.pop(key)
            self._by_kind.pop((gone.api_version, gone.kind), None)
        self._preferred.pop((group, plural), None)
        self.generation += 1

"""Discovery: /api and /apis, each resource list, and the aggregated form with its ETag.

Law: reads the resource table only; what is made is kept until the table changes.
"""

import base64
import hashlib
import json
from typing import Any

from azrunbook.sandbox.kube.resources import Resource, ResourceTable, Subresource

Object = dict[str, Any]
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


def _storage_hash(resource: Resource) -> str:
    text = f"{resource.group}/{resource.version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _resource(resource: Resource) -> Object:
    verbs = resource.verbs if resource.custom is None else CUSTOM_VERBS
    found: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if "create" in resource.verbs and resource.is_stored:
        found["storageVersionHash"] = _storage_hash(resource)
    return found


def _subresource(resource: Resource, part: Subresource) -> Object:
    found: Object = {
        "name": f"{resource.plural}/{part.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if part.version:
        found["group"], found["version"] = part.group, part.version
    found["kind"], found["verbs"] = part.kind, list(part.verbs)
    return found


def _aggregated(resource: Resource) -> Object:
    found: Object = {
        "resource": resource.plural,
        "responseKind": {
            "group": resource.group,
            "version": resource.version,
            "kind": resource.kind,
        },
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.subresources:
        found["subresources"] = [
            {
                "subresource": part.name,
                "responseKind": {
                    "group": part.group or ("" if part.version else resource.group),
                    "version": part.version or resource.version,
                    "kind": part.kind,
                },
                "verbs": list(part.verbs),
            }
            for part in resource.subresources
        ]
    return found


class Discovery:
    """The discovery documents of one cluster; `address` is what clients reach it under."""

    def __init__(self, resources: ResourceTable, address: str) -> None:
        self._resources = resources
        self._address = address
        self._kept: dict[Any, Any] = {}
        self._generation = resources.generation

    def _keep(self, key: Any, make: Any) -> Any:
        if self._generation != self._resources.generation:
            self._kept.clear()
            self._generation = self._resources.generation
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def api_versions(self) -> Object:
        return {
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [
                {"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}
            ],
        }

    def groups(self) -> Object:
        names = [name for name in self._resources.groups() if name]
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_untyped(self.group(name)) for name in names],
        }

    def group(self, name: str) -> Object:
        """One group; raises LookupError."""
        versions = [
            {"groupVersion": f"{name}/{version}", "version": version}
            for version in self._resources.groups()[name]
        ]
        return {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": name,
            "versions": versions,
            "preferredVersion": versions[0],
        }

    def resource_list(self, group: str, version: str) -> Object | None:
        """The resources of a version of a group; None if there is none."""
        found: Object | None = self._keep((group, version), lambda: self._make_list(group, version))
        return found

    def _make_list(self, group: str, version: str) -> Object | None:
        resources = self._resources.in_version(group, version)
        if not resources:
            return None
        rows = []
        for resource in sorted(resources, key=lambda item: item.plural):
            rows.append(_resource(resource))
            rows += [_subresource(resource, part) for part in resource.subresources]
        api_version = f"{group}/{version}" if group else version
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": api_version,
            "resources": rows,
        }

    def aggregated(self, version: str, *, is_core: bool) -> tuple[bytes, str]:
        """The aggregated document of /api or /apis, and its ETag."""
        found: tuple[bytes, str] = self._keep(
            (version, is_core), lambda: self._make_aggregated(version, is_core=is_core)
        )
        return found

    def _make_aggregated(self, version: str, *, is_core: bool) -> tuple[bytes, str]:
        items = []
        for name, versions in self._resources.groups().items():
            if (name == "") is not is_core:
                continue
            parts = [
                {
                    "version": part,
                    "resources": [_aggregated(r) for r in self._resources.in_version(name, part)],
                    "freshness": "Current",
                }
                for part in versions
            ]
            metadata = {"name": name} if name else {}
            items.append({"metadata": metadata, "versions": parts})
        document = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }
        body = json.dumps(document, separators=(",", ":")).encode() + b"\n"
        return body, '"' + hashlib.sha512(body).hexdigest().upper() + '"'


def _untyped(group: Object) -> Object:
    return {key: value for key, value in group.items() if key not in ("kind", "apiVersion")}


def version_info(version: str) -> Object:
    """The answer of /version; `version` without its v."""
    major, minor, _ = version.split(".", 2)
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": f"v{version}",
        "gitCommit": hashlib.sha1(version.encode(), usedforsecurity=False).hexdigest(),
        "gitTreeState": "clean",
        "buildDate": "2026-06-10T00:00:00Z",
        "goVersion": "go1.26.4",
        "compiler": "gc",
        "platform": "linux/amd64",
    }

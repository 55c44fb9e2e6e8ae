"""Every kind of object that a cluster stores, once each, whatever versions it is served in.

Law: reads the resource table, nothing else. Namespace deletion and garbage collection must not
know the kinds one by one: custom resources come and go.
"""

from collections.abc import Iterable

from azrunbook.sandbox.kube import resources


def stored_resources(table: Iterable[resources.Resource]) -> list[resources.Resource]:
    """One watchable resource per collection of stored objects."""
    found: dict[str, resources.Resource] = {}
    for resource in table:
        if resource.is_stored and "watch" in resource.verbs:
            found.setdefault(resource.storage, resource)
    return list(found.values())


def namespaced_resources(table: Iterable[resources.Resource]) -> list[resources.Resource]:
    return [one for one in stored_resources(table) if one.namespaced and "delete" in one.verbs]

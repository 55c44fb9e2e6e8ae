"""Custom resources in service: a definition's versions in the resource table, its conditions.

Law: follows writes of definitions at once (it is called after each), so that a client that has
created one finds its resources served as soon as the answer is there. A definition that is deleted
takes its objects along; their finalizers are waited for.
"""

import re
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import deleting, errors, times
from azrunbook.sandbox.kube.resources import Resource, Subresource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
STORAGE = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
PART_VERBS = ("get", "patch", "update")
VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
STAGES = {None: 3, "beta": 2, "alpha": 1}


def version_rank(name: str) -> tuple[int, int, int, str]:
    """Sorts v2 before v1 before v1beta2 before v1alpha1 before other names."""
    match = VERSION.fullmatch(name)
    if match is None:
        return (0, 0, 0, name)
    major, stage, minor = match.groups()
    return (-STAGES[stage], -int(major), -int(minor or 0), name)


def resources_of(definition: Object) -> list[Resource]:
    """The resources of the versions that are served, preferred first."""
    spec = definition["spec"]
    names = spec["names"]
    found = []
    for part in sorted(spec["versions"], key=lambda item: version_rank(item["name"])):
        if not part.get("served"):
            continue
        subresources = []
        declared = part.get("subresources") or {}
        if "scale" in declared:
            subresources.append(
                Subresource("scale", "Scale", PART_VERBS, group="autoscaling", version="v1")
            )
        if "status" in declared:
            subresources.append(Subresource("status", names["kind"], PART_VERBS))
        found.append(
            Resource(
                group=spec["group"],
                version=part["name"],
                plural=names["plural"],
                singular=names.get("singular", ""),
                kind=names["kind"],
                namespaced=spec["scope"] == "Namespaced",
                verbs=VERBS,
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                subresources=tuple(subresources),
                custom=part,
            )
        )
    return found


def _condition(kind: str, reason: str, message: str, *, is_true: bool = True) -> Object:
    return {
        "type": kind,
        "status": "True" if is_true else "False",
        "lastTransitionTime": times.stamp(),
        "reason": reason,
        "message": message,
    }


def _names_accepted(reason: str, message: str) -> Object:
    text = message or "no conflicts found"
    return _condition("NamesAccepted", reason, text, is_true=not message)


def _established(*, is_accepted: bool) -> Object:
    if is_accepted:
        text = "the initial names have been accepted"
        return _condition("Established", "InitialNamesAccepted", text)
    return _condition("Established", "NotAccepted", "not all names are accepted", is_true=False)


def _is_true(conditions: list[Object], kind: str) -> bool:
    return any((one["type"], one["status"]) == (kind, "True") for one in conditions)


def _set(conditions: list[Object], wanted: Object) -> None:
    """Put a condition in place of the old one, unless it says the same."""
    for index, one in enumerate(conditions):
        if one["type"] == wanted["type"]:
            same = {**wanted, "lastTransitionTime": one.get("lastTransitionTime")}
            if one != same:
                conditions[index] = wanted if one["status"] != wanted["status"] else same
            return
    conditions.append(wanted)


class CustomResources:
    """Keeps one cluster's resource table in step with its definitions."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        registry.after_write.append(self.follow)

    def follow(self, resource: Resource, before: Object | None, after: Object | None) -> None:
        """React to a write that has just been done."""
        if resource.storage == STORAGE:
            if after is None:
                self._withdraw(before or {})
            elif after["metadata"].get("deletionTimestamp"):
                self._empty(after)
            else:
                self._serve(after)
        elif resource.custom is not None and after is None:
            name = f"{resource.plural}.{resource.group}"
            definition = self._registry.store.find(STORAGE, ("", name))
            if definition is not None and definition["metadata"].get("deletionTimestamp"):
                self._empty(definition)

    def _serve(self, definition: Object) -> None:
        status = definition.get("status") or {}
        accepted, reason, message = self._names(definition)
        is_accepted = not message
        if is_accepted:
            self._list(definition)
        stored = list(status.get("storedVersions") or [])
        current = next(v["name"] for v in definition["spec"]["versions"] if v.get("storage"))
        if current not in stored:
            stored.append(current)
        conditions = list(status.get("conditions") or [])
        _set(conditions, _names_accepted(reason, message))
        if is_accepted or not _is_true(conditions, "Established"):
            _set(conditions, _established(is_accepted=is_accepted))
        wanted = {"conditions": conditions, "acceptedNames": accepted, "storedVersions": stored}
        finalizers = definition["metadata"].get("finalizers") or []
        if status == wanted and CLEANUP in finalizers:
            return
        metadata = dict(definition["metadata"])
        if CLEANUP not in finalizers:
            metadata["finalizers"] = [*finalizers, CLEANUP]
        changed = {**definition, "metadata": metadata, "status": wanted}
        self._registry.store.put(STORAGE, ("", metadata["name"]), changed)

    def _names(self, definition: Object) -> tuple[Object, str, str]:
        """The names that no other definition of the group has; why some were not accepted."""
        spec, name = definition["spec"], definition["metadata"]["name"]
        wanted = spec["names"]
        kinds, plurals = set(), set()
        for other in self._registry.store.list_all(STORAGE):
            if other["metadata"]["name"] == name or other["spec"]["group"] != spec["group"]:
                continue
            taken = (other.get("status") or {}).get("acceptedNames") or {}
            kinds |= {taken.get("kind"), taken.get("listKind")}
            plurals |= {taken.get("plural"), taken.get("singular"), *taken.get("shortNames", ())}
        accepted: Object = dict(wanted)
        reason, messages = "NoConflicts", []
        for key, used in (
            ("plural", plurals),
            ("singular", plurals),
            ("shortNames", plurals),
            ("kind", kinds),
            ("listKind", kinds),
        ):
            value = wanted.get(key)
            both = [part for part in (value if isinstance(value, list) else [value]) if part]
            refused = [part for part in both if part in used]
            if refused:
                reason = f"{key[0].upper()}{key[1:]}Conflict"
                messages += [f'"{part}" is already in use' for part in refused]
                accepted.pop(key)
        return {"plural": "", "kind": "", **accepted}, reason, ", ".join(messages)

    def _reconsider(self, group: str) -> None:
        """Names of the group have become free: accept them for who waits for them."""
        for other in self._registry.store.list_all(STORAGE):
            status = other.get("status") or {}
            if other["spec"]["group"] == group and not _is_true(
                status.get("conditions") or [], "NamesAccepted"
            ):
                self._serve(other)

    def _list(self, definition: Object) -> None:
        table = self._registry.resources
        wanted = resources_of(definition)
        spec = definition["spec"]
        found = [table.find(r.group, r.plural, r.version) for r in wanted]
        is_same = [r.custom if r else None for r in found] == [r.custom for r in wanted]
        if is_same and _names(found) == _names(wanted):
            return
        table.remove(spec["group"], spec["names"]["plural"])
        for resource in wanted:
            table.add(resource)

    def _empty(self, definition: Object) -> None:
        spec, metadata = definition["spec"], definition["metadata"]
        storage = f"{spec['names']['plural']}.{spec['group']}"
        resource = self._registry.resources.find(spec["group"], spec["names"]["plural"])
        if resource is not None:
            for obj in self._registry.store.list_all(storage):
                self._delete(resource, obj)
        if self._registry.store.list_all(storage):
            return
        current = self._registry.store.find(STORAGE, ("", metadata["name"]))
        finalizers = (current or {}).get("metadata", {}).get("finalizers") or []
        if current is None or CLEANUP not in finalizers:
            return
        rest = [name for name in finalizers if name != CLEANUP]
        changed = {**current, "metadata": {**current["metadata"], "finalizers": rest}}
        key = ("", metadata["name"])
        self._registry.store.put(STORAGE, key, changed)
        if not rest:
            definitions = self._registry.resources.get(
                "apiextensions.k8s.io", "customresourcedefinitions"
            )
            deleting.remove(self._registry, definitions, key)

    def _delete(self, resource: Resource, obj: Object) -> None:
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp"):
            return
        try:
            deleting.delete(
                self._registry,
                resource,
                metadata.get("namespace"),
                metadata["name"],
                options={},
                write=Write(),
            )
        except errors.StatusError as error:
            if error.code != errors.NOT_FOUND:
                raise

    def _withdraw(self, definition: Object) -> None:
        spec = definition["spec"]
        self._registry.resources.remove(spec["group"], spec["names"]["plural"])
        self._registry.store.drop(f"{spec['names']['plural']}.{spec['group']}")
        self._reconsider(spec["group"])


def _names(found: list[Any]) -> list[Any]:
    return [r and (r.kind, r.singular, r.short_names, r.categories, r.namespaced) for r in found]

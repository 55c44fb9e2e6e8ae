"""Authorization: RBAC, evaluated from the objects of the cluster.

Law: reads the registry, decides, changes nothing. Rules are gathered per user and kept until a
role or binding changes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors, selectors
from azrunbook.sandbox.kube.identity import User

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
PLURALS = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
ALL_POWERFUL = "system:masters"


@dataclass(frozen=True)
class Action:
    """What somebody wants to do: with a resource, or with a `path` that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True)
class Granted:
    """A rule, where it holds (None: everywhere), and the binding that grants it."""

    rule: Object
    namespace: str | None
    reason: str


class Authorizer:
    """Decides for one cluster."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._positions: tuple[int, ...] = ()
        self._kept: dict[tuple[str, tuple[str, ...]], list[Granted]] = {}

    def decide(self, user: User, action: Action) -> str | None:
        """Why it is allowed; None if it is not."""
        if ALL_POWERFUL in user.groups:
            return ""
        for granted in self.rules(user):
            if granted.namespace not in (None, action.namespace):
                continue
            if _covers(granted.rule, action, is_cluster_wide=granted.namespace is None):
                return granted.reason
        return None

    def require(self, user: User, action: Action) -> None:
        """Raise StatusError 403 unless it is allowed."""
        if self.decide(user, action) is None:
            raise denied(user, action)

    def rules(self, user: User) -> list[Granted]:
        """All rules that hold for a user."""
        store = self._registry.store
        now = tuple(store.collection(f"{plural}.{GROUP}").end() for plural in PLURALS)
        if now != self._positions:
            self._positions = now
            self._kept.clear()
        key = (user.name, user.groups)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        found = list(self._gather(user))
        if len(self._kept) < 1000:  # noqa: PLR2004 - bounds what many users can make us keep
            self._kept[key] = found
        return found

    def _gather(self, user: User) -> Iterator[Granted]:
        for plural in ("clusterrolebindings", "rolebindings"):
            for binding in self._registry.store.list_all(f"{plural}.{GROUP}"):
                if not _names(binding, user):
                    continue
                metadata, reference = binding["metadata"], binding["roleRef"]
                namespace = metadata.get("namespace")
                where = f"{metadata['name']}/{namespace}" if namespace else metadata["name"]
                kind = "RoleBinding" if namespace else "ClusterRoleBinding"
                reason = (
                    f'RBAC: allowed by {kind} "{where}" of {reference["kind"]} '
                    f'"{reference["name"]}" to {_subject(binding, user)}'
                )
                for rule in self._role_rules(reference, namespace):
                    yield Granted(rule, namespace, reason)

    def _role_rules(self, reference: Object, namespace: str | None) -> list[Object]:
        is_cluster = reference["kind"] == "ClusterRole"
        plural = "clusterroles" if is_cluster else "roles"
        key = ("" if is_cluster else namespace or "", reference["name"])
        role = self._registry.store.find(f"{plural}.{GROUP}", key)
        if role is None:
            return []
        return [*(role.get("rules") or []), *self._aggregated(role)]

    def _aggregated(self, role: Object) -> Iterable[Object]:
        """The rules of the roles that an aggregation rule selects."""
        for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or []:
            wanted = selectors.from_label_selector(selector) or ()
            for other in self._registry.store.list_all(f"clusterroles.{GROUP}"):
                found = other["metadata"].get("labels") or {}
                if other is not role and selectors.match_labels(wanted, found):
                    yield from other.get("rules") or []


def _names(binding: Object, user: User) -> bool:
    return _subject(binding, user) is not None


def _subject(binding: Object, user: User) -> str | None:
    for subject in binding.get("subjects") or []:
        kind, name = subject["kind"], subject["name"]
        if kind == "User" and name == user.name:
            return f'User "{name}"'
        if kind == "Group" and name in user.groups:
            return f'Group "{name}"'
        if kind == "ServiceAccount":
            namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
            if user.name == f"system:serviceaccount:{namespace}:{name}":
                return f'ServiceAccount "{name}/{namespace}"'
    return None


def _covers(rule: Object, action: Action, *, is_cluster_wide: bool) -> bool:
    if not _has(rule.get("verbs"), action.verb):
        return False
    if action.path:
        return is_cluster_wide and any(
            pattern in ("*", action.path)
            or (pattern.endswith("*") and action.path.startswith(pattern[:-1]))
            for pattern in rule.get("nonResourceURLs") or []
        )
    if not _has(rule.get("apiGroups"), action.group):
        return False
    resources = rule.get("resources") or []
    is_named = action.full_resource in resources or "*" in resources
    if not is_named and action.subresource:
        is_named = f"*/{action.subresource}" in resources
    names = rule.get("resourceNames") or []
    return is_named and (not names or action.name in names)


def _has(values: list[str] | None, wanted: str) -> bool:
    return values is not None and (wanted in values or "*" in values)


def denied(user: User, action: Action) -> errors.StatusError:
    """The 403 in the words of the real server."""
    who = f'User "{user.name}" cannot {action.verb}'
    if action.path:
        message = f'forbidden: {who} path "{action.path}"'
        return errors.StatusError(403, "Forbidden", message, {})
    scope = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
    why = f'{who} resource "{action.full_resource}" in API group "{action.group}" {scope}'
    return errors.forbidden(action.resource, action.group, action.name, why)

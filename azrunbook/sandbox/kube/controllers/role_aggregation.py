"""Aggregated ClusterRoles: the rules of all roles that their selectors choose, written into them.

Law: writes `rules` of roles with an aggregation rule and nothing else; the authorizer does not
depend on it. Source: pkg/controller/clusterroleaggregation.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube.controllers import loop, matching
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


class RoleAggregationController:
    """Keeps each aggregated role equal to the sum of what it selects."""

    name = "clusterrole-aggregation"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._roles = cluster.resource("rbac.authorization.k8s.io", "clusterroles")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._roles, self._aggregating)]

    def _aggregating(self, _change: loop.Change) -> Iterable[loop.Key]:
        roles = self._cluster.registry.list(self._roles)
        return [loop.key_of(role) for role in roles if role.get("aggregationRule")]

    def reconcile(self, key: loop.Key) -> float | None:
        role = self._cluster.registry.find(self._roles, None, key[1])
        if role is None or "deletionTimestamp" in role["metadata"]:
            return None
        rules = sum_rules(role, self._cluster.registry.list(self._roles))
        if rules != (role.get("rules") or []):
            self._cluster.patch(self._roles, role, {"rules": rules})
        return None


def sum_rules(role: Object, others: Iterable[Object]) -> list[Object]:
    """The rules of the selected roles in the order of their names, each rule once. Pure."""
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ()
    found: list[Object] = []
    for other in others:
        labels = other["metadata"].get("labels")
        if other["metadata"]["name"] == role["metadata"]["name"]:
            continue
        if any(matching.matches(selector, labels) for selector in selectors):
            found += [rule for rule in other.get("rules") or () if rule not in found]
    return found

"""The nodes and what they hold, from one placement to the next: only what changed is counted anew.

Law: a view of the store, brought up to date when it is asked, write by write; it decides nothing.
Reason: a placement in a cluster of a thousand nodes must not add up ten thousand pods.
"""

from typing import Any

from azrunbook.sandbox.kube import errors, registry, watching
from azrunbook.sandbox.kube.controllers import loop, pods
from azrunbook.sandbox.kube.controllers.node_state import NodeState

Object = dict[str, Any]


class NodeTracker:
    """What the scheduler sees of the nodes of one cluster."""

    def __init__(self, cluster: registry.Registry) -> None:
        self._store = cluster.store
        self._scopes = [watching.Scope(cluster.resources.get("", p)) for p in ("nodes", "pods")]
        self._cursors: list[watching.Cursor] = []
        self._nodes: dict[str, Object] = {}
        self._held: dict[str, dict[loop.Key, Object]] = {}
        self._states: dict[str, NodeState] = {}

    def states(self) -> list[NodeState]:
        """All nodes that are not being deleted, by name, with the unfinished pods bound to them."""
        try:
            changes = [cursor.take() for cursor in self._cursors]
        except errors.StatusError:  # more has happened than the history keeps
            changes = []
        if changes:
            for change in changes[0]:
                self._set_node(change.key[1], change.after)
            for change in changes[1]:
                self._move(change.key, change.before, change.after)
        else:
            self._begin()
        return [self._state(name) for name in sorted(self._nodes)]

    def _begin(self) -> None:
        self._nodes.clear()
        self._held.clear()
        self._states.clear()
        nodes, bound = (self._store.list_all(one.resource.storage) for one in self._scopes)
        for node in nodes:
            self._set_node(node["metadata"]["name"], node)
        for pod in bound:
            self._move(pods.key(pod), None, pod)
        self._cursors = [watching.cursor(self._store, scope, None) for scope in self._scopes]

    def _set_node(self, name: str, node: Object | None) -> None:
        self._states.pop(name, None)
        if node is None or "deletionTimestamp" in node["metadata"]:
            self._nodes.pop(name, None)
        else:
            self._nodes[name] = node

    def _move(self, key: loop.Key, before: Object | None, after: Object | None) -> None:
        for pod in (before, after):
            if pod is not None and pods.node_name(pod):
                self._held.get(pods.node_name(pod), {}).pop(key, None)
                self._states.pop(pods.node_name(pod), None)
        if after is not None and pods.node_name(after) and not pods.is_done(after):
            self._held.setdefault(pods.node_name(after), {})[key] = after

    def _state(self, name: str) -> NodeState:
        found = self._states.get(name)
        if found is None:
            held = tuple(self._held.get(name, {}).values())
            found = self._states[name] = NodeState(self._nodes[name], held)
        return found

"""Permissions that a cluster of the sandbox has beyond a real one, each for one thing only.

They are ordinary RBAC objects, so ``kubectl get clusterroles`` shows them.
"""

from azrunbook.sandbox.kube import registry as registries

_GROUP = "rbac.authorization.k8s.io"
_NAME = "azrunbook:label-simulated-pods"


def let_nodes_label_pods(registry: registries.Registry) -> None:
    """Let nodes patch pods: to mark the simulated ones. A real node writes their status only."""
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}
    role = {"metadata": {"name": _NAME}, "rules": [rule]}
    binding = {
        "metadata": {"name": _NAME},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": _NAME},
        "subjects": [{"apiGroup": _GROUP, "kind": "Group", "name": "system:nodes"}],
    }
    registry.create(registry.resources.get(_GROUP, "clusterroles"), None, role)
    registry.create(registry.resources.get(_GROUP, "clusterrolebindings"), None, binding)

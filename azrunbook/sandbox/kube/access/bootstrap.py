"""What every cluster starts with: namespaces, roles and bindings, priority classes.

Law: idempotent; writes through the registry. Roles as far as the sandbox's own components and the
usual clients need them, under the names of the real server.
"""

from typing import TYPE_CHECKING, Any

from azrunbook.sandbox.kube import errors

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}


def rule(groups: list[str], resources: list[str], verbs: list[str]) -> Object:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


VIEWED = [
    rule(
        [""],
        [
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ],
        READ,
    ),
    rule(["discovery.k8s.io"], ["endpointslices"], READ),
    rule(["metrics.k8s.io"], ["pods", "nodes"], READ),
    rule(["apps"], ["*"], READ),
    rule(["autoscaling"], ["*"], READ),
    rule(["batch"], ["*"], READ),
    rule(["networking.k8s.io"], ["ingresses", "ingresses/status", "networkpolicies"], READ),
    rule(["policy"], ["poddisruptionbudgets", "poddisruptionbudgets/status"], READ),
]
EDITED = [
    rule(
        [""],
        ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"],
        [*READ],
    ),
    rule([""], ["serviceaccounts"], ["impersonate"]),
    rule(
        [""],
        [
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "pods",
            "pods/attach",
            "pods/exec",
            "pods/portforward",
            "pods/proxy",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ],
        WRITE,
    ),
    rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
    rule(["apps"], ["*"], WRITE),
    rule(["autoscaling"], ["*"], WRITE),
    rule(["batch"], ["*"], WRITE),
    rule(["networking.k8s.io"], ["ingresses", "networkpolicies"], WRITE),
    rule(["policy"], ["poddisruptionbudgets"], WRITE),
    rule(["coordination.k8s.io"], ["leases"], [*READ, *WRITE]),
]
ADMINISTERED = [
    rule(["authorization.k8s.io"], ["localsubjectaccessreviews"], ["create"]),
    rule([GROUP], ["rolebindings", "roles"], [*READ, *WRITE]),
]
NODE = [
    rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
    rule(["authorization.k8s.io"], ["*"], ["create"]),
    rule([""], ["services", "endpoints", "namespaces"], READ),
    rule(["discovery.k8s.io"], ["endpointslices"], READ),
    rule([""], ["nodes"], [*READ, "create", "update", "patch"]),
    rule([""], ["nodes/status", "pods/status"], ["update", "patch"]),
    rule([""], ["pods"], [*READ, "create", "delete"]),
    rule([""], ["pods/eviction", "serviceaccounts/token"], ["create"]),
    rule([""], ["configmaps", "secrets", "serviceaccounts"], READ),
    rule([""], ["persistentvolumeclaims", "persistentvolumes"], READ),
    rule([""], ["events"], ["create", "update", "patch"]),
    rule(["events.k8s.io"], ["events"], ["create", "update", "patch"]),
    rule(["coordination.k8s.io"], ["leases"], [*READ, "create", "update", "patch", "delete"]),
    rule(["node.k8s.io"], ["runtimeclasses"], READ),
    rule(["storage.k8s.io"], ["*"], READ),
]
DISCOVERY = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
]
HEALTH = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
CLUSTER_ROLES: dict[str, list[Object]] = {
    "cluster-admin": [
        rule(["*"], ["*"], ["*"]),
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ],
    "system:discovery": [{"nonResourceURLs": DISCOVERY, "verbs": ["get"]}],
    "system:public-info-viewer": [{"nonResourceURLs": HEALTH, "verbs": ["get"]}],
    "system:basic-user": [
        rule(
            ["authorization.k8s.io"],
            ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            ["create"],
        ),
        rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
    ],
    "system:node": NODE,
    "system:node-proxier": [
        rule([""], ["endpoints", "services", "nodes"], READ),
        rule(["discovery.k8s.io"], ["endpointslices"], READ),
        rule(["", "events.k8s.io"], ["events"], ["create", "patch", "update"]),
    ],
    "system:auth-delegator": [
        rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
        rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
    ],
}
AGGREGATED = {
    "view": (VIEWED, "view"),
    "edit": (EDITED, "edit"),
    "admin": (ADMINISTERED, "admin"),
}
BINDINGS = {
    "cluster-admin": ("cluster-admin", ["system:masters"]),
    "system:discovery": ("system:discovery", ["system:authenticated"]),
    "system:public-info-viewer": (
        "system:public-info-viewer",
        ["system:authenticated", "system:unauthenticated"],
    ),
    "system:basic-user": ("system:basic-user", ["system:authenticated"]),
    "system:node": ("system:node", ["system:nodes"]),
}
USER_BINDINGS = {"system:node-proxier": ("system:node-proxier", ["system:kube-proxy"])}
PRIORITIES = {
    "system-cluster-critical": (2_000_000_000, "Used for system critical pods."),
    "system-node-critical": (2_000_001_000, "Used for system critical pods that must not move."),
}


def _role(name: str, rules: list[Object], labels: dict[str, str] | None = None) -> Object:
    return {"metadata": {"name": name, "labels": {**LABELS, **(labels or {})}}, "rules": rules}


def _aggregating(name: str, selected: str) -> Object:
    label = f"rbac.authorization.k8s.io/aggregate-to-{selected}"
    found = _role(name, [])
    found["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    return found


def _roles() -> list[Object]:
    found = [_role(name, rules) for name, rules in CLUSTER_ROLES.items()]
    includes = {"view": ("view", "edit", "admin"), "edit": ("edit", "admin"), "admin": ("admin",)}
    for name, (rules, selected) in AGGREGATED.items():
        labels = {
            f"rbac.authorization.k8s.io/aggregate-to-{other}": "true" for other in includes[name]
        }
        found.append(_role(f"system:aggregate-to-{name}", rules, labels))
        found.append(_aggregating(name, selected))
    return found


def _binding(name: str, role: str, names: list[str], *, kind: str = "Group") -> Object:
    subjects = [{"kind": kind, "apiGroup": GROUP, "name": subject} for subject in names]
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role}
    return {
        "metadata": {"name": name, "labels": LABELS},
        "roleRef": reference,
        "subjects": subjects,
    }


def seed(registry: "Registry") -> None:
    """Create what is missing of all this."""
    _ensure(registry, ("", "namespaces"), [{"metadata": {"name": name}} for name in NAMESPACES])
    _ensure(registry, (GROUP, "clusterroles"), _roles())
    bindings = [_binding(name, *bound) for name, bound in BINDINGS.items()]
    bindings += [_binding(name, *bound, kind="User") for name, bound in USER_BINDINGS.items()]
    _ensure(registry, (GROUP, "clusterrolebindings"), bindings)
    classes = [
        {"metadata": {"name": name}, "value": value, "description": text}
        for name, (value, text) in PRIORITIES.items()
    ]
    _ensure(registry, ("scheduling.k8s.io", "priorityclasses"), classes)


def _ensure(registry: "Registry", which: tuple[str, str], objects: list[Object]) -> None:
    resource = registry.resources.get(*which)
    for obj in objects:
        try:
            registry.create(resource, None, obj, manager="kube-apiserver")
        except errors.StatusError as error:
            if error.reason != "AlreadyExists":
                raise

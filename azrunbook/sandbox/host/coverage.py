"""What the sandbox emulates, read off its own tables and written as Markdown.

Law: starts nothing and opens no socket. ARM's rows come from its routes, Kubernetes' from the
resource table, the handlers of subresources and the watches of the controllers; only what is
missing beyond these is said in words here, each with the file where it would be added.

    python -m azrunbook.sandbox.host.coverage > azrunbook/sandbox/COVERAGE.md
"""

import ipaddress
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from azrunbook.sandbox import arm, tls
from azrunbook.sandbox.host import metrics
from azrunbook.sandbox.kube import cluster
from azrunbook.sandbox.kube.http import plain
from azrunbook.sandbox.kube.resources import Resource, Subresource

COMMAND = "python -m azrunbook.sandbox.host.coverage > azrunbook/sandbox/COVERAGE.md"
KUBE = "azrunbook/sandbox/kube/"
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
VERSION = "1.36.2"
NETWORK = ipaddress.IPv4Network("127.1.0.0/24")
METRICS = "controllers/metric_proposals.py"
MISSING = (
    ("subresources marked *not emulated* below: 501", "http/special.py"),
    ("paths of the real server that are no resources: 501", "http/plain.py"),
    ("protobuf in answers: JSON to those who take it as well, else 406", "http/negotiation.py"),
    ("CEL: rules of custom resources are kept and not evaluated", "crds/schemas.py"),
    ("CEL: admission policies are kept and not evaluated", "admission/chain.py"),
    ("admission webhooks are kept and not called", "admission/chain.py"),
    ("conversion of custom resources by webhook: only the version's name changes", "conversion.py"),
    ("more than 200 levels in a body: 400 (the real limit is 10,000)", "bodies.py"),
    ("empty lists, maps and texts that are applied: not owned", "patching.py"),
    ("preemption: a pod never makes room for itself", "controllers/placement.py"),
    ("Pods, Object and External metrics: answered as without an adapter", METRICS),
)
"""What is missing and no row shows, with the file where it would be added."""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _arm_routes() -> list[arm.CoverageRow]:
    settings = arm.ArmSettings("127.0.0.1", 0, "t", "s", "c", "x")
    nobody: Any = None  # nothing is asked of clusters and images
    server = arm.ArmServer(settings, tls.Authority(), arm.Backends(nobody, nobody))
    return arm.list_coverage(server.routes)


def _arm_path(path: str) -> str:
    """What of a path tells operations apart."""
    for prefix, short in (
        ("/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/", "…/"),
        ("/subscriptions/{subscriptionId}/providers/", "/subscriptions/…/providers/"),
    ):
        if path.startswith(prefix):
            return short + path.removeprefix(prefix)
    return path


def _versions(found: Sequence[str]) -> str:
    first, *between, last = sorted(found) if len(found) > 1 else (*found, *found)
    if not between:
        return first if first == last else f"{first}, {last}"
    return f"{first} … {last} ({len(found)})"


def _arm() -> Iterator[str]:
    rows = _arm_routes()
    yield "## Azure Resource Manager"
    yield ""
    yield "All else answers 404 `NotEmulated` and names the file to add a route to."
    for provider, found in groupby(rows, key=lambda row: row.provider):
        yield ""
        yield f"### {provider}"
        yield ""
        yield from _table(
            ("operation", "method", "path", "api-versions"),
            (
                (row.operation, row.method, f"`{_arm_path(row.path)}`", _versions(row.api_versions))
                for row in found
            ),
        )


class _Kubernetes:
    """One cluster that is never started."""

    def __init__(self) -> None:
        config = cluster.ClusterConfig(
            name="c",
            location="l",
            version=VERSION,
            address="127.0.0.1",
            port=0,
            service_addresses=NETWORK,
            load_balancer_addresses=NETWORK,
        )
        self.cluster = cluster.Cluster(config, tls.Authority(), source=metrics.AgentMetrics({}))
        self.acting: dict[str, list[str]] = defaultdict(list)
        for controller in self.cluster.make_controllers():
            for watch in controller.watches():
                names = self.acting[watch.resource.storage]
                if controller.name not in names:
                    names.append(controller.name)
        counts = Counter(name for names in self.acting.values() for name in names)
        self.everywhere = sorted(n for n in counts if counts[n] > len(self.acting) / 2)

    def row(self, resource: Resource) -> tuple[str, ...]:
        controllers = [n for n in self.acting[resource.storage] if n not in self.everywhere]
        parts = [self._part(resource, part) for part in resource.subresources]
        return (
            resource.plural,
            resource.kind,
            _verbs(resource.verbs),
            ", ".join(parts),
            ", ".join(sorted(controllers)),
        )

    def _part(self, resource: Resource, part: Subresource) -> str:
        served = [v for v in part.verbs if self.cluster.emulates(resource, part.name, v)]
        return part.name if served else f"{part.name} (*not emulated*)"


def _verbs(verbs: Sequence[str]) -> str:
    return "all" if sorted(verbs) == sorted(ALL_VERBS) else " ".join(verbs)


def _kubernetes() -> Iterator[str]:
    known = _Kubernetes()
    yield "## Kubernetes"
    yield ""
    yield (
        f"Every resource of a real {VERSION} server is served, validated and watched. The last "
        "column says which controller acts on it; where it is empty the objects are only kept. "
        f"On all that they concern act: {', '.join(known.everywhere)}. *All* verbs are "
        f"{', '.join(ALL_VERBS)}."
    )
    yield ""
    paths = ", ".join(f"`/{name}`" for name in sorted(plain.NOT_EMULATED))
    yield f"Paths of the real server that answer 501: {paths}."
    yield ""
    yield from _table(
        ("missing", "where it would be added"),
        ((what, f"`{KUBE}{file}`") for what, file in MISSING),
    )
    rows = sorted(known.cluster.registry.resources, key=lambda r: (r.group, r.version, r.plural))
    for api_version, found in groupby(rows, key=lambda resource: resource.api_version):
        yield ""
        yield f"### {api_version}"
        yield ""
        head = ("resource", "kind", "verbs", "subresources", "controllers")
        yield from _table(head, map(known.row, found))


def markdown() -> str:
    """The whole document."""
    lines = [
        "# What the sandbox emulates",
        "",
        f"Generated by `{COMMAND}`; a test keeps it true.",
        "",
        *_kubernetes(),
        "",
        *_arm(),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())

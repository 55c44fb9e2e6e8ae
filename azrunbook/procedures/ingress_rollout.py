"""Procedure 02: Traefik in every region, by Helm, with the layered values of the estate.

The layers: the chart's defaults, then ``kubernetes-config/helm-charts/traefik/values.yaml`` (the
same everywhere), then ``kubernetes-config/<env>/traefik.yaml`` (WHAT this environment is), then
the region's public DNS label, by which Front Door finds it.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from azrunbook import checks, connect, estate, plan as plans
from azrunbook.procedures import actions, release_steps

_BASE_VALUES = Path("kubernetes-config/helm-charts/traefik/values.yaml")
_DNS_LABEL = "service.beta.kubernetes.io/azure-dns-label-name"
Facts = release_steps.Facts


def list_specs(clients: connect.Clients) -> list[release_steps.Spec]:
    """The ingress release of each region; fetches the chart when it is not in the cache."""
    ingress = clients.ingress
    chart = clients.pull_chart(ingress.repository, ingress.chart, ingress.version)
    base = yaml.safe_load((clients.project / _BASE_VALUES).read_text())
    return [
        release_steps.Spec(
            role=role,
            location=region.location,
            name=ingress.release,
            namespace=ingress.namespace,
            chart=chart,
            values=merge(base, plan_values(ingress, clients.estate.front_door.origin_dns_label)),
        )
        for role, region in clients.estate.regions.items()
    ]


def plan_values(ingress: estate.Ingress, dns_label: str) -> dict[str, Any]:
    """What the environment's file says, in the chart's words; pure."""
    resources = ingress.resources
    annotations = {_DNS_LABEL: dns_label} if ingress.service_type == "LoadBalancer" else {}
    return {
        "deployment": {"replicas": ingress.replicas},
        "service": {"spec": {"type": ingress.service_type}, "annotations": annotations},
        "image": {"tag": ingress.image_tag},
        "resources": {
            "requests": {"cpu": resources.cpu_request, "memory": resources.memory_request},
            "limits": {"cpu": resources.cpu_limit, "memory": resources.memory_limit},
        },
        "log": {"level": ingress.log_level},
    }


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one values layer over another, as Helm does: mappings merge, the rest is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged


def preflight(clients: connect.Clients) -> list[checks.CheckResult]:
    """Every cluster is ready, and the chart is in its repository."""
    ingress = clients.ingress
    criterion = f"{ingress.chart} {ingress.version} in {ingress.repository}"

    def pull() -> checks.CheckResult:
        path = clients.pull_chart(ingress.repository, ingress.chart, ingress.version)
        return checks.CheckResult("ingress chart", True, criterion, path.name)

    return [
        *release_steps.check_ready_for_release(clients),
        checks.look("ingress chart", criterion, pull, "check repository and version"),
    ]


def observe(clients: connect.Clients, *, roles: Collection[str] | None = None) -> Facts:
    """The ingress release in every region, or in some."""
    specs = [one for one in list_specs(clients) if roles is None or one.role in roles]
    return Facts(release_steps.observe(clients, specs))


def plan(facts: Facts) -> plans.Plan:
    """Release where it differs; pure."""
    return plans.Plan(
        title="Roll out the ingress",
        changes=release_steps.list_changes(facts.regions),
        steps=release_steps.list_steps(facts.regions, action="release_ingress"),
    )


@actions.action("release_ingress")
def release_ingress(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    takes_over: bool = False,
) -> str:
    """Install or upgrade the ingress of one region; see :func:`release_steps.release`."""
    spec = next(one for one in list_specs(clients) if one.role == role)
    return release_steps.release(clients, progress, spec, takes_over=takes_over)


def verify(clients: connect.Clients) -> list[checks.CheckResult]:
    """Deployed, ready, its class there, its address known."""

    def look(spec: release_steps.Spec) -> list[checks.CheckResult]:
        return [*release_steps.check(clients, spec), *_check_reachable(clients, spec)]

    return [one for found in clients.for_each(look, list_specs(clients)) for one in found]


def _check_reachable(
    clients: connect.Clients, spec: release_steps.Spec
) -> list[checks.CheckResult]:
    workloads = clients.region(spec.role).workloads

    def find_class() -> checks.CheckResult:
        found = workloads.list_ingress_classes()
        return checks.CheckResult(
            name=f"ingress class in {spec.location}",
            passed="traefik" in found,
            criterion="traefik exists",
            found=", ".join(found) or "none",
            advice="look for a second release that owns it",
        )

    def find_address() -> checks.CheckResult:
        address = workloads.find_load_balancer_address(spec.namespace, spec.name)
        return checks.CheckResult(
            name=f"address in {spec.location}",
            passed=bool(address),
            criterion="the load balancer has an address",
            found=address or "none yet",
            advice=f"kubectl describe service {spec.name} -n {spec.namespace}",
        )

    results = [checks.look(f"ingress class in {spec.location}", "traefik exists", find_class)]
    if clients.ingress.service_type == "LoadBalancer":
        results.append(checks.look(f"address in {spec.location}", "has one", find_address))
    return results

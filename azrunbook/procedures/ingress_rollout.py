"""Procedure 02: Traefik in every region, by Helm, with the layered values of the estate.

The layers: the chart's defaults, then ``kubernetes-config/helm-charts/traefik/values.yaml`` (the
same everywhere), then ``kubernetes-config/<env>/traefik.yaml`` (WHAT this environment is), then
how Front Door gets to the region: the label of a public name, or, with ``origin_access:
private_link``, an address of the network only with a private link service before it. Front Door's
origins by private link are put here too, because they need that service first.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from azrunbook import checks, connect, estate, plan as plans, resources
from azrunbook.procedures import actions, private_links, release_steps

_BASE_VALUES = Path("kubernetes-config/helm-charts/traefik/values.yaml")
_ANNOTATION = "service.beta.kubernetes.io/azure-"


@dataclass(frozen=True)
class Facts(release_steps.Facts):
    """The ingress in every region, and the private links to them."""

    links: private_links.Facts = private_links.NONE


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
            values=merge(base, plan_values(ingress, clients.estate.front_door)),
        )
        for role, region in clients.estate.regions.items()
    ]


def plan_values(ingress: estate.Ingress, front_door: estate.FrontDoor) -> dict[str, Any]:
    """What the environment's files say, in the chart's words; pure."""
    needed = ingress.resources
    is_balanced = ingress.service_type == "LoadBalancer"
    annotations = plan_annotations(front_door) if is_balanced else {}
    return {
        "deployment": {"replicas": ingress.replicas},
        "service": {"spec": {"type": ingress.service_type}, "annotations": annotations},
        "image": {"tag": ingress.image_tag},
        "resources": {
            "requests": {"cpu": needed.cpu_request, "memory": needed.memory_request},
            "limits": {"cpu": needed.cpu_limit, "memory": needed.memory_limit},
        },
        "log": {"level": ingress.log_level},
    }


def plan_annotations(front_door: estate.FrontDoor) -> dict[str, str]:
    """How AKS makes the load balancer; pure.

    Source: cloud-provider-azure, "Azure LoadBalancer" and "Azure Private Link Service Integration".
    """
    if front_door.origin_access == "public":
        return {f"{_ANNOTATION}dns-label-name": front_door.origin_dns_label}
    return {
        f"{_ANNOTATION}load-balancer-internal": "true",
        f"{_ANNOTATION}pls-create": "true",
        f"{_ANNOTATION}pls-name": resources.name_link_service(front_door),
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
    return Facts(release_steps.observe(clients, specs), links=private_links.observe(clients))


def plan(facts: Facts, *, engine: str = "arm") -> plans.Plan:
    """Release where it differs, then lead Front Door there if that is not Terraform's; pure."""
    is_ours = engine == "arm"
    puts, putting = private_links.plan_edge(facts.links) if is_ours else ((), ())
    by_ingress = [
        link for link in facts.links.links if link.is_by_ingress and (is_ours or link.states)
    ]
    approvals, approving = private_links.plan_approvals(by_ingress)
    releasing = release_steps.list_steps(facts.regions, action="release_ingress")
    return plans.Plan(
        title="Roll out the ingress",
        changes=(*release_steps.list_changes(facts.regions), *puts, *approvals),
        steps=(*releasing, *putting, *approving),
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

    found = clients.for_each(look, list_specs(clients))
    return [
        *(one for some in found for one in some),
        *private_links.check(private_links.observe(clients)),
    ]


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

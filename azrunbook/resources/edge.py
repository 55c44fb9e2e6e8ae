"""Front Door of an estate: profile, endpoint, origin group, an origin per region, route. Pure.

An origin's body, and what the edge keeps copies of, a domain of one's own and the firewall:
:mod:`.edge_options`.
"""

from typing import Any

from azrunbook import estate
from azrunbook.resources import cluster, edge_options, model


def list_edge(declared: estate.Estate, subscription_id: str) -> tuple[model.DesiredResource, ...]:
    profile = _profile(declared, subscription_id)
    endpoint = model.describe(
        endpoint_id(declared, subscription_id),
        model.ENDPOINT,
        region=model.GLOBAL,
        body={
            "location": "Global",
            "tags": dict(declared.tags),
            "properties": {"enabledState": "Enabled"},
        },
        depends_on=(profile.id,),
    )
    group = model.describe(
        origin_group_id(declared, subscription_id),
        model.ORIGIN_GROUP,
        region=model.GLOBAL,
        body={"properties": _origin_group(declared.front_door)},
        depends_on=(profile.id,),
    )
    origins = [_origin(declared, group, role, region) for role, region in declared.regions.items()]
    domains = edge_options.list_domains(declared, profile)
    route = _route(declared, endpoint, (group, *origins), domains)
    return (
        profile,
        endpoint,
        group,
        *origins,
        *domains,
        route,
        *edge_options.list_static(declared, subscription_id, route, (group, *origins)),
        *edge_options.list_firewall(declared, subscription_id, (endpoint, *domains)),
    )


def profile_id(declared: estate.Estate, subscription_id: str) -> str:
    door = declared.front_door
    return model.resource_id(subscription_id, door.resource_group, model.PROFILE, door.profile)


def endpoint_id(declared: estate.Estate, subscription_id: str) -> str:
    return f"{profile_id(declared, subscription_id)}/afdEndpoints/{declared.front_door.endpoint}"


def origin_group_id(declared: estate.Estate, subscription_id: str) -> str:
    door = declared.front_door
    return f"{profile_id(declared, subscription_id)}/originGroups/{door.origin_group}"


def origin_host(declared: estate.Estate, region: estate.Region) -> str:
    """Where a region's ingress answers: the DNS label of its load balancer's public address."""
    return f"{declared.front_door.origin_dns_label}.{region.location}.cloudapp.azure.com"


def name_link_service(front_door: estate.FrontDoor) -> str:
    """What each region's private link service is called; the ingress's Service asks for it."""
    return f"pls-{front_door.origin_dns_label}"


def _profile(declared: estate.Estate, subscription_id: str) -> model.DesiredResource:
    door = declared.front_door
    return model.describe(
        profile_id(declared, subscription_id),
        model.PROFILE,
        region=model.GLOBAL,
        body={
            "location": "Global",
            "tags": dict(declared.tags),
            "sku": {"name": door.sku},
            # Sent on purpose: the documentation and azurerm disagree on the default.
            "properties": {"originResponseTimeoutSeconds": door.origin_response_timeout_seconds},
        },
        depends_on=(model.group_id(subscription_id, door.resource_group),),
    )


def _origin_group(door: estate.FrontDoor) -> dict[str, Any]:
    return {
        "sessionAffinityState": "Disabled",
        "loadBalancingSettings": {
            "sampleSize": door.load_balancing.sample_size,
            "successfulSamplesRequired": door.load_balancing.successful_samples,
            "additionalLatencyInMilliseconds": door.load_balancing.additional_latency_milliseconds,
        },
        "healthProbeSettings": {
            "probePath": door.health_probe.path,
            "probeRequestType": door.health_probe.method,
            "probeProtocol": "Http",
            "probeIntervalInSeconds": door.health_probe.interval_seconds,
        },
    }


def _origin(
    declared: estate.Estate, group: model.DesiredResource, role: str, region: estate.Region
) -> model.DesiredResource:
    host = origin_host(declared, region)
    link: dict[str, Any] = {}
    if declared.front_door.origin_access == "private_link":
        service = model.resource_id(
            group.id.split("/")[2],
            cluster.node_group(declared, region),
            model.LINK_SERVICE,
            name_link_service(declared.front_door),
        )
        link = edge_options.private_link(service, region)
    return edge_options.describe_origin(group, host, role, region, link=link)


def _route(
    declared: estate.Estate,
    endpoint: model.DesiredResource,
    targets: tuple[model.DesiredResource, ...],
    domains: tuple[model.DesiredResource, ...],
) -> model.DesiredResource:
    return model.describe(
        f"{endpoint.id}/routes/{declared.front_door.route}",
        model.ROUTE,
        region=model.GLOBAL,
        body={
            "properties": {
                "originGroup": {"id": targets[0].id},
                "customDomains": [{"id": one.id} for one in domains],
                "supportedProtocols": ["Http", "Https"],
                "patternsToMatch": ["/*"],
                # TLS ends at the edge; the origins serve plain HTTP on port 80.
                "forwardingProtocol": "HttpOnly",
                "httpsRedirect": "Enabled",
                "linkToDefaultDomain": "Enabled",
                "enabledState": "Enabled",
            }
        },
        # A route to a group without an origin is refused.
        depends_on=(endpoint.id, *(one.id for one in (*targets, *domains))),
    )

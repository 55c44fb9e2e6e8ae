"""Private endpoints, and the DNS zones by which their names resolve in both networks. Pure.

One zone per kind of service, linked to every network. Each service has one endpoint, in its own
region: two endpoints of one service would overwrite each other's record in the shared zone. The
other region reaches it through the peering.
"""

from dataclasses import dataclass

from azrunbook import estate
from azrunbook.resources import model, network


@dataclass(frozen=True)
class Service:
    """Something to be reached privately; ``group`` is Azure's word for the part of it."""

    id: str
    group: str
    zone: str
    region: estate.Region

    @property
    def endpoint_name(self) -> str:
        return f"pe-{self.id.rpartition('/')[2]}"


def list_private(
    declared: estate.Estate, subscription_id: str, services: tuple[Service, ...]
) -> tuple[model.DesiredResource, ...]:
    """Zones with their links, then an endpoint with its zone group for every service."""
    zones = list(dict.fromkeys(service.zone for service in services))
    found: list[model.DesiredResource] = []
    for zone in zones:
        found += _zone(declared, subscription_id, zone)
    for service in services:
        found += _endpoint(declared, subscription_id, service)
    return tuple(found)


def endpoint_id(subscription_id: str, service: Service) -> str:
    return model.resource_id(
        subscription_id,
        service.region.resource_group,
        model.PRIVATE_ENDPOINT,
        service.endpoint_name,
    )


def _zone_id(declared: estate.Estate, subscription_id: str, zone: str) -> str:
    if declared.private_dns is None:
        raise ValueError("an estate with data has private_dns. This is a bug. Please report.")
    return model.resource_id(subscription_id, declared.private_dns.resource_group, model.ZONE, zone)


def _zone(declared: estate.Estate, subscription_id: str, zone: str) -> list[model.DesiredResource]:
    zone_id = _zone_id(declared, subscription_id, zone)
    one = model.describe(
        zone_id,
        model.ZONE,
        region=model.GLOBAL,
        body={"location": "global", "tags": dict(declared.tags)},
        depends_on=(zone_id.partition("/providers/")[0],),
    )
    links = [
        model.describe(
            f"{one.id}/virtualNetworkLinks/{region.network.name}",
            model.ZONE_LINK,
            region=region.location,
            body={
                "location": "global",
                "tags": dict(declared.tags),
                "properties": {
                    "registrationEnabled": False,
                    "virtualNetwork": {"id": network.network_id(subscription_id, region)},
                },
            },
            depends_on=(one.id, network.network_id(subscription_id, region)),
        )
        for region in declared.regions.values()
    ]
    return [one, *links]


def _endpoint(
    declared: estate.Estate, subscription_id: str, service: Service
) -> list[model.DesiredResource]:
    region, target = service.region, service.id.rpartition("/")[2]
    endpoint = model.describe(
        endpoint_id(subscription_id, service),
        model.PRIVATE_ENDPOINT,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "properties": {
                "subnet": {"id": network.endpoint_subnet_id(subscription_id, region)},
                "customNetworkInterfaceName": f"nic-{service.endpoint_name}",
                "privateLinkServiceConnections": [
                    {
                        "name": target,
                        "properties": {
                            "privateLinkServiceId": service.id,
                            "groupIds": [service.group],
                        },
                    }
                ],
            },
        },
        depends_on=(network.network_id(subscription_id, region), service.id),
    )
    zone = _zone_id(declared, subscription_id, service.zone)
    group = model.describe(
        f"{endpoint.id}/privateDnsZoneGroups/default",
        model.ZONE_GROUP,
        region=region.location,
        body={
            "properties": {
                "privateDnsZoneConfigs": [
                    {
                        "name": service.zone,  # as azurerm names it
                        "properties": {"privateDnsZoneId": zone},
                    }
                ]
            }
        },
        depends_on=(endpoint.id, zone),
    )
    return [endpoint, group]

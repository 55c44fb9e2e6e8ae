"""Resource groups, virtual networks and their way out, of an estate. Pure."""

from typing import Any

from azrunbook import estate
from azrunbook.resources import model

# AKS opens ports on its own security group only; the one of the nodes' subnet has to agree.
_INGRESS_PORTS = ["80", "443"]


def list_groups(declared: estate.Estate, subscription_id: str) -> tuple[model.DesiredResource, ...]:
    """One group per region, and the global ones, which live in the primary's location."""
    homes = {region.resource_group: region.location for region in declared.regions.values()}
    shared = (declared.front_door, declared.registry, declared.private_dns, declared.log_analytics)
    for part in shared:
        if part is not None:
            homes.setdefault(part.resource_group, declared.primary.location)
    return tuple(
        model.describe(
            model.group_id(subscription_id, name),
            model.GROUP,
            region=location,
            body={"location": location, "tags": dict(declared.tags)},
            depends_on=(),
        )
        for name, location in homes.items()
    )


def list_networks(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """Per region: security groups, the way out, the network; then the networks' peerings.

    The subnets are part of a network's body: a PUT of a network without them would delete them.
    """
    found: list[model.DesiredResource] = []
    for region in declared.regions.values():
        found += _security_groups(declared, subscription_id, region)
        if declared.cluster.outbound == "nat_gateway":
            found += _nat_gateway(declared, subscription_id, region)
        found.append(_network(declared, subscription_id, region))
    return (*found, *_peerings(declared, subscription_id))


def node_subnet_id(subscription_id: str, region: estate.Region) -> str:
    return _subnet_id(subscription_id, region, region.network.node_subnet)


def endpoint_subnet_id(subscription_id: str, region: estate.Region) -> str:
    return _subnet_id(subscription_id, region, region.network.private_endpoint_subnet)


def network_id(subscription_id: str, region: estate.Region) -> str:
    return model.resource_id(
        subscription_id, region.resource_group, model.NETWORK, region.network.name
    )


def _subnet_id(subscription_id: str, region: estate.Region, subnet: estate.Subnet) -> str:
    return f"{network_id(subscription_id, region)}/subnets/{subnet.name}"


def _security_group_id(subscription_id: str, region: estate.Region, subnet: estate.Subnet) -> str:
    return model.resource_id(
        subscription_id, region.resource_group, model.SECURITY_GROUP, f"nsg-{subnet.name}"
    )


def _nat_gateway_id(subscription_id: str, region: estate.Region) -> str:
    return model.resource_id(
        subscription_id, region.resource_group, model.NAT_GATEWAY, f"ng-{region.network.name}"
    )


def _security_groups(
    declared: estate.Estate, subscription_id: str, region: estate.Region
) -> list[model.DesiredResource]:
    rules = {
        region.network.node_subnet: _ingress_rules(declared.cluster.ingress_from),
        # Azure's own default rules let the networks in and the Internet not.
        region.network.private_endpoint_subnet: [],
    }
    return [
        model.describe(
            _security_group_id(subscription_id, region, subnet),
            model.SECURITY_GROUP,
            region=region.location,
            body={
                "location": region.location,
                "tags": dict(declared.tags),
                "properties": {"securityRules": inbound},
            },
            depends_on=(model.group_id(subscription_id, region.resource_group),),
        )
        for subnet, inbound in rules.items()
    ]


def _ingress_rules(sources: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"allow-ingress-{place}",
            "properties": {
                "direction": "Inbound",
                "access": "Allow",
                "priority": 100 + place,
                "protocol": "Tcp",
                "sourceAddressPrefix": source,
                "sourcePortRange": "*",
                "destinationAddressPrefix": "*",
                "destinationPortRanges": _INGRESS_PORTS,
            },
        }
        for place, source in enumerate(sources, start=1)
    ]


def _nat_gateway(
    declared: estate.Estate, subscription_id: str, region: estate.Region
) -> list[model.DesiredResource]:
    name = f"pip-ng-{region.network.name}"
    address = model.describe(
        model.resource_id(subscription_id, region.resource_group, model.PUBLIC_ADDRESS, name),
        model.PUBLIC_ADDRESS,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "sku": {"name": "Standard"},
            "zones": list(region.zones),
            "properties": {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
        },
        depends_on=(model.group_id(subscription_id, region.resource_group),),
    )
    gateway = model.describe(
        _nat_gateway_id(subscription_id, region),
        model.NAT_GATEWAY,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "sku": {"name": "Standard"},
            "properties": {"idleTimeoutInMinutes": 4, "publicIpAddresses": [{"id": address.id}]},
        },
        depends_on=(address.id,),
    )
    return [address, gateway]


def _network(
    declared: estate.Estate, subscription_id: str, region: estate.Region
) -> model.DesiredResource:
    network = region.network
    subnets = (network.node_subnet, network.private_endpoint_subnet)
    groups = {one: _security_group_id(subscription_id, region, one) for one in subnets}
    # Where a private link service takes its addresses; AKS's cloud provider would set it anyway.
    nodes: dict[str, Any] = {"privateLinkServiceNetworkPolicies": "Disabled"}
    needs = [model.group_id(subscription_id, region.resource_group), *groups.values()]
    if declared.cluster.outbound == "nat_gateway":
        nodes["natGateway"] = {"id": _nat_gateway_id(subscription_id, region)}
        needs.append(nodes["natGateway"]["id"])
    endpoints = {"privateEndpointNetworkPolicies": "Disabled"}
    extra = {network.node_subnet: nodes, network.private_endpoint_subnet: endpoints}
    return model.describe(
        network_id(subscription_id, region),
        model.NETWORK,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "properties": {
                "addressSpace": {"addressPrefixes": list(network.address_space)},
                "subnets": [
                    {
                        "name": subnet.name,
                        "properties": {
                            "addressPrefix": subnet.cidr,
                            # Said on purpose: the default depends on the network's api-version.
                            "defaultOutboundAccess": False,
                            "networkSecurityGroup": {"id": groups[subnet]},
                            **extra[subnet],
                        },
                    }
                    for subnet in subnets
                ],
            },
        },
        depends_on=tuple(needs),
    )


def _peerings(declared: estate.Estate, subscription_id: str) -> tuple[model.DesiredResource, ...]:
    """Both ways: a pod of one region writes to the other's database by its private address."""
    regions = tuple(declared.regions.values())
    return tuple(
        model.describe(
            f"{network_id(subscription_id, near)}/virtualNetworkPeerings/to-{far.network.name}",
            model.PEERING,
            region=near.location,
            body={
                "properties": {
                    "remoteVirtualNetwork": {"id": network_id(subscription_id, far)},
                    "allowVirtualNetworkAccess": True,
                    "allowForwardedTraffic": False,
                    "allowGatewayTransit": False,
                    "useRemoteGateways": False,
                }
            },
            depends_on=tuple(network_id(subscription_id, one) for one in (near, far)),
        )
        for near in regions
        for far in regions
        if near != far
    )

"""Resource groups and virtual networks of an estate. Pure."""

from azrunbook import estate
from azrunbook.resources import model


def list_groups(declared: estate.Estate, subscription_id: str) -> tuple[model.DesiredResource, ...]:
    """One group per region, and the global ones, which live in the primary's location."""
    homes = {region.resource_group: region.location for region in declared.regions.values()}
    for group in (declared.front_door.resource_group, declared.registry.resource_group):
        homes.setdefault(group, declared.primary.location)
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
    """One network per region.

    The subnets are part of its body: a PUT of a network without them would delete them.
    """
    return tuple(
        _network(declared, subscription_id, region) for region in declared.regions.values()
    )


def node_subnet_id(subscription_id: str, region: estate.Region) -> str:
    return model.resource_id(
        subscription_id,
        region.resource_group,
        f"{model.NETWORK}/subnets",
        region.network.name,
        region.network.node_subnet.name,
    )


def network_id(subscription_id: str, region: estate.Region) -> str:
    return model.resource_id(
        subscription_id, region.resource_group, model.NETWORK, region.network.name
    )


def _network(
    declared: estate.Estate, subscription_id: str, region: estate.Region
) -> model.DesiredResource:
    network = region.network
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
                        "name": network.node_subnet.name,
                        # Said on purpose: the default depends on the api-version of the network.
                        "properties": {
                            "addressPrefix": network.node_subnet.cidr,
                            "defaultOutboundAccess": False,
                        },
                    },
                    {
                        "name": network.private_endpoint_subnet.name,
                        "properties": {
                            "addressPrefix": network.private_endpoint_subnet.cidr,
                            "defaultOutboundAccess": False,
                            "privateEndpointNetworkPolicies": "Disabled",
                        },
                    },
                ],
            },
        },
        depends_on=(model.group_id(subscription_id, region.resource_group),),
    )

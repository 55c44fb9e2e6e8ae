"""Regions and their virtual networks. Pure.

Names that follow from these: network security groups ``nsg-<subnet>``, and for the outbound kind
``nat_gateway`` the gateway ``ng-<network>`` with its address ``pip-ng-<network>``.
"""

import ipaddress
from typing import Literal, Self

import pydantic
from pydantic import Field

from azrunbook import documents
from azrunbook.estate import fields

_LOCATION = r"^[a-z]+[a-z0-9]*$"


class Subnet(documents.Model):
    name: fields.ResourceName = Field(examples=["snet-nodes"])
    cidr: fields.Cidr


class Network(documents.Model):
    name: fields.ResourceName = Field(examples=["vnet-eastus"])
    address_space: tuple[fields.Cidr, ...] = Field(min_length=1, examples=[["10.1.0.0/16"]])
    node_subnet: Subnet
    private_endpoint_subnet: Subnet

    @pydantic.model_validator(mode="after")
    def _subnets_fit(self) -> Self:
        spaces = [ipaddress.ip_network(space) for space in self.address_space]
        subnets = [self.node_subnet, self.private_endpoint_subnet]
        for subnet in subnets:
            inside = ipaddress.ip_network(subnet.cidr)
            if not any(fields.is_inside(inside, space) for space in spaces):
                msg = f"subnets inside {', '.join(self.address_space)}; {subnet.name} is not"
                raise ValueError(msg)
        if fields.overlaps(*(subnet.cidr for subnet in subnets)):
            msg = f"disjoint subnets; {' and '.join(s.name for s in subnets)} overlap"
            raise ValueError(msg)
        if self.node_subnet.name.lower() == self.private_endpoint_subnet.name.lower():
            msg = f"two different subnet names; both are {self.node_subnet.name}"
            raise ValueError(msg)
        return self


class Region(documents.Model):
    location: str = Field(pattern=_LOCATION, examples=["eastus"])
    display_name: str = Field(examples=["East US"])
    resource_group: fields.ResourceName
    zones: tuple[Literal["1", "2", "3"], ...] = Field(examples=[["1", "2", "3"]])
    network: Network


class PrivateDns(documents.Model):
    """Where the private DNS zones of both regions are; each is linked to both networks."""

    resource_group: fields.ResourceName


class LogAnalytics(documents.Model):
    """One workspace, in the primary's location, that both clusters send their logs to."""

    resource_group: fields.ResourceName
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$", examples=["log-dv"])
    retention_days: int = Field(ge=30, le=730, examples=[30])

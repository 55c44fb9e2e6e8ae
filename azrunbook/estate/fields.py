"""Kinds of values that several parts of an estate have: names, labels, address ranges. Pure."""

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, Field

DNS_LABEL = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_RESOURCE_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,88}[A-Za-z0-9_])?$"


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        msg = f"a CIDR block whose host bits are zero ({error})"
        raise ValueError(msg) from error
    return text


Cidr = Annotated[str, AfterValidator(_is_network), Field(examples=["10.1.0.0/16"])]
ResourceName = Annotated[str, Field(pattern=_RESOURCE_NAME, examples=["rg-aks-primary-eastus"])]
DnsLabel = Annotated[str, Field(pattern=DNS_LABEL, examples=["aks-multiregion-dv"])]
Guid = Annotated[
    str,
    Field(
        pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        examples=["11111111-2222-3333-4444-555555555555"],
    ),
]


def is_inside(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))


def overlaps(*blocks: str) -> bool:
    """Whether any two of these ranges share an address."""
    networks = [ipaddress.ip_network(block) for block in blocks]
    return any(
        one.version == other.version and one.overlaps(other)
        for place, one in enumerate(networks)
        for other in networks[place + 1 :]
    )

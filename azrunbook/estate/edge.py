"""Front Door: one profile, an origin group with an origin per region, routes. Pure."""

from typing import Literal, Self

import pydantic
from pydantic import Field

from azrunbook import documents
from azrunbook.estate import fields

_PREMIUM = "Premium_AzureFrontDoor"


class HealthProbe(documents.Model):
    path: str = Field(pattern=r"^/", examples=["/healthz"])
    method: Literal["HEAD", "GET"] = "HEAD"
    interval_seconds: int = Field(ge=1, le=255, examples=[5])


class LoadBalancing(documents.Model):
    sample_size: int = Field(ge=1, le=255, examples=[4])
    successful_samples: int = Field(ge=1, le=255, examples=[3])
    additional_latency_milliseconds: int = Field(ge=0, le=1000, examples=[50])

    @pydantic.model_validator(mode="after")
    def _samples_suffice(self) -> Self:
        if self.successful_samples > self.sample_size:
            msg = f"successful_samples of at most sample_size ({self.sample_size})"
            raise ValueError(msg)
        return self


class StaticAssets(documents.Model):
    """What the edge keeps copies of.

    Attributes:
        source: ``app``: the application serves them; ``storage``: each region's storage account
            does, in an origin group of its own, reached by private link, which takes the Premium
            sku. With Standard an account would have to be open to the Internet, so there the
            application serves them.
        origin_group: of the storage accounts; not made with source ``app``.
    """

    route: fields.ResourceName = Field(examples=["route-static"])
    pattern: str = Field(pattern=r"^/.*\*$", examples=["/static/*"])
    source: Literal["app", "storage"]
    origin_group: fields.ResourceName = Field(examples=["og-static"])


class CustomDomain(documents.Model):
    """A host name of one's own, with a certificate that Azure manages; its DNS is not ours."""

    name: fields.ResourceName = Field(examples=["hello-world-example-com"])
    host_name: str = Field(
        pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$", examples=["hello.example.com"]
    )


class Waf(documents.Model):
    """A web application firewall in front of every host name of the endpoint."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,127}$", examples=["wafmultiregion"])
    mode: Literal["Detection", "Prevention"]


class FrontDoor(documents.Model):
    """The one way in.

    Attributes:
        origin_access: ``public``: each region's ingress has a public address; ``private_link``:
            it has a private one, behind the private link service ``pls-<origin_dns_label>`` in
            the cluster's node resource group, which the ingress brings along.
    """

    resource_group: fields.ResourceName
    profile: fields.ResourceName = Field(examples=["afd-aks-multiregion-dv"])
    sku: Literal["Standard_AzureFrontDoor", "Premium_AzureFrontDoor"]
    endpoint: fields.DnsLabel = Field(examples=["hello-world-dv"])
    origin_group: fields.ResourceName
    route: fields.ResourceName
    origin_dns_label: fields.DnsLabel
    origin_access: Literal["public", "private_link"] = "public"
    origin_response_timeout_seconds: int = Field(ge=16, le=240, examples=[60])
    health_probe: HealthProbe
    load_balancing: LoadBalancing
    static_assets: StaticAssets | None = None
    custom_domain: CustomDomain | None = None
    waf: Waf | None = None

    @pydantic.model_validator(mode="after")
    def _private_link_is_premium(self) -> Self:
        stored = self.static_assets is not None and self.static_assets.source == "storage"
        if self.sku != _PREMIUM and (self.origin_access == "private_link" or stored):
            msg = f"sku {_PREMIUM} with origins reached by private link, not {self.sku}"
            raise ValueError(msg)
        return self

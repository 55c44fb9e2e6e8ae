"""Managed clusters and their node pools. Pure.

Both regions have a cluster of the same name. Names that follow from it: the identities
``id-<cluster>-<location>`` (control plane) and ``id-<cluster>-kubelet-<location>``, and the
application's ``id-<release>-<location>``.
"""

from typing import Literal, Self

import pydantic
from pydantic import Field

from azrunbook import documents
from azrunbook.estate import fields

# The Linux pool rule of AKS: lower-case letters and digits, at most twelve, a letter first.
_POOL_NAME = r"^[a-z][a-z0-9]{0,11}$"


class Entra(documents.Model):
    """Sign-in to the clusters with Microsoft Entra ID; ``azure_rbac`` decides rights by Azure."""

    admin_groups: tuple[fields.Guid, ...] = ()
    azure_rbac: bool = True


class Maintenance(documents.Model):
    """When AKS may upgrade a cluster and its node images; once a week, UTC."""

    day: Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    start_time: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", examples=["02:00"])
    duration_hours: int = Field(ge=4, le=24, examples=[4])


class Cluster(documents.Model):
    """A managed cluster per region.

    Attributes:
        outbound: how nodes reach the Internet; their subnet has no default way out.
        ingress_from: what the nodes' subnet lets in on ports 80 and 443 (addresses or service
            tags); Front Door only is ``AzureFrontDoor.Backend``.
        local_accounts: whether the cluster's own certificates are accepted; the runbook uses them.
        auto_upgrade: ``patch`` lets AKS install patches of the declared minor version.
    """

    name: fields.ResourceName = Field(examples=["aks-multiregion-cluster"])
    dns_prefix: fields.DnsLabel = Field(examples=["akscluster"])
    kubernetes_version: str = Field(pattern=r"^1\.\d+(\.\d+)?$", examples=["1.36"])
    support_plan: Literal["KubernetesOfficial", "AKSLongTermSupport"] = "KubernetesOfficial"
    tier: Literal["Free", "Standard", "Premium"] = "Standard"
    pod_cidr: fields.Cidr = "10.244.0.0/16"
    service_cidr: fields.Cidr = "10.0.0.0/16"
    outbound: Literal["load_balancer", "nat_gateway"] = "load_balancer"
    ingress_from: tuple[str, ...] = Field(
        default=("AzureFrontDoor.Backend",), min_length=1, examples=[["AzureFrontDoor.Backend"]]
    )
    local_accounts: bool = True
    auto_upgrade: Literal["none", "patch"] = "patch"
    entra: Entra | None = None
    maintenance: Maintenance | None = None

    @pydantic.model_validator(mode="after")
    def _long_term_support_is_premium(self) -> Self:
        if self.support_plan == "AKSLongTermSupport" and self.tier != "Premium":
            msg = f"tier Premium with support_plan AKSLongTermSupport, not {self.tier}"
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _somebody_can_sign_in(self) -> Self:
        if not self.local_accounts and self.entra is None:
            msg = "entra with local_accounts false; else nobody can sign in"
            raise ValueError(msg)
        return self


class Autoscale(documents.Model):
    """The range within which AKS's cluster autoscaler keeps a pool."""

    min_count: int = Field(ge=0, le=1000, examples=[2])
    max_count: int = Field(ge=1, le=1000, examples=[5])

    @pydantic.model_validator(mode="after")
    def _is_range(self) -> Self:
        if self.min_count > self.max_count:
            msg = f"min_count of at most max_count ({self.max_count})"
            raise ValueError(msg)
        return self


class NodePool(documents.Model):
    """A pool of every cluster; with ``autoscale``, ``count`` is what it starts with."""

    name: str = Field(pattern=_POOL_NAME, examples=["systempool"])
    count: int = Field(ge=0, le=1000, examples=[3])
    vm_size: str = Field(pattern=r"^Standard_\w+$", examples=["Standard_D2s_v3"])
    mode: Literal["System", "User"]
    autoscale: Autoscale | None = None

    @pydantic.model_validator(mode="after")
    def _system_pool_has_nodes(self) -> Self:
        if self.mode == "System" and self.count < 1:
            msg = "count of at least 1 in a System pool"
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _autoscaler_starts_inside(self) -> Self:
        scale = self.autoscale
        if scale is None:
            return self
        if not scale.min_count <= self.count <= scale.max_count:
            msg = f"count from {scale.min_count} to {scale.max_count}, the autoscaler's range"
            raise ValueError(msg)
        if self.mode == "System" and scale.min_count < 1:
            msg = "min_count of at least 1 in a System pool"
            raise ValueError(msg)
        return self

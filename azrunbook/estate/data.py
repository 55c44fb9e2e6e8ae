"""Data services: PostgreSQL, Redis, storage; private, reached only through the networks' endpoints.

Each is one per region, named ``<name>-<location>`` (storage: ``<name><location>``); their private
endpoints are ``pe-<that name>``. The secondary's PostgreSQL is a replica of the primary's.
"""

from typing import Literal, Self

import pydantic
from pydantic import Field

from azrunbook import documents
from azrunbook.estate import fields

_SKUS = {
    # Active geo-replication needs high availability, which B0, B1 and Flash do not have.
    "managed": r"Balanced_B\d+, MemoryOptimized_M\d+ or ComputeOptimized_X\d+",
    "premium": "P1 to P5",
}


class Postgres(documents.Model):
    """A flexible server per region.

    Attributes:
        sku: as azurerm spells it: ``GP_`` (general purpose) or ``MO_`` (memory optimized) before
            the size; replicas need one of the two.
        administrator: the login; its password is generated, and is in no file.
        zone_redundant: a standby in another zone of the primary's region.
        geo_redundant_backup: can only be chosen at creation; goes to Azure's pair of the region.
        replica: whether the secondary's region has a replica.
        virtual_endpoint: what clients connect to, whichever server is the primary; null: none.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}[a-z0-9]$", examples=["psql-multiregion-dv"])
    version: Literal["13", "14", "15", "16", "17"] = Field(examples=["16"])
    sku: str = Field(pattern=r"^(GP|MO)_Standard_\w+$", examples=["GP_Standard_D2s_v3"])
    storage_gb: Literal[32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384] = Field(examples=[32])
    administrator: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$", examples=["psqladmin"])
    database: str = Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$", examples=["hello_world"])
    backup_retention_days: int = Field(ge=7, le=35, examples=[7])
    geo_redundant_backup: bool = False
    zone_redundant: bool = False
    replica: bool = True
    virtual_endpoint: fields.DnsLabel | None = None

    @pydantic.model_validator(mode="after")
    def _login_is_allowed(self) -> Self:
        reserved = {
            "admin",
            "administrator",
            "azure_superuser",
            "azure_pg_admin",
            "guest",
            "public",
        }
        if self.administrator in reserved or self.administrator.startswith("pg_"):
            msg = f"another administrator than {self.administrator}, which Azure reserves"
            raise ValueError(msg)
        return self


class Redis(documents.Model):
    """A cache per region, replicated between them.

    Attributes:
        kind: ``managed`` is Azure Managed Redis (Microsoft.Cache/redisEnterprise, port 10000) with
            active geo-replication; ``premium`` is Azure Cache for Redis (port 6380) with linked
            servers, which new customers cannot create since April 2026.
        sku: ``Balanced_B5`` and the like, or ``P1`` to ``P5``.
    """

    kind: Literal["managed", "premium"]
    name: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40,
                      examples=["redis-multiregion-dv"])  # fmt: skip
    sku: str = Field(
        pattern=r"^(P[1-5]|Balanced_B([3-9]|\d{2,})|MemoryOptimized_M\d+|ComputeOptimized_X\d+)$",
        examples=["Balanced_B5"],
    )
    geo_replication: bool = True

    @property
    def port(self) -> int:
        """Where clients connect with TLS."""
        return 10000 if self.kind == "managed" else 6380

    @pydantic.model_validator(mode="after")
    def _sku_is_of_the_kind(self) -> Self:
        if self.sku.startswith("P") != (self.kind == "premium"):
            msg = f"sku {_SKUS[self.kind]} with kind {self.kind}, not {self.sku}"
            raise ValueError(msg)
        return self


class Storage(documents.Model):
    """A storage account per region with a container of static assets."""

    name: str = Field(pattern=r"^[a-z0-9]{3,17}$", examples=["stazrdv"])
    sku: Literal["Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_RAGRS", "Standard_GZRS",
                 "Standard_RAGZRS"] = "Standard_ZRS"  # fmt: skip
    container: str = Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$", examples=["static"])

"""The whole estate as one value, and the rules between its parts. Pure."""

from collections.abc import Mapping
from typing import Literal, NewType, Self

import pydantic
from pydantic import Field

from azrunbook import documents, errors
from azrunbook.estate import fields
from azrunbook.estate.cluster import Cluster, NodePool
from azrunbook.estate.data import Postgres, Redis, Storage
from azrunbook.estate.edge import FrontDoor
from azrunbook.estate.network import LogAnalytics, PrivateDns, Region
from azrunbook.estate.registry import Registry

RegionName = NewType("RegionName", str)
_STORAGE_NAME_CHARACTERS = 24


class App(documents.Model):
    release: fields.DnsLabel = Field(examples=["hello-world"])
    namespace: fields.DnsLabel = Field(examples=["hello-world"])
    image: str = Field(pattern=r"^[a-z0-9][a-z0-9._/-]*$", examples=["hello-world"])
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", examples=["1.0.0"])
    replicas: int = Field(ge=1, le=100, examples=[2])


class Objectives(documents.Model):
    """What a drill is judged by.

    Attributes:
        recovery_point_seconds: how far back the last write may be that a forced promotion keeps.
    """

    recovery_time_seconds: int = Field(gt=0, examples=[60])
    recovery_point_seconds: int = Field(ge=0, examples=[300])
    steady_availability_percent: float = Field(ge=0, le=100, examples=[99.9])


class Estate(documents.Model):
    """Everything of one environment; what is null is not part of it."""

    environment: Literal["dv", "staging", "prod"]
    project: str = Field(pattern=fields.DNS_LABEL, examples=["aks-multiregion"])
    primary: Region
    secondary: Region
    secondary_enabled: bool = True
    cluster: Cluster
    node_pools: tuple[NodePool, ...] = Field(min_length=1)
    registry: Registry
    postgres: Postgres | None = None
    redis: Redis | None = None
    storage: Storage | None = None
    private_dns: PrivateDns | None = None
    log_analytics: LogAnalytics | None = None
    front_door: FrontDoor
    app: App
    objectives: Objectives
    tags: Mapping[str, str] = Field(default_factory=dict)

    @property
    def regions(self) -> dict[RegionName, Region]:
        """The regions in use, the primary first."""
        regions = {RegionName("primary"): self.primary}
        if self.secondary_enabled:
            regions[RegionName("secondary")] = self.secondary
        return regions

    @property
    def has_data(self) -> bool:
        """Whether any data service is declared."""
        return any((self.postgres, self.redis, self.storage))

    def get_region(self, name: str) -> tuple[RegionName, Region]:
        """Find a region by its role (``primary``) or its location (``eastus``).

        Raises:
            NotFoundError: neither a role nor a location of a region in use.
        """
        for role, region in self.regions.items():
            if name in {role, region.location}:
                return role, region
        known = ", ".join(f"{role} ({region.location})" for role, region in self.regions.items())
        raise errors.NotFoundError(f"no region '{name}' in this estate; it has {known}")

    @pydantic.model_validator(mode="after")
    def _regions_are_apart(self) -> Self:
        if self.primary.location == self.secondary.location:
            msg = f"two different locations; both are {self.primary.location}"
            raise ValueError(msg)
        if self.primary.resource_group.lower() == self.secondary.resource_group.lower():
            msg = f"a resource group per region; both are {self.primary.resource_group}"
            raise ValueError(msg)
        spaces = (*self.primary.network.address_space, *self.secondary.network.address_space)
        if fields.overlaps(*spaces, self.cluster.pod_cidr, self.cluster.service_cidr):
            msg = f"disjoint address ranges of both networks, pods and services, not {spaces}"
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _pools_are_sound(self) -> Self:
        names = [pool.name for pool in self.node_pools]
        if len(set(names)) < len(names):
            msg = f"node pools with different names, not {names}"
            raise ValueError(msg)
        if all(pool.mode == "User" for pool in self.node_pools):
            msg = "at least one node pool with mode System"
            raise ValueError(msg)
        return self

    @pydantic.model_validator(mode="after")
    def _data_is_reachable(self) -> Self:
        if self.has_data and self.private_dns is None:
            msg = "private_dns with postgres, redis or storage; their names resolve through it"
            raise ValueError(msg)
        if self.storage is not None:
            longest = max((r.location for r in (self.primary, self.secondary)), key=len)
            if len(f"{self.storage.name}{longest}") > _STORAGE_NAME_CHARACTERS:
                msg = (
                    f"a storage name of at most {_STORAGE_NAME_CHARACTERS - len(longest)} "
                    f"characters; {self.storage.name}{longest} is longer than Azure's "
                    f"{_STORAGE_NAME_CHARACTERS}"
                )
                raise ValueError(msg)
        static = self.front_door.static_assets
        if static is not None and static.source == "storage" and self.storage is None:
            msg = "storage with front_door.static_assets.source storage"
            raise ValueError(msg)
        return self

"""The estate as frozen, validated data: WHAT there is, read from ``infra/<env>/estate.yaml``.

This module reads two files per environment and nothing else; it knows no SDK and no network. A
wrong file fails here, before anything is started, with the place, what was found, what was
expected and an example. The ingress layer has a file of its own
(``kubernetes-config/<env>/traefik.yaml``), as the layers of the estate do.
"""

import ipaddress
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Self

import pydantic
from pydantic import AfterValidator, Field

from azrunbook import documents, errors

ENVIRONMENTS = ("dv", "staging", "prod")
RegionName = NewType("RegionName", str)

# The Linux pool rule of AKS: lower-case letters and digits, at most twelve, a letter first.
_POOL_NAME = r"^[a-z][a-z0-9]{0,11}$"
_DNS_LABEL = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_RESOURCE_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,88}[A-Za-z0-9_])?$"
_LOCATION = r"^[a-z]+[a-z0-9]*$"


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        msg = f"a CIDR block whose host bits are zero ({error})"
        raise ValueError(msg) from error
    return text


Cidr = Annotated[str, AfterValidator(_is_network), Field(examples=["10.1.0.0/16"])]
ResourceName = Annotated[str, Field(pattern=_RESOURCE_NAME, examples=["rg-aks-primary-eastus"])]
DnsLabel = Annotated[str, Field(pattern=_DNS_LABEL, examples=["aks-multiregion-dv"])]


class Subnet(documents.Model):
    name: ResourceName = Field(examples=["snet-nodes"])
    cidr: Cidr


class Network(documents.Model):
    name: ResourceName = Field(examples=["vnet-eastus"])
    address_space: tuple[Cidr, ...] = Field(min_length=1, examples=[["10.1.0.0/16"]])
    node_subnet: Subnet
    private_endpoint_subnet: Subnet

    @pydantic.model_validator(mode="after")
    def _subnets_fit(self) -> Self:
        spaces = [ipaddress.ip_network(space) for space in self.address_space]
        subnets = [self.node_subnet, self.private_endpoint_subnet]
        for subnet in subnets:
            inside = ipaddress.ip_network(subnet.cidr)
            if not any(_is_inside(inside, space) for space in spaces):
                msg = f"subnets inside {', '.join(self.address_space)}; {subnet.name} is not"
                raise ValueError(msg)
        if _overlaps(*(subnet.cidr for subnet in subnets)):
            msg = f"disjoint subnets; {' and '.join(s.name for s in subnets)} overlap"
            raise ValueError(msg)
        return self


class Region(documents.Model):
    location: str = Field(pattern=_LOCATION, examples=["eastus"])
    display_name: str = Field(examples=["East US"])
    resource_group: ResourceName
    zones: tuple[Literal["1", "2", "3"], ...] = Field(examples=[["1", "2", "3"]])
    network: Network


class Cluster(documents.Model):
    name: ResourceName = Field(examples=["aks-multiregion-cluster"])
    dns_prefix: DnsLabel = Field(examples=["akscluster"])
    kubernetes_version: str = Field(pattern=r"^1\.\d+(\.\d+)?$", examples=["1.36"])
    support_plan: Literal["KubernetesOfficial", "AKSLongTermSupport"] = "KubernetesOfficial"
    tier: Literal["Free", "Standard", "Premium"] = "Standard"
    pod_cidr: Cidr = "10.244.0.0/16"
    service_cidr: Cidr = "10.0.0.0/16"

    @pydantic.model_validator(mode="after")
    def _long_term_support_is_premium(self) -> Self:
        if self.support_plan == "AKSLongTermSupport" and self.tier != "Premium":
            msg = f"tier Premium with support_plan AKSLongTermSupport, not {self.tier}"
            raise ValueError(msg)
        return self


class NodePool(documents.Model):
    name: str = Field(pattern=_POOL_NAME, examples=["systempool"])
    count: int = Field(ge=0, le=1000, examples=[3])
    vm_size: str = Field(pattern=r"^Standard_\w+$", examples=["Standard_D2s_v3"])
    mode: Literal["System", "User"]

    @pydantic.model_validator(mode="after")
    def _system_pool_has_nodes(self) -> Self:
        if self.mode == "System" and self.count < 1:
            msg = "count of at least 1 in a System pool"
            raise ValueError(msg)
        return self


class Registry(documents.Model):
    resource_group: ResourceName
    name: str = Field(pattern=r"^[a-z0-9]{5,50}$", examples=["azrunbookdv"])
    sku: Literal["Basic", "Standard", "Premium"] = "Premium"


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


class FrontDoor(documents.Model):
    resource_group: ResourceName
    profile: ResourceName = Field(examples=["afd-aks-multiregion-dv"])
    sku: Literal["Standard_AzureFrontDoor", "Premium_AzureFrontDoor"]
    endpoint: DnsLabel = Field(examples=["hello-world-dv"])
    origin_group: ResourceName
    route: ResourceName
    origin_dns_label: DnsLabel
    origin_response_timeout_seconds: int = Field(ge=16, le=240, examples=[60])
    health_probe: HealthProbe
    load_balancing: LoadBalancing


class App(documents.Model):
    release: DnsLabel = Field(examples=["hello-world"])
    namespace: DnsLabel = Field(examples=["hello-world"])
    image: str = Field(pattern=r"^[a-z0-9][a-z0-9._/-]*$", examples=["hello-world"])
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$", examples=["1.0.0"])
    replicas: int = Field(ge=1, le=100, examples=[2])


class Objectives(documents.Model):
    """What a drill is judged by."""

    recovery_time_seconds: int = Field(gt=0, examples=[60])
    steady_availability_percent: float = Field(ge=0, le=100, examples=[99.9])


class Estate(documents.Model):
    environment: Literal["dv", "staging", "prod"]
    project: str = Field(pattern=_DNS_LABEL, examples=["aks-multiregion"])
    primary: Region
    secondary: Region
    secondary_enabled: bool = True
    cluster: Cluster
    node_pools: tuple[NodePool, ...] = Field(min_length=1)
    registry: Registry
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
        spaces = (*self.primary.network.address_space, *self.secondary.network.address_space)
        if _overlaps(*spaces, self.cluster.pod_cidr, self.cluster.service_cidr):
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


class Resources(documents.Model):
    cpu_request: str = Field(pattern=r"^\d+m?$", examples=["100m"])
    memory_request: str = Field(pattern=r"^\d+[KMG]i$", examples=["256Mi"])
    cpu_limit: str = Field(pattern=r"^\d+m?$", examples=["500m"])
    memory_limit: str = Field(pattern=r"^\d+[KMG]i$", examples=["512Mi"])


class Ingress(documents.Model):
    """The ingress layer of one environment: ``kubernetes-config/<env>/traefik.yaml``."""

    repository: str = Field(
        pattern=r"^(https|oci)://", examples=["https://traefik.github.io/charts"]
    )
    chart: str = Field(examples=["traefik"])
    version: str = Field(pattern=r"^\d+\.\d+\.\d+", examples=["41.3.0"])
    release: DnsLabel = Field(examples=["traefik"])
    namespace: DnsLabel = Field(examples=["traefik"])
    replicas: int = Field(ge=1, le=99, examples=[3])
    service_type: Literal["LoadBalancer", "ClusterIP", "NodePort"]
    image_tag: str = Field(pattern=r"^v\d+\.\d+\.\d+$", examples=["v3.7.15"])
    resources: Resources
    log_level: Literal["DEBUG", "INFO", "WARN", "ERROR"]


def _is_inside(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))


def _overlaps(*blocks: str) -> bool:
    networks = [ipaddress.ip_network(block) for block in blocks]
    return any(
        one.version == other.version and one.overlaps(other)
        for place, one in enumerate(networks)
        for other in networks[place + 1 :]
    )


def json_schema() -> str:
    """The JSON Schema of an estate file, for editors; ``infra/estate.schema.json`` holds it."""
    return json.dumps(Estate.model_json_schema(), indent=2) + "\n"


def find_project() -> Path:
    """Find the folder that holds ``infra/``: the current folder or the nearest above it.

    Raises:
        EstateError: not inside a checkout.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "infra").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise errors.EstateError(
        f"{here} is not inside a checkout of the runbook: expected a folder with infra/ and "
        "notebooks/ here or above. Change into the checkout and try again."
    )


def load(environment: str, project: Path | None = None) -> Estate:
    """Read and validate ``infra/<environment>/estate.yaml``.

    Raises:
        EstateError: the file is missing, is not YAML, or is not an estate; every mistake in it is
            listed with line, key, what was found, what was expected and an example.
    """
    _require_environment(environment)
    return documents.read(
        Estate, (project or find_project()) / "infra" / environment / "estate.yaml"
    )


def load_ingress(environment: str, project: Path | None = None) -> Ingress:
    """Read and validate ``kubernetes-config/<environment>/traefik.yaml`` as :func:`load` does."""
    _require_environment(environment)
    folder = (project or find_project()) / "kubernetes-config" / environment
    return documents.read(Ingress, folder / "traefik.yaml")


def _require_environment(environment: str) -> None:
    if environment not in ENVIRONMENTS:
        raise errors.EstateError(
            f"no environment '{environment}': expected one of {', '.join(ENVIRONMENTS)}. "
            "Example: --env dv"
        )

"""The ingress layer of one environment: ``kubernetes-config/<env>/traefik.yaml``. Pure."""

from typing import Literal

from pydantic import Field

from azrunbook import documents
from azrunbook.estate import fields


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
    release: fields.DnsLabel = Field(examples=["traefik"])
    namespace: fields.DnsLabel = Field(examples=["traefik"])
    replicas: int = Field(ge=1, le=99, examples=[3])
    service_type: Literal["LoadBalancer", "ClusterIP", "NodePort"]
    image_tag: str = Field(pattern=r"^v\d+\.\d+\.\d+$", examples=["v3.7.15"])
    resources: Resources
    log_level: Literal["DEBUG", "INFO", "WARN", "ERROR"]

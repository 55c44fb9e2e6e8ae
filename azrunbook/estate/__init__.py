"""The estate as frozen, validated data: WHAT there is, read from ``infra/<env>/estate.yaml``.

This package reads two files per environment and nothing else; it knows no SDK and no network. A
wrong file fails here, before anything is started, with the place, what was found, what was
expected and an example. The ingress layer has a file of its own
(``kubernetes-config/<env>/traefik.yaml``), as the layers of the estate do.

Two engines read an estate file, this library and Terraform. So the committed files state every
key, also where it has a default here, and names that are not in the file follow from those that
are by the rules in the docstrings of :mod:`.network`, :mod:`.cluster` and :mod:`.data`.
"""

from azrunbook.estate.cluster import Autoscale, Cluster, Entra, Maintenance, NodePool
from azrunbook.estate.data import Postgres, Redis, Storage
from azrunbook.estate.edge import (
    CustomDomain,
    FrontDoor,
    HealthProbe,
    LoadBalancing,
    StaticAssets,
    Waf,
)
from azrunbook.estate.files import ENVIRONMENTS, find_project, json_schema, load, load_ingress
from azrunbook.estate.ingress import Ingress, Resources
from azrunbook.estate.model import App, Estate, Objectives, RegionName
from azrunbook.estate.network import LogAnalytics, Network, PrivateDns, Region, Subnet
from azrunbook.estate.registry import Registry

__all__ = [
    "ENVIRONMENTS",
    "App",
    "Autoscale",
    "Cluster",
    "CustomDomain",
    "Entra",
    "Estate",
    "FrontDoor",
    "HealthProbe",
    "Ingress",
    "LoadBalancing",
    "LogAnalytics",
    "Maintenance",
    "Network",
    "NodePool",
    "Objectives",
    "Postgres",
    "PrivateDns",
    "Redis",
    "Region",
    "RegionName",
    "Registry",
    "Resources",
    "StaticAssets",
    "Storage",
    "Subnet",
    "Waf",
    "find_project",
    "json_schema",
    "load",
    "load_ingress",
]

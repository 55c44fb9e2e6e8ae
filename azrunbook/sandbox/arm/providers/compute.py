"""Microsoft.Compute: vCPU quotas with their use, and the machine sizes of a region.

The figures are those that node pools are judged by.
"""

import re
from collections.abc import Iterator
from typing import Any

from azrunbook.sandbox.arm import locations, services, vm_sizes
from azrunbook.sandbox.arm.providers.clusters import Clusters
from azrunbook.sandbox.arm.routing import SUBSCRIPTION, Answer, Call, Route

NAMESPACE = "Microsoft.Compute"
API_VERSIONS = ("2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01")
SKU_API_VERSIONS = ("2021-07-01",)
_FAMILIES = (
    "standardDSv3Family",
    "standardDSv5Family",
    "standardESv3Family",
    "standardESv5Family",
    "standardFSv2Family",
)


class ComputeProvider:
    """Handlers of quota usage."""

    def __init__(self, parts: services.Services) -> None:
        self._clusters = Clusters(parts)

    def routes(self) -> list[Route]:
        template = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}/usages"
        skus = f"{SUBSCRIPTION}/providers/{NAMESPACE}/skus"
        return [
            Route("GET", template, "Usage_List", self.list_usages, API_VERSIONS),
            Route("GET", skus, "ResourceSkus_List", self.list_skus, SKU_API_VERSIONS),
        ]

    def list_skus(self, call: Call) -> Answer:
        """List machine sizes; the filter on a location is the only one Azure has."""
        found = re.fullmatch(r"location eq '([^']+)'", call.query.get("$filter", ""))
        wanted = [locations.normalize(found[1])] if found else list(locations.LOCATIONS)
        values = [_describe(size, location) for location in wanted for size in _sizes()]
        return Answer(200, {"value": values})

    def list_usages(self, call: Call) -> Answer:
        location = locations.check(call.parameters["location"], call.resource)
        used = self._clusters.count_cores(location)
        values: list[dict[str, Any]] = [
            {
                "unit": "Count",
                "currentValue": used.get(family, 0),
                "limit": self._clusters.quota(location, family),
                "name": {"value": family, "localizedValue": f"{family} vCPUs"},
            }
            for family in sorted({*_FAMILIES, *used})
        ]
        return Answer(200, {"value": values})


# A choice of what regions have; any size by the rule of its name can be created here.
_SERIES = {"D": ("s_v3", "s_v5", "s_v6"), "E": ("s_v3", "s_v5", "s_v6"), "F": ("s_v2", "as_v6")}
_CORES = (2, 4, 8, 16)


def _sizes() -> Iterator[vm_sizes.VmSize]:
    for letter, features in _SERIES.items():
        for feature in features:
            for cores in _CORES:
                if size := vm_sizes.find(f"Standard_{letter}{cores}{feature}"):
                    yield size


def _describe(size: vm_sizes.VmSize, location: str) -> dict[str, Any]:
    capabilities = {"vCPUs": size.cores, "MemoryGB": size.memory_gib}
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": ["1", "2", "3"]}],
        "capabilities": [{"name": k, "value": str(v)} for k, v in capabilities.items()],
        "restrictions": [],
    }

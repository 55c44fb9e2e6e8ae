"""Microsoft.Compute: how much of each vCPU quota a region uses. Nothing else of it.

The figures are those that node pools are judged by.
"""

from typing import Any

from azrunbook.sandbox.arm import locations, services
from azrunbook.sandbox.arm.providers.clusters import Clusters
from azrunbook.sandbox.arm.routing import SUBSCRIPTION, Answer, Call, Route

NAMESPACE = "Microsoft.Compute"
API_VERSIONS = ("2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01")
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
        return [Route("GET", template, "Usage_List", self.list_usages, API_VERSIONS)]

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

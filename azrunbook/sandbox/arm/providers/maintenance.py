"""Microsoft.ContainerService/managedClusters/maintenanceConfigurations; documents only."""

from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import clusters

Json = dict[str, Any]

MAINTENANCE = "Microsoft.ContainerService/managedClusters/maintenanceConfigurations"
_NAMES = ("default", "aksManagedAutoUpgradeSchedule", "aksManagedNodeOSUpgradeSchedule")
_MINIMUM_HOURS = 4


class Maintenance:
    """The one kind; reads and writes are done at once, and no maintenance ever happens."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def routes(self) -> list[routing.Route]:
        kind = Kind(
            type=MAINTENANCE,
            operation_prefix="MaintenanceConfigurations",
            api_versions=clusters.API_VERSIONS,
            style=operations.PollingStyle(),
            complete=_complete,
            at_once=collection.ALWAYS,
            render=collection.without_state,
        )
        return collection.Collection(kind, self._parts).routes()


def _complete(draft: Draft) -> Json:
    if draft.resource.name not in _NAMES:
        raise errors.AksError(
            400,
            "InvalidParameter",
            f"The maintenance configuration '{draft.resource.name}' is unknown: expected one of "
            f"{', '.join(_NAMES)}.",
            target="name",
        )
    window = draft.properties.get("maintenanceWindow") or {}
    hours = window.get("durationHours", 0)
    if draft.resource.name != "default" and not _MINIMUM_HOURS <= hours <= 24:  # noqa: PLR2004
        raise errors.AksError(
            400,
            "InvalidParameter",
            f"The durationHours {hours} of {draft.resource.name} is invalid: expected 4 to 24.",
            target="maintenanceWindow.durationHours",
        )
    return dict(draft.properties)

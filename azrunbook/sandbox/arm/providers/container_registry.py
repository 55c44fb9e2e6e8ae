"""Microsoft.ContainerRegistry: registries, and builds on the server side.

A build is three calls: ask where to upload the source, upload it, schedule a run. Runs are kept
here and driven by the image backend; see :mod:`.registry_runs`.
"""

import re
from typing import Any

from azrunbook.sandbox.arm import (
    blobs,
    collection,
    errors,
    locations,
    operations,
    routing,
    services,
)
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import names, registry_runs
from azrunbook.sandbox.arm.routing import SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

NAMESPACE = "Microsoft.ContainerRegistry"
REGISTRY = "Microsoft.ContainerRegistry/registries"
REPLICATION = "Microsoft.ContainerRegistry/registries/replications"
API_VERSIONS = ("2023-07-01", "2025-04-01", "2025-11-01")
TASK_API_VERSIONS = ("2019-04-01", "2019-06-01-preview", "2025-03-01-preview")
_BASE = f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
STYLE = operations.PollingStyle(
    status=f"{_BASE}/operationStatuses/{{operationId}}",
    result=f"{_BASE}/operationResults/{{operationId}}",
)
_NAME = r"[a-zA-Z0-9]{5,50}"
_SKUS = ("Basic", "Standard", "Premium")


class ContainerRegistry:
    """Handlers of registries and their runs."""

    def __init__(self, parts: services.Services, stored: blobs.Blobs) -> None:
        self._parts = parts
        self.runs = registry_runs.Runs(parts.backends.images, stored)
        parts.store.subscribe(self._forget)

    def routes(self) -> list[Route]:
        kind, replication = self._kinds()
        one, polls, runs = kind.template, self._parts.long_running, self.runs
        check = f"{SUBSCRIPTION}/providers/{NAMESPACE}/checkNameAvailability"
        upload = f"{one}/listBuildSourceUploadUrl"
        table: list[tuple[str, str, str, routing.Handler]] = [
            (
                "POST",
                upload,
                "Registries_GetBuildSourceUploadUrl",
                self._with_registry(runs.upload),
            ),
            ("POST", f"{one}/scheduleRun", "Registries_ScheduleRun", self.schedule),
            ("GET", f"{one}/runs", "Runs_List", self._with_registry(runs.list)),
            ("GET", f"{one}/runs/{{runId}}", "Runs_Get", self._with_registry(runs.get)),
            (
                "POST",
                f"{one}/runs/{{runId}}/cancel",
                "Runs_Cancel",
                self._with_registry(runs.cancel),
            ),
            (
                "POST",
                f"{one}/runs/{{runId}}/listLogSasUrl",
                "Runs_GetLogSasUrl",
                self._with_registry(runs.log_url),
            ),
        ]
        return [
            *collection.Collection(kind, self._parts).routes(),
            *collection.Collection(replication, self._parts).routes(),
            Route("POST", check, "Registries_CheckNameAvailability", self.check_name, API_VERSIONS),
            Route("GET", str(STYLE.status), "Operations_Get", polls.status_answer, API_VERSIONS),
            Route(
                "GET", str(STYLE.result), "OperationResults_Get", polls.result_answer, API_VERSIONS
            ),
            *(Route(*row, TASK_API_VERSIONS) for row in table),
        ]

    def _kinds(self) -> tuple[Kind, Kind]:
        common: Json = {"api_versions": API_VERSIONS, "style": STYLE, "tracked": True}
        registry = Kind(
            type=REGISTRY, operation_prefix="Registries", complete=self._complete, **common
        )
        replication = Kind(
            type=REPLICATION,
            operation_prefix="Replications",
            complete=self._complete_replication,
            **common,
        )
        return registry, replication

    def check_name(self, call: Call) -> Answer:
        name = str(call.body.get("name", ""))
        if not re.fullmatch(_NAME, name):
            reason, text = "Invalid", f"'{name}' is invalid: expected 5 to 50 letters and digits."
        elif self._is_taken(name, without=""):
            reason, text = "AlreadyExists", f"The registry {name} is already in use."
        else:
            return Answer(200, {"nameAvailable": True})
        return Answer(200, {"nameAvailable": False, "reason": reason, "message": text})

    def schedule(self, call: Call) -> Answer:
        registry = self._parts.store.get(call.resource, REGISTRY)
        return self.runs.schedule(call, str(registry["properties"]["loginServer"]))

    def _with_registry(self, handler: routing.Handler) -> routing.Handler:
        """Answer 404 when the registry itself is not there."""

        def checked(call: Call) -> Answer:
            registry = call.resource if len(call.resource.parts) == 1 else call.resource.parent
            self._parts.store.get(registry, REGISTRY)
            return handler(call)

        return checked

    def _complete(self, draft: Draft) -> Json:
        collection.check_name(draft.resource, _NAME)
        sku = (draft.sent.get("sku") or {}).get("name")
        if sku not in _SKUS:
            raise errors.bad_request(
                f"The sku '{sku}' is invalid: expected one of {', '.join(_SKUS)}.",
                code="InvalidSku",
                target="sku.name",
            )
        draft.sent["sku"] = {"name": sku, "tier": sku}
        if self._is_taken(draft.resource.name, without=draft.resource.key):
            raise errors.ArmError(
                409, "AlreadyInUse", f"The registry DNS name {draft.resource.name} is in use."
            )
        server = {"loginServer": f"{draft.resource.name.lower()}.azurecr.io"}
        return {**collection.merge(_DEFAULTS, draft.properties), **server}

    def _complete_replication(self, draft: Draft) -> Json:
        registry = self._parts.store.get(draft.resource.parent, REGISTRY)
        if registry["sku"]["name"] != "Premium":
            raise errors.bad_request(
                f"Replication is not supported with sku {registry['sku']['name']} of registry "
                f"{registry['name']}: expected Premium.",
                code="SkuNotSupported",
            )
        location = locations.normalize(str(draft.sent.get("location", "")))
        if location == registry["location"]:
            raise errors.ArmError(
                409,
                "ReplicationAlreadyExists",
                f"Registry {registry['name']} is at home in {location}.",
            )
        defaults = {"regionEndpointEnabled": True, "zoneRedundancy": "Disabled"}
        status = {"displayStatus": "Ready", "message": "", "timestamp": ""}
        return {**defaults, **draft.properties, "status": status}

    def _is_taken(self, name: str, *, without: str) -> bool:
        return names.is_taken(self._parts, REGISTRY, name, without=without)

    def _forget(self, kind: str, id_: str, type_: str) -> None:
        if kind == "delete" and type_ == REGISTRY:
            self.runs.forget(id_)


_DEFAULTS: Json = {
    "adminUserEnabled": False,
    "anonymousPullEnabled": False,
    "dataEndpointEnabled": False,
    "publicNetworkAccess": "Enabled",
    "networkRuleBypassOptions": "AzureServices",
    "networkRuleBypassAllowedForTasks": False,
    "roleAssignmentMode": "LegacyRegistryPermissions",
    "zoneRedundancy": "Disabled",
    "policies": {
        "quarantinePolicy": {"status": "disabled"},
        "trustPolicy": {"type": "Notary", "status": "disabled"},
        "retentionPolicy": {"days": 7, "status": "disabled"},
        "exportPolicy": {"status": "enabled"},
        "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
    },
}

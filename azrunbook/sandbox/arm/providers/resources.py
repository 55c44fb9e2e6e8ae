"""Microsoft.Resources: subscriptions, locations, resource groups, providers, resource lists.

Deleting a group takes everything in it along, through the same teardowns as single deletions.
"""

import re
from typing import Any

from azrunbook.sandbox.arm import errors, locations, operations, paging, paths, routing, services
from azrunbook.sandbox.arm.routing import GROUP, SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

TYPE = "Microsoft.Resources/resourceGroups"
API_VERSIONS = (
    "2016-02-01",
    "2016-06-01",
    "2018-05-01",
    "2019-10-01",
    "2020-06-01",
    "2021-01-01",
    "2021-04-01",
    "2022-09-01",
    "2022-12-01",
    "2023-07-01",
    "2024-03-01",
    "2024-11-01",
    "2025-03-01",
    "2025-04-01",
)
STYLE = operations.PollingStyle(result=f"{SUBSCRIPTION}/operationresults/{{operationId}}")
_NAME = re.compile(r"[-\w._()]{0,89}[-\w_()]")
_TYPE_FILTER = re.compile(r"\s*resourceType\s+eq\s+'([^']+)'\s*", re.IGNORECASE)


class Resources:
    """Handlers of what belongs to no provider but ARM itself."""

    def __init__(self, parts: services.Services, namespaces: list[str]) -> None:
        self._parts = parts
        self._namespaces = {name.lower(): name for name in namespaces}

    def routes(self) -> list[Route]:
        provider = f"{SUBSCRIPTION}/providers/{{namespace}}"
        table: list[tuple[str, str, str, routing.Handler]] = [
            ("GET", "/subscriptions", "Subscriptions_List", self.list_subscriptions),
            ("GET", SUBSCRIPTION, "Subscriptions_Get", self.get_subscription),
            ("GET", f"{SUBSCRIPTION}/locations", "Subscriptions_ListLocations", self.list_regions),
            ("GET", f"{SUBSCRIPTION}/resourceGroups", "ResourceGroups_List", self.list_groups),
            ("GET", GROUP, "ResourceGroups_Get", self.get_group),
            ("PUT", GROUP, "ResourceGroups_CreateOrUpdate", self.put_group),
            ("PATCH", GROUP, "ResourceGroups_Update", self.patch_group),
            ("DELETE", GROUP, "ResourceGroups_Delete", self.delete_group),
            ("GET", f"{GROUP}/resources", "Resources_ListByResourceGroup", self.list_resources),
            ("GET", f"{SUBSCRIPTION}/resources", "Resources_List", self.list_resources),
            ("GET", f"{SUBSCRIPTION}/providers", "Providers_List", self.list_providers),
            ("GET", provider, "Providers_Get", self.get_provider),
            ("POST", f"{provider}/register", "Providers_Register", self.register),
            (
                "GET",
                str(STYLE.result),
                "OperationResults_Get",
                self._parts.long_running.result_answer,
            ),
        ]
        return [Route(*row, API_VERSIONS) for row in table]

    def list_subscriptions(self, _: Call) -> Answer:
        return Answer(200, {"value": [self._subscription()]})

    def get_subscription(self, _: Call) -> Answer:
        return Answer(200, self._subscription())

    def list_regions(self, call: Call) -> Answer:
        values = [
            {
                "id": f"{call.resource.scope}/locations/{name}",
                "name": name,
                "type": "Region",
                "displayName": display,
                "regionalDisplayName": display,
                "metadata": {
                    "regionType": "Physical",
                    "regionCategory": "Recommended",
                    "pairedRegion": [
                        {"name": pair, "id": f"{call.resource.scope}/locations/{pair}"}
                    ],
                },
            }
            for name, (display, pair) in locations.LOCATIONS.items()
        ]
        return Answer(200, {"value": values})

    def list_groups(self, call: Call) -> Answer:
        found = self._parts.store.list_by_type(TYPE)
        return paging.answer(call, found, self._parts.settings.page_size)

    def get_group(self, call: Call) -> Answer:
        return Answer(200, self._parts.store.get(call.resource))

    def put_group(self, call: Call) -> Answer:
        before = self._parts.store.find(call.resource)
        _check_group_name(call.resource.name)
        location = locations.check(str(call.body.get("location") or ""), call.resource)
        if before:
            self._parts.require_group(call.resource)
            _check_group_location(call.resource, before["location"], location)
        body: Json = {
            "location": location,
            "tags": call.body.get("tags") or {},
            "properties": {"provisioningState": "Succeeded"},
        }
        if call.body.get("managedBy"):
            body["managedBy"] = call.body["managedBy"]
        return Answer(200 if before else 201, self._parts.store.put(call.resource, TYPE, body))

    def patch_group(self, call: Call) -> Answer:
        body = self._parts.require_group(call.resource)
        if "tags" in call.body:
            body["tags"] = call.body["tags"] or {}
        return Answer(200, self._parts.store.put(call.resource, TYPE, body))

    def delete_group(self, call: Call) -> Answer:
        self._parts.store.get(call.resource)
        return self._parts.begin_delete(call, call.resource, STYLE)

    def list_resources(self, call: Call) -> Answer:
        if call.resource.group:
            self._parts.store.get(call.resource)
        wanted = _parse_filter(call.query.get("$filter", ""))
        found = [
            {key: doc[key] for key in _LISTED if key in doc}
            for doc in self._parts.store.list_below(call.resource)
            if "location" in doc
            and doc["type"] != TYPE
            and (wanted is None or doc["type"].lower() == wanted)
        ]
        return paging.answer(call, found, self._parts.settings.page_size)

    def list_providers(self, call: Call) -> Answer:
        values = [self._provider(call.resource, name) for name in self._namespaces.values()]
        return Answer(200, {"value": values})

    def get_provider(self, call: Call) -> Answer:
        return Answer(200, self._provider(call.resource, self._namespace(call)))

    def register(self, call: Call) -> Answer:
        name = self._namespace(call)
        self._parts.registered.add(name.lower())
        return Answer(200, self._provider(call.resource, name))

    def _namespace(self, call: Call) -> str:
        asked = call.parameters["namespace"]
        found = self._namespaces.get(asked.lower())
        if found is None:
            raise errors.ArmError(
                404,
                "InvalidResourceNamespace",
                f"The resource namespace '{asked}' is invalid; emulated: "
                f"{', '.join(self._namespaces.values())}.",
            )
        return found

    def _provider(self, resource: paths.ResourceId, name: str) -> Json:
        is_registered = name.lower() in self._parts.registered
        return {
            "id": f"{resource.scope}/providers/{name}",
            "namespace": name,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": "Registered" if is_registered else "NotRegistered",
            "resourceTypes": [],
        }

    def _subscription(self) -> Json:
        config = self._parts.settings
        return {
            "id": f"/subscriptions/{config.subscription_id}",
            "subscriptionId": config.subscription_id,
            "tenantId": config.tenant_id,
            "displayName": "Azure sandbox",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
        }


_LISTED = ("id", "name", "type", "location", "tags", "sku", "kind", "identity")


def _check_group_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise errors.bad_request(
            f"The provided resource group name '{name}' is invalid: at most 90 letters, digits, "
            "'-', '_', '.', '(' and ')', and no '.' at the end.",
            code="InvalidResourceGroup",
        )


def _check_group_location(resource: paths.ResourceId, before: str, wanted: str) -> None:
    if before != wanted:
        raise errors.ArmError(
            409,
            "InvalidResourceGroupLocation",
            f"Invalid resource group location '{wanted}'. The Resource group "
            f"'{resource.name}' already exists in location '{before}'.",
        )


def _parse_filter(text: str) -> str | None:
    """Return the type asked for; Azure's other filters are not emulated and say so."""
    if not text.strip():
        return None
    found = _TYPE_FILTER.fullmatch(text)
    if found is None:
        raise errors.bad_request(
            f"The filter {text!r} is not emulated; expected resourceType eq 'Namespace/type'. "
            "Add others in azrunbook/sandbox/arm/providers/resources.py.",
            code="InvalidFilterInQueryString",
        )
    return found[1].lower()

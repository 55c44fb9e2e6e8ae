"""Microsoft.Storage: accounts and blob containers. The blobs in them are served elsewhere.

Creating an account answers 202 without a body and a Location; everything else is done at once.
"""

import re
from typing import Any

from azrunbook.sandbox.arm import (
    collection,
    errors,
    locations,
    operations,
    paths,
    services,
)
from azrunbook.sandbox.arm.collection import Draft, Kind
from azrunbook.sandbox.arm.providers import names, private_links
from azrunbook.sandbox.arm.routing import GROUP, SUBSCRIPTION, Answer, Call, Route

Json = dict[str, Any]

NAMESPACE = "Microsoft.Storage"
ACCOUNT = "Microsoft.Storage/storageAccounts"
SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
CONTAINER = "Microsoft.Storage/storageAccounts/blobServices/containers"
API_VERSIONS = ("2023-01-01", "2023-05-01", "2024-01-01", "2025-01-01", "2025-06-01", "2025-08-01",
                "2026-01-01", "2026-04-01", "2026-09-01")  # fmt: skip
STYLE = operations.PollingStyle(
    result=f"{SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}/asyncoperations/"
    "{operationId}"
)
_NAME = r"[a-z0-9]{3,24}"
_CONTAINER_NAME = r"[a-z0-9](-?[a-z0-9]){2,62}"
_SKUS = ("Standard_LRS", "Standard_ZRS", "Standard_GRS", "Standard_RAGRS", "Standard_GZRS",
         "Standard_RAGZRS", "Premium_LRS", "Premium_ZRS")  # fmt: skip
_PARTS = ("blob", "dfs", "file", "queue", "table", "web")
_ONE = f"{GROUP}/providers/{ACCOUNT}/{{accountName}}"
_DEFAULTS: Json = {
    "accessTier": "Hot",
    "supportsHttpsTrafficOnly": True,
    "minimumTlsVersion": "TLS1_2",
    "allowBlobPublicAccess": False,
    "allowCrossTenantReplication": False,
    "allowSharedKeyAccess": True,
    "publicNetworkAccess": "Enabled",
    "networkAcls": {
        "bypass": "AzureServices", "defaultAction": "Allow", "ipRules": [],
        "virtualNetworkRules": [], "resourceAccessRules": [],
    },
    "encryption": {
        "keySource": "Microsoft.Storage",
        "services": {
            "blob": {"enabled": True, "keyType": "Account"},
            "file": {"enabled": True, "keyType": "Account"},
        },
    },
}  # fmt: skip


class Storage:
    """Handlers of accounts and containers."""

    def __init__(self, parts: services.Services, links: private_links.PrivateLinks) -> None:
        self._parts = parts
        self._links = links

    def routes(self) -> list[Route]:
        account = Kind(
            type=ACCOUNT, operation_prefix="StorageAccounts", api_versions=API_VERSIONS,
            style=STYLE, complete=self._complete, tracked=True, statuses=(202, 200, 200),
            at_once=frozenset({"update", "patch", "delete"}), answers_empty=True,
            stored=self._store_service, render=self._render,
        )  # fmt: skip
        common: Json = {"api_versions": API_VERSIONS, "style": STYLE,
                        "at_once": collection.ALWAYS}  # fmt: skip
        service = Kind(type=SERVICE, operation_prefix="BlobServices", complete=_complete_service,
                       render=collection.without_state, statuses=(200, 200, 200),
                       **common)  # fmt: skip
        container = Kind(type=CONTAINER, operation_prefix="BlobContainers",
                         complete=self._complete_container, render=self._render_container,
                         **common)  # fmt: skip
        check = f"{SUBSCRIPTION}/providers/{NAMESPACE}/checkNameAvailability"
        return [
            *(r for kind in (account, service, container)
              for r in collection.Collection(kind, self._parts).routes()),
            *self._links.list_routes(account.template, "StorageAccounts", API_VERSIONS),
            Route("POST", check, "StorageAccounts_CheckNameAvailability", self.check_name,
                  API_VERSIONS),
            Route("POST", f"{_ONE}/listKeys", "StorageAccounts_ListKeys", self.list_keys,
                  API_VERSIONS),
            Route("GET", f"{_ONE}/fileServices/default", "FileServices_GetServiceProperties",
                  self.get_file_service, API_VERSIONS),
            Route("GET", str(STYLE.result), "StorageAccounts_Operation",
                  self._parts.long_running.result_answer, API_VERSIONS),
        ]  # fmt: skip

    def check_name(self, call: Call) -> Answer:
        name = str(call.body.get("name", ""))
        return Answer(200, names.availability(self._parts, ACCOUNT, name, _NAME))

    def list_keys(self, call: Call) -> Answer:
        properties = self._parts.store.get(call.resource, ACCOUNT)["properties"]
        if not properties["allowSharedKeyAccess"]:
            # Azure lists them still; nothing here would accept them.
            return Answer(200, {"keys": []})
        raise errors.bad_request(
            "Keys of storage accounts are not emulated: their blob service takes none. Add them in "
            "azrunbook/sandbox/arm/providers/storage.py.",
            code="NotEmulated",
        )

    def get_file_service(self, call: Call) -> Answer:
        """What every account has; azurerm reads it with its account. No share can be made."""
        self._parts.store.get(call.resource.parent, ACCOUNT)
        properties = {
            "cors": {"corsRules": []},
            "protocolSettings": {"smb": {}},
            "shareDeleteRetentionPolicy": {"enabled": True, "days": 7},
        }
        head = {"id": str(call.resource), "name": "default", "type": f"{ACCOUNT}/fileServices"}
        return Answer(200, {**head, "properties": properties})

    def _complete(self, draft: Draft) -> Json:
        if not re.fullmatch(_NAME, draft.resource.name):
            raise errors.bad_request(
                f"{draft.resource.name} is not a valid storage account name. Storage account name "
                "must be between 3 and 24 characters in length and use numbers and lower-case "
                "letters only.",
                code="AccountNameInvalid",
            )
        names.require_free(self._parts, ACCOUNT, draft.resource.name, draft.resource.key,
                           status=409, code="StorageAccountAlreadyTaken")  # fmt: skip
        sku = draft.sent.get("sku") or (draft.existing or {}).get("sku") or {}
        if sku.get("name") not in _SKUS:
            raise errors.bad_request(
                f"Values for request parameters are invalid: sku. Expected one of "
                f"{', '.join(_SKUS)}.",
                code="InvalidValuesForRequestParameters",
            )
        draft.sent["sku"] = {"name": sku["name"], "tier": str(sku["name"]).partition("_")[0]}
        draft.sent.setdefault("kind", "StorageV2")
        location = locations.normalize(str(draft.sent.get("location", "")))
        before = (draft.existing or {}).get("properties") or _DEFAULTS
        sent = {k: v for k, v in draft.properties.items() if k not in _SHOWN_ONLY}
        name = draft.resource.name
        server: Json = {
            "primaryLocation": location,
            "statusOfPrimary": "available",
            "primaryEndpoints": _endpoints(name),
        }
        if "GRS" in sku["name"] or "GZRS" in sku["name"]:
            pair = locations.LOCATIONS.get(location, ("", ""))[1]
            server |= {"secondaryLocation": pair, "statusOfSecondary": "available"}
        if "_RA" in sku["name"]:
            # Files are not to be read there.
            server["secondaryEndpoints"] = _endpoints(f"{name}-secondary", without=("file",))
        return {**collection.merge(before, sent), **server}

    def _store_service(self, draft: Draft) -> None:
        """Every account has its blob service from the start."""
        service = draft.resource.child("blobServices", "default")
        if self._parts.store.find(service) is None:
            properties = {**_SERVICE_DEFAULTS, "provisioningState": "Succeeded"}
            self._parts.store.put(service, SERVICE, {"properties": properties})

    def _complete_container(self, draft: Draft) -> Json:
        if not re.fullmatch(_CONTAINER_NAME, draft.resource.name):
            raise errors.bad_request(
                f"The container name '{draft.resource.name}' is invalid: 3 to 63 lower-case "
                "letters, digits and single dashes.",
                code="ContainerNameInvalid",
            )
        account = self._parts.store.get(draft.resource.parent.parent, ACCOUNT)
        access = draft.properties.get("publicAccess") or "None"
        if access != "None" and not account["properties"]["allowBlobPublicAccess"]:
            raise errors.ArmError(
                409,
                "PublicAccessNotPermitted",
                f"Public access is not permitted on storage account {account['name']}.",
            )
        return {
            "defaultEncryptionScope": "$account-encryption-key",
            "denyEncryptionScopeOverride": False,
            "hasImmutabilityPolicy": False,
            "hasLegalHold": False,
            "leaseState": "Available",
            "leaseStatus": "Unlocked",
            **draft.properties,
            "publicAccess": access,
        }

    def _render(self, document: Json) -> Json:
        connections = private_links.list_connections(self._parts, document["id"])
        extra = {"privateEndpointConnections": connections}
        return {**document, "properties": {**document["properties"], **extra}}

    def _render_container(self, document: Json) -> Json:
        etag = self._parts.store.etag(paths.parse(document["id"]))
        return {**collection.without_state(document), "etag": f'"{etag}"'}


_SHOWN_ONLY = {"privateEndpointConnections", "provisioningState"}
_SERVICE_DEFAULTS: Json = {
    "cors": {"corsRules": []},
    "deleteRetentionPolicy": {"enabled": False},
    "isVersioningEnabled": False,
}


def _endpoints(name: str, *, without: tuple[str, ...] = ()) -> Json:
    zones = {part: part if part != "web" else "z13.web" for part in _PARTS if part not in without}
    return {part: f"https://{name}.{zone}.core.windows.net/" for part, zone in zones.items()}


def _complete_service(draft: Draft) -> Json:
    before = (draft.existing or {}).get("properties") or _SERVICE_DEFAULTS
    return {**before, **draft.properties}

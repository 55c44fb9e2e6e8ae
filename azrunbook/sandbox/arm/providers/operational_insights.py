"""Microsoft.OperationalInsights: Log Analytics workspaces, as documents; no logs arrive in them."""

import base64
import secrets
import uuid
from typing import Any

from azrunbook.sandbox.arm import collection, operations, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind

Json = dict[str, Any]

NAMESPACE = "Microsoft.OperationalInsights"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
API_VERSIONS = ("2020-08-01", "2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01")
_BASE = f"{routing.SUBSCRIPTION}/providers/{NAMESPACE}/locations/{{location}}"
_DELETED = f"{routing.SUBSCRIPTION}/providers/{NAMESPACE}/deletedWorkspaces"
_KEYS = f"{routing.GROUP}/providers/{WORKSPACE}/{{workspaceName}}/sharedKeys"
STYLE = operations.PollingStyle(status=f"{_BASE}/operationstatuses/{{operationId}}")
_KEY_BYTES = 64
_NAME = r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]"


class OperationalInsights:
    """The one kind."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts
        self._keys: dict[str, Json] = {}

    def routes(self) -> list[routing.Route]:
        kind = Kind(
            type=WORKSPACE,
            operation_prefix="Workspaces",
            api_versions=API_VERSIONS,
            style=STYLE,
            complete=_complete,
            tracked=True,
        )
        answer = self._parts.long_running.status_answer
        return [
            *collection.Collection(kind, self._parts).routes(),
            routing.Route("GET", str(STYLE.status), "OperationStatuses_Get", answer, API_VERSIONS),
            routing.Route("POST", _KEYS, "SharedKeys_GetSharedKeys", self.list_keys, API_VERSIONS),
            routing.Route("GET", _DELETED, "DeletedWorkspaces_List", _list_deleted, API_VERSIONS),
        ]

    def list_keys(self, call: routing.Call) -> routing.Answer:
        """Keys that open nothing here; azurerm reads them with their workspace."""
        workspace = self._parts.store.get(call.resource, WORKSPACE)
        keys = self._keys.setdefault(
            workspace["properties"]["customerId"],
            {name: _make_key() for name in ("primarySharedKey", "secondarySharedKey")},
        )
        return routing.Answer(200, keys)


def _list_deleted(_: routing.Call) -> routing.Answer:
    """None can be recovered here; azurerm looks before it creates one."""
    return routing.Answer(200, {"value": []})


def _make_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _complete(draft: Draft) -> Json:
    collection.check_name(draft.resource, _NAME)
    properties: Json = {
        "sku": {"name": "PerGB2018"},
        "retentionInDays": 30,
        "publicNetworkAccessForIngestion": "Enabled",
        "publicNetworkAccessForQuery": "Enabled",
        "features": {"enableLogAccessUsingOnlyResourcePermissions": True},
        "workspaceCapping": {"dailyQuotaGb": -1.0},
        **draft.properties,
    }
    collection.check_number(properties, "retentionInDays", 30, 730, owner="Workspace")
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, draft.resource.key))
    return {**properties, "customerId": identity}

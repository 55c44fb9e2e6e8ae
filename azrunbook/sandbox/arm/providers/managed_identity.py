"""Microsoft.ManagedIdentity: user-assigned identities and their federated credentials.

The ids that Entra gives are derived from the resource's id, so that an identity made again in a
rehearsal is the same one.
"""

import uuid
from typing import Any

from azrunbook.sandbox.arm import collection, errors, operations, paths, routing, services
from azrunbook.sandbox.arm.collection import Draft, Kind

Json = dict[str, Any]

NAMESPACE = "Microsoft.ManagedIdentity"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
FEDERATION = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
API_VERSIONS = ("2018-11-30", "2022-01-31-preview", "2023-01-31", "2023-07-31-preview",
                "2024-11-30", "2025-01-31-preview")  # fmt: skip
_NAME = r"[a-zA-Z0-9][-_a-zA-Z0-9]{2,127}"
# Azure's limit; more clusters than that need more identities.
_MAX_FEDERATIONS = 20


class ManagedIdentity:
    """The two kinds."""

    def __init__(self, parts: services.Services) -> None:
        self._parts = parts

    def routes(self) -> list[routing.Route]:
        identity = Kind(
            type=IDENTITY,
            operation_prefix="UserAssignedIdentities",
            api_versions=API_VERSIONS,
            style=operations.PollingStyle(),
            complete=self._complete,
            tracked=True,
            at_once=collection.ALWAYS,
            render=collection.without_state,
        )
        federation = Kind(
            type=FEDERATION,
            operation_prefix="FederatedIdentityCredentials",
            api_versions=API_VERSIONS,
            style=operations.PollingStyle(),
            complete=self._complete_federation,
            at_once=collection.ALWAYS,
            render=collection.without_state,
        )
        return [
            route
            for kind in (identity, federation)
            for route in collection.Collection(kind, self._parts).routes()
        ]

    def _complete(self, draft: Draft) -> Json:
        collection.check_name(draft.resource, _NAME)
        return {
            "tenantId": self._parts.settings.tenant_id,
            "principalId": derive_id(draft.resource, "principal"),
            "clientId": derive_id(draft.resource, "client"),
        }

    def _complete_federation(self, draft: Draft) -> Json:
        collection.check_name(draft.resource, _NAME)
        for key in ("issuer", "subject", "audiences"):
            if not draft.properties.get(key):
                raise errors.bad_request(
                    f"Property '{key}' of the federated credential is missing: expected issuer, "
                    "subject and audiences.",
                    target=f"properties.{key}",
                )
        issuer = str(draft.properties["issuer"])
        if not issuer.startswith("https://"):
            raise errors.bad_request(
                f"The issuer '{issuer}' is invalid: expected an https URL.",
                target="properties.issuer",
            )
        others = self._parts.store.list_by_type(FEDERATION, below=draft.resource.parent)
        others = [one for one in others if one["id"].lower() != draft.resource.key]
        if len(others) >= _MAX_FEDERATIONS:
            raise errors.bad_request(
                f"Too many federated identity credentials on '{draft.resource.parent.name}': at "
                f"most {_MAX_FEDERATIONS}."
            )
        pair = (issuer, draft.properties["subject"])
        if any((o["properties"]["issuer"], o["properties"]["subject"]) == pair for o in others):
            raise errors.ArmError(
                409, "Conflict", "Issuer and subject combination already exists for this identity."
            )
        return dict(draft.properties)


def derive_id(resource: paths.ResourceId, purpose: str) -> str:
    """Return a UUID that belongs to a resource."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource.key}#{purpose}"))

"""Identities of an estate and what they may do. Pure.

No key and no password connects the parts of the estate: the clusters pull images and use their
network, and the application reads storage, as identities with one role each.

A role assignment is named by a UUID (version 5, in the URL namespace) of scope, role and identity,
so that both engines and every run arrive at the same name.
"""

import uuid

from azrunbook import estate
from azrunbook.resources import model, network, references, registry

# Azure's built-in roles have the same id in every tenant.
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"
IDENTITY_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"


def list_identities(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """Three per region: the control plane's, the kubelets' and the application's."""
    return tuple(
        model.describe(
            resource_id,
            model.IDENTITY,
            region=region.location,
            body={"location": region.location, "tags": dict(declared.tags)},
            depends_on=(model.group_id(subscription_id, region.resource_group),),
        )
        for region in declared.regions.values()
        for resource_id in (
            control_plane_id(declared, subscription_id, region),
            kubelet_id(declared, subscription_id, region),
            app_id(declared, subscription_id, region),
        )
    )


def list_cluster_roles(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    """What a cluster needs to come up and to pull: its subnet, its kubelets, the registry."""
    found = []
    for region in declared.regions.values():
        plane = control_plane_id(declared, subscription_id, region)
        kubelet = kubelet_id(declared, subscription_id, region)
        vnet = network.network_id(subscription_id, region)
        registry_id = registry.registry_id(declared, subscription_id)
        found += [
            _assign(NETWORK_CONTRIBUTOR, vnet, plane, region),
            _assign(IDENTITY_OPERATOR, kubelet, plane, region),
            _assign(ACR_PULL, registry_id, kubelet, region),
        ]
    return tuple(found)


def assign_blob_reader(
    declared: estate.Estate, subscription_id: str, region: estate.Region, account_id: str
) -> model.DesiredResource:
    """Let the application of a region read an account's blobs."""
    return _assign(BLOB_READER, account_id, app_id(declared, subscription_id, region), region)


def list_federations(
    declared: estate.Estate, subscription_id: str, cluster_ids: dict[str, str]
) -> tuple[model.DesiredResource, ...]:
    """The application's service account is its identity, by the cluster's issuer."""
    app = declared.app
    kind = f"federatedIdentityCredentials/{app.release}"
    return tuple(
        model.describe(
            f"{app_id(declared, subscription_id, region)}/{kind}",
            model.FEDERATION,
            region=region.location,
            body={
                "properties": {
                    "issuer": references.reference(
                        cluster_ids[role], "properties.oidcIssuerProfile.issuerURL"
                    ),
                    "subject": f"system:serviceaccount:{app.namespace}:{app.release}",
                    "audiences": ["api://AzureADTokenExchange"],
                }
            },
            depends_on=(app_id(declared, subscription_id, region), cluster_ids[role]),
        )
        for role, region in declared.regions.items()
    )


def control_plane_id(declared: estate.Estate, subscription_id: str, region: estate.Region) -> str:
    return _identity_id(subscription_id, region, f"id-{declared.cluster.name}")


def kubelet_id(declared: estate.Estate, subscription_id: str, region: estate.Region) -> str:
    return _identity_id(subscription_id, region, f"id-{declared.cluster.name}-kubelet")


def app_id(declared: estate.Estate, subscription_id: str, region: estate.Region) -> str:
    return _identity_id(subscription_id, region, f"id-{declared.app.release}")


def _identity_id(subscription_id: str, region: estate.Region, stem: str) -> str:
    name = f"{stem}-{region.location}"
    return model.resource_id(subscription_id, region.resource_group, model.IDENTITY, name)


def _assign(role: str, scope: str, identity: str, region: estate.Region) -> model.DesiredResource:
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}|{role}|{identity}".lower())
    subscription = "/".join(scope.split("/")[:3])
    definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return model.describe(
        f"{scope}/providers/{model.ROLE_ASSIGNMENT}/{name}",
        model.ROLE_ASSIGNMENT,
        region=region.location,
        body={
            "properties": {
                "roleDefinitionId": definition,
                "principalId": references.reference(identity, "properties.principalId"),
                # Without it a new identity is looked up in the directory, which lags behind.
                "principalType": "ServicePrincipal",
            }
        },
        depends_on=tuple(dict.fromkeys((scope, identity))),
    )

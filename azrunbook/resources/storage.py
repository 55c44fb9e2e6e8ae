"""Storage of an estate: an account per region with a container of static assets. Pure.

Where Front Door serves them, everybody may read the container: Front Door asks a storage account as
nobody, and they are public anyway. The network still lets only private endpoints in.
"""

from azrunbook import estate
from azrunbook.resources import identity, model, private

ZONE = "privatelink.blob.core.windows.net"
# What Front Door asks each account for, to see whether it answers.
PROBE_NAME = "probe.txt"


def list_storage(
    declared: estate.Estate, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    found: list[model.DesiredResource] = []
    if declared.storage is None:
        return ()
    for region in declared.regions.values():
        account = _account(declared, declared.storage, subscription_id, region)
        container = model.describe(
            f"{account.id}/blobServices/default/containers/{declared.storage.container}",
            model.CONTAINER,
            region=region.location,
            body={"properties": {"publicAccess": "Blob" if is_public(declared) else "None"}},
            depends_on=(account.id,),
        )
        reader = identity.assign_blob_reader(declared, subscription_id, region, account.id)
        found += [account, container, reader]
    return tuple(found)


def is_public(declared: estate.Estate) -> bool:
    """Whether the static assets are served from storage."""
    static = declared.front_door.static_assets
    return static is not None and static.source == "storage"


def list_services(declared: estate.Estate, subscription_id: str) -> tuple[private.Service, ...]:
    if declared.storage is None:
        return ()
    return tuple(
        private.Service(account_id(declared.storage, subscription_id, region), "blob", ZONE, region)
        for region in declared.regions.values()
    )


def name_account(settings: estate.Storage, region: estate.Region) -> str:
    return f"{settings.name}{region.location}"


def account_id(settings: estate.Storage, subscription_id: str, region: estate.Region) -> str:
    name = name_account(settings, region)
    return model.resource_id(subscription_id, region.resource_group, model.STORAGE, name)


def _account(
    declared: estate.Estate,
    settings: estate.Storage,
    subscription_id: str,
    region: estate.Region,
) -> model.DesiredResource:
    return model.describe(
        account_id(settings, subscription_id, region),
        model.STORAGE,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "kind": "StorageV2",
            "sku": {"name": settings.sku},
            "properties": {
                "accessTier": "Hot",
                "supportsHttpsTrafficOnly": True,
                "minimumTlsVersion": "TLS1_2",
                "allowBlobPublicAccess": is_public(declared),
                # Whoever reads does so as an identity; there is no key to lose.
                "allowSharedKeyAccess": False,
                "publicNetworkAccess": "Disabled",
                "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"},
            },
        },
        depends_on=(model.group_id(subscription_id, region.resource_group),),
    )

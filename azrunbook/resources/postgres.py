"""PostgreSQL of an estate: the primary's server with its database, the secondary's replica. Pure.

A replica does not inherit high availability or geo-redundant backup, and takes version, storage
and administrator from its source. The virtual endpoint is what clients connect to, because a
switchover moves it.
"""

import dataclasses
from typing import Any

from azrunbook import estate
from azrunbook.resources import model, private, references

ZONE = "privatelink.postgres.database.azure.com"
_TIERS = {"GP": "GeneralPurpose", "MO": "MemoryOptimized"}


def list_postgres(
    declared: estate.Estate, subscription_id: str, *, writer: str = "primary"
) -> tuple[model.DesiredResource, ...]:
    """Servers, database and virtual endpoint; ``writer`` is the region whose server is primary."""
    settings = declared.postgres
    if settings is None:
        return ()
    server = _primary(declared, settings, subscription_id)
    replica = _replica(declared, settings, subscription_id)
    if replica is None:
        return (server, _database(server, settings))
    leader, follower = (server, replica) if writer == "primary" else (replica, server)
    database = _database(leader, settings)
    # Each keeps its own settings: high availability and geo-redundant backups stay where they are.
    follower = dataclasses.replace(
        follower,
        # While a replica is made its source takes no other change, so the database comes first.
        depends_on=(*follower.depends_on, leader.id, database.id),
        creation={"properties": {"createMode": "Replica", "sourceServerResourceId": leader.id}},
    )
    found = (leader, database, follower)
    if settings.virtual_endpoint is None:
        return found
    return (*found, _virtual_endpoint(leader, follower, settings.virtual_endpoint))


def _database(server: model.DesiredResource, settings: estate.Postgres) -> model.DesiredResource:
    return model.describe(
        f"{server.id}/databases/{settings.database}",
        model.DATABASE,
        region=server.region,
        body={"properties": {"charset": "UTF8", "collation": "en_US.utf8"}},
        depends_on=(server.id,),
    )


def list_services(declared: estate.Estate, subscription_id: str) -> tuple[private.Service, ...]:
    if declared.postgres is None:
        return ()
    has_replica = declared.postgres.replica
    return tuple(
        private.Service(
            server_id(declared, subscription_id, region), "postgresqlServer", ZONE, region
        )
        for role, region in declared.regions.items()
        if role == "primary" or has_replica
    )


def server_id(declared: estate.Estate, subscription_id: str, region: estate.Region) -> str:
    if declared.postgres is None:
        raise ValueError("this estate has no postgres. This is a bug. Please report.")
    name = f"{declared.postgres.name}-{region.location}"
    return model.resource_id(subscription_id, region.resource_group, model.SERVER, name)


def _sku(settings: estate.Postgres) -> dict[str, str]:
    tier, _, name = settings.sku.partition("_")
    return {"name": name, "tier": _TIERS[tier]}


def _primary(
    declared: estate.Estate, settings: estate.Postgres, subscription_id: str
) -> model.DesiredResource:
    region = declared.primary
    availability = "ZoneRedundant" if settings.zone_redundant else "Disabled"
    return model.describe(
        server_id(declared, subscription_id, region),
        model.SERVER,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "sku": _sku(settings),
            "properties": {
                "version": settings.version,
                "administratorLogin": settings.administrator,
                "storage": {"storageSizeGB": settings.storage_gb, "autoGrow": "Enabled"},
                "backup": {
                    "backupRetentionDays": settings.backup_retention_days,
                    "geoRedundantBackup": _switch(is_on=settings.geo_redundant_backup),
                },
                "highAvailability": {"mode": availability},
                "network": {"publicNetworkAccess": "Disabled"},
                "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
            },
        },
        depends_on=(model.group_id(subscription_id, region.resource_group),),
        creation={
            "properties": {
                "createMode": "Create",
                "administratorLoginPassword": references.SECRET,
            }
        },
    )


def _replica(
    declared: estate.Estate, settings: estate.Postgres, subscription_id: str
) -> model.DesiredResource | None:
    if not (settings.replica and declared.secondary_enabled):
        return None
    region = declared.secondary
    return model.describe(
        server_id(declared, subscription_id, region),
        model.SERVER,
        region=region.location,
        body={
            "location": region.location,
            "tags": dict(declared.tags),
            "sku": _sku(settings),
            "properties": {
                "storage": {"storageSizeGB": settings.storage_gb, "autoGrow": "Enabled"},
                "network": {"publicNetworkAccess": "Disabled"},
            },
        },
        depends_on=(model.group_id(subscription_id, region.resource_group),),
    )


def _virtual_endpoint(
    source: model.DesiredResource, replica: model.DesiredResource, name: str
) -> model.DesiredResource:
    body: dict[str, Any] = {"properties": {"endpointType": "ReadWrite", "members": [replica.name]}}
    return model.describe(
        f"{source.id}/virtualendpoints/{name}",
        model.VIRTUAL_ENDPOINT,
        region=model.GLOBAL,
        body=body,
        depends_on=(source.id, replica.id),
    )


def _switch(*, is_on: bool) -> str:
    return "Enabled" if is_on else "Disabled"

"""Redis of an estate: Azure Managed Redis, or Azure Cache for Redis Premium. Pure.

Managed: a cluster and its one database per region; the group of active geo-replication is named
when a database is created, and the second one joins the first. Premium: a cache per region, and a
link from the primary's to the secondary's, which is made last, because a linked cache takes no
private endpoint any more.
"""

from typing import Any

from azrunbook import estate
from azrunbook.resources import model, private

ZONES = {"managed": "privatelink.redis.azure.net", "premium": "privatelink.redis.cache.windows.net"}
_TYPES = {"managed": model.MANAGED_CACHE, "premium": model.CACHE}
_GROUPS = {"managed": "redisEnterprise", "premium": "redisCache"}
_PORT = 10000


def list_redis(
    declared: estate.Estate, subscription_id: str, *, writer: str = "primary"
) -> tuple[model.DesiredResource, ...]:
    settings = declared.redis
    if settings is None:
        return ()
    if settings.kind == "managed":
        # Failed over, the caches may be apart, and which one gives up what it holds is not the
        # file's to say.
        is_apart = writer != "primary"
        return _managed(declared, settings, subscription_id, is_apart=is_apart)
    return _premium(declared, settings, subscription_id)


def list_services(declared: estate.Estate, subscription_id: str) -> tuple[private.Service, ...]:
    if declared.redis is None:
        return ()
    kind = declared.redis.kind
    return tuple(
        private.Service(
            _cache_id(declared.redis, subscription_id, region), _GROUPS[kind], ZONES[kind], region
        )
        for region in declared.regions.values()
    )


def _cache_id(settings: estate.Redis, subscription_id: str, region: estate.Region) -> str:
    name = f"{settings.name}-{region.location}"
    return model.resource_id(subscription_id, region.resource_group, _TYPES[settings.kind], name)


def _managed(
    declared: estate.Estate, settings: estate.Redis, subscription_id: str, *, is_apart: bool
) -> tuple[model.DesiredResource, ...]:
    clusters = [
        model.describe(
            _cache_id(settings, subscription_id, region),
            model.MANAGED_CACHE,
            region=region.location,
            body={
                "location": region.location,
                "tags": dict(declared.tags),
                "sku": {"name": settings.sku},
                "properties": {
                    "minimumTlsVersion": "1.2",
                    "highAvailability": "Enabled",
                    "publicNetworkAccess": "Disabled",
                },
            },
            depends_on=(model.group_id(subscription_id, region.resource_group),),
        )
        for region in declared.regions.values()
    ]
    databases: list[model.DesiredResource] = []
    for cluster in clusters:
        before = [] if is_apart else databases
        databases.append(_managed_database(declared, settings, cluster, before))
    return (*clusters, *databases)


def _managed_database(
    declared: estate.Estate,
    settings: estate.Redis,
    cluster: model.DesiredResource,
    before: list[model.DesiredResource],
) -> model.DesiredResource:
    own = f"{cluster.id}/databases/default"
    properties: dict[str, Any] = {
        "clientProtocol": "Encrypted",
        "port": _PORT,
        # The application's client knows no shards; this policy puts a proxy in front of them.
        "clusteringPolicy": "EnterpriseCluster",
        "evictionPolicy": "NoEviction",
        # The application signs in with a key.
        "accessKeysAuthentication": "Enabled",
    }
    creation = {}
    if settings.geo_replication:
        members = [{"id": one.id} for one in before] + [{"id": own}]
        properties["geoReplication"] = {"groupNickname": declared.project}
        if before:
            properties["geoReplication"]["linkedDatabases"] = members
        else:
            # The first one stands alone until the second joins; only then are both named.
            creation = {"properties": {"geoReplication": {"linkedDatabases": members}}}
    return model.describe(
        own,
        model.MANAGED_CACHE_DATABASE,
        region=cluster.region,
        body={"properties": properties},
        depends_on=(cluster.id, *(one.id for one in before)),
        creation=creation,
    )


def _premium(
    declared: estate.Estate, settings: estate.Redis, subscription_id: str
) -> tuple[model.DesiredResource, ...]:
    caches = tuple(
        model.describe(
            _cache_id(settings, subscription_id, region),
            model.CACHE,
            region=region.location,
            body={
                "location": region.location,
                "tags": dict(declared.tags),
                "zones": list(region.zones),
                "properties": {
                    "sku": {"name": "Premium", "family": "P", "capacity": int(settings.sku[1:])},
                    "enableNonSslPort": False,
                    "minimumTlsVersion": "1.2",
                    "publicNetworkAccess": "Disabled",
                    "redisConfiguration": {"maxmemory-policy": "noeviction"},
                },
            },
            depends_on=(model.group_id(subscription_id, region.resource_group),),
        )
        for region in declared.regions.values()
    )
    if not (settings.geo_replication and declared.secondary_enabled):
        return caches
    first, second = caches
    endpoints = [
        private.endpoint_id(subscription_id, service)
        for service in list_services(declared, subscription_id)
    ]
    link = model.describe(
        f"{first.id}/linkedServers/{second.name}",
        model.CACHE_LINK,
        region=second.region,
        body={
            "properties": {
                "linkedRedisCacheId": second.id,
                "linkedRedisCacheLocation": second.region,
                "serverRole": "Secondary",
            }
        },
        depends_on=(first.id, second.id, *endpoints),
    )
    return (*caches, link)

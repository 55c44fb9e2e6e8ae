"""Caches as documents: what Azure refuses, fills in and shows. Pure but for new keys."""

import re
import secrets
from typing import Any

from azrunbook.sandbox.arm import backends, collection, errors
from azrunbook.sandbox.arm.collection import Draft

Json = dict[str, Any]

NAME = r"(?=.{1,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
_MANAGED_NAME = r"(?=.{1,60}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*"
_MANAGED_SKU = re.compile(
    r"(Balanced_B|MemoryOptimized_M|ComputeOptimized_X|FlashOptimized_A)(\d+)"
)
_MANAGED_PORT = 10000
_MANAGED_DEFAULTS: Json = {"highAvailability": "Enabled", "minimumTlsVersion": "1.2",
                           "publicNetworkAccess": "Enabled"}  # fmt: skip
_DATABASE_DEFAULTS: Json = {
    "clientProtocol": "Encrypted",
    "port": _MANAGED_PORT,
    "clusteringPolicy": "OSSCluster",
    "evictionPolicy": "VolatileLRU",
    "deferUpgrade": "NotDeferred",
    "accessKeysAuthentication": "Disabled",
    "modules": [],
    "persistence": {"aofEnabled": False, "rdbEnabled": False},
    "redisVersion": "7.4",
}
_FIXED = ("clusteringPolicy", "geoReplication.groupNickname")
_MAX_MEMBERS = 5
_PREMIUM_CAPACITY = range(1, 6)
_GIB = 1024


def complete_managed(draft: Draft) -> Json:
    """Return a cluster's properties.

    Raises:
        errors.ArmError: 400 for what Azure would refuse.
    """
    collection.check_name(draft.resource, _MANAGED_NAME)
    sku = str((draft.sent.get("sku") or {}).get("name"))
    if not _MANAGED_SKU.fullmatch(sku):
        raise _invalid("sku.name", sku, "a name such as Balanced_B5")
    location = str(draft.sent.get("location", "")).replace(" ", "").lower()
    draft.sent["kind"] = "v2"
    return {
        **_MANAGED_DEFAULTS,
        **_writable(draft),
        "hostName": f"{draft.resource.name.lower()}.{location}.redis.azure.net",
        "redisVersion": "7.4",
    }


def complete_database(draft: Draft, cluster: Json) -> Json:
    """Return a database's properties with its keys.

    Raises:
        errors.ArmError: 400 for what Azure would refuse.
    """
    if draft.resource.name != "default":
        raise _invalid("databaseName", draft.resource.name, "default, the only one there is")
    before = (draft.existing or {}).get("properties") or {}
    sent = _writable(draft)
    properties = collection.merge(before or _DATABASE_DEFAULTS, sent)
    for path in _FIXED:
        new, old = _at(properties, path), _at(before, path)
        if before and new != old:
            raise _invalid(path, new, f"{old}, which cannot be changed after creation")
    geo = properties.get("geoReplication")
    if geo:
        _check_replication(draft, geo, before, cluster)
    return {**properties, "keys": before.get("keys") or make_keys()}


def _check_replication(draft: Draft, geo: Json, before: Json, cluster: Json) -> None:
    sku = str(cluster["sku"]["name"])
    linked = geo.get("linkedDatabases") or []
    ids = {str(one.get("id")).lower() for one in linked}
    if sku.startswith("Flash") or sku in {"Balanced_B0", "Balanced_B1"}:
        raise _invalid("geoReplication", sku, "a sku of at least Balanced_B3, and not Flash")
    if cluster["properties"]["highAvailability"] != "Enabled":
        raise _invalid("geoReplication", "highAvailability Disabled", "high availability")
    if draft.resource.key not in ids or len(ids) > _MAX_MEMBERS:
        raise _invalid(
            "geoReplication.linkedDatabases",
            sorted(ids),
            f"itself and up to {_MAX_MEMBERS - 1} more",
        )
    old = {str(one["id"]).lower() for one in _at(before, "geoReplication.linkedDatabases") or []}
    if before and ids != old:
        raise errors.bad_request(
            f"The linked databases of {draft.resource} cannot be changed by an update: use "
            "forceLinkToReplicationGroup or forceUnlink.",
            code="LinkedDatabasesUpdateNotAllowed",
        )
    kept = {
        str(one["id"]).lower(): one for one in _at(before, "geoReplication.linkedDatabases") or []
    }
    geo["linkedDatabases"] = [
        {"id": one["id"], "state": kept.get(str(one["id"]).lower(), {}).get("state", "Linked")}
        for one in linked
    ]


def complete_cache(draft: Draft) -> Json:
    """Return a Premium cache's properties with its keys.

    Raises:
        errors.ArmError: 400 for what Azure would refuse.
    """
    collection.check_name(draft.resource, NAME)
    before = (draft.existing or {}).get("properties") or {}
    sku = draft.properties.get("sku") or before.get("sku") or {}
    if (sku.get("name"), sku.get("family")) != ("Premium", "P"):
        raise errors.bad_request(
            f"The sku {sku} is not emulated: expected Premium of family P. Add others in "
            "azrunbook/sandbox/arm/providers/cache_model.py.",
            code="NotEmulated",
        )
    if sku.get("capacity") not in _PREMIUM_CAPACITY:
        raise _invalid("properties.sku.capacity", sku.get("capacity"), "1 to 5")
    if before and before["sku"]["capacity"] > sku["capacity"]:
        raise _invalid("properties.sku.capacity", sku["capacity"], "no less than before")
    zones = draft.sent.get("zones") or []
    if draft.existing and zones and sorted(zones) != sorted(draft.existing.get("zones") or []):
        raise _invalid("zones", zones, f"{draft.existing.get('zones')}, fixed at creation")
    configuration = {
        "maxclients": "7500", "maxmemory-policy": "volatile-lru", "aad-enabled": "False",
        **(before.get("redisConfiguration") or {}),
        **(draft.properties.get("redisConfiguration") or {}),
    }  # fmt: skip
    defaults = {"enableNonSslPort": False, "minimumTlsVersion": "1.2",
                "publicNetworkAccess": "Enabled", "disableAccessKeyAuthentication": False,
                "updateChannel": "Stable", "zonalAllocationPolicy": "Automatic"}  # fmt: skip
    return {
        **defaults,
        **before,
        **_writable(draft),
        "sku": sku,
        "redisConfiguration": configuration,
        "redisVersion": "6.0",
        "hostName": f"{draft.resource.name.lower()}.redis.cache.windows.net",
        "port": 6379,
        "sslPort": 6380,
        "instances": [
            {"sslPort": 15000 + place, "zone": zone, "shardId": 0, "isMaster": place == 0,
             "isPrimary": place == 0}
            for place, zone in enumerate(zones[:2] or ["1", "2"])
        ],
        "keys": before.get("keys") or make_keys(),
    }  # fmt: skip


def make_keys() -> list[str]:
    """Return two new access keys."""
    return [secrets.token_urlsafe(33) for _ in range(2)]


def find_key_index(sent: Json) -> int:
    """Return which of the two keys is to be made anew.

    Raises:
        errors.ArmError: 400, neither.
    """
    kinds = ("Primary", "Secondary")
    if sent.get("keyType") not in kinds:
        raise _invalid("keyType", sent.get("keyType"), " or ".join(kinds))
    return kinds.index(sent["keyType"])


def without_keys(document: Json) -> Json:
    """Return a document as a client sees it."""
    properties = {key: value for key, value in document["properties"].items() if key != "keys"}
    return {**document, "properties": properties}


def request_managed(database: Json, cluster: Json) -> backends.CacheRequest:
    """Return what the cache backend is asked for a managed database."""
    properties = database["properties"]
    geo = properties.get("geoReplication") or {}
    size = _MANAGED_SKU.fullmatch(cluster["sku"]["name"])
    others = [str(one["id"]) for one in geo.get("linkedDatabases") or []]
    return backends.CacheRequest(
        id=database["id"],
        host=cluster["properties"]["hostName"],
        port=properties["port"],
        location=cluster["location"],
        memory_mib=int(size[2]) * _GIB if size else _GIB,
        keys=(properties["keys"][0], properties["keys"][1]),
        linked_ids=tuple(id_ for id_ in others if id_.lower() != database["id"].lower()),
    )


def request_premium(
    cache: Json, linked_ids: tuple[str, ...], *, is_writable: bool
) -> backends.CacheRequest:
    """Return what the cache backend is asked for a Premium cache."""
    properties = cache["properties"]
    return backends.CacheRequest(
        id=cache["id"],
        host=properties["hostName"],
        port=properties["sslPort"],
        location=cache["location"],
        memory_mib=6 * _GIB * properties["sku"]["capacity"],
        keys=(properties["keys"][0], properties["keys"][1]),
        linked_ids=linked_ids,
        is_writable=is_writable,
    )


_SHOWN_ONLY = {"provisioningState", "resourceState", "accessKeys", "linkedServers", "hostName",
               "privateEndpointConnections", "keys"}  # fmt: skip


def _writable(draft: Draft) -> Json:
    return {k: v for k, v in draft.properties.items() if k not in _SHOWN_ONLY and v is not None}


def _at(document: Json, path: str) -> Any:
    value: Any = document
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _invalid(name: str, value: Any, expected: str) -> errors.ArmError:
    return errors.bad_request(
        f"The value of the parameter '{name}' is invalid: {value}; expected {expected}.",
        code="InvalidRequestBody",
        target=name,
    )

"""Flexible servers as documents: what Azure refuses, fills in and shows. Pure."""

import datetime as dt
import re
from typing import Any

from azrunbook.sandbox.arm import backends, collection, errors, paths, vm_sizes
from azrunbook.sandbox.arm.collection import Draft

Json = dict[str, Any]

NAME = r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"
MAX_REPLICAS = 5
VERSIONS = {"13": "23", "14": "20", "15": "15", "16": "11", "17": "7"}
_TIERS = ("Burstable", "GeneralPurpose", "MemoryOptimized")
_SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_LOGINS = {"azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"}
_PASSWORD_KINDS = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
_DAYS = range(7, 36)
# Said at creation and never shown.
_WRITE_ONLY = ("administratorLoginPassword", "createMode", "promotion", "power", "password")
_DEFAULTS: Json = {
    "version": "16",
    "storage": {"storageSizeGB": 32, "autoGrow": "Disabled", "type": "", "iops": 120, "tier": "P4"},
    "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"},
    "highAvailability": {"mode": "Disabled"},
    "network": {"publicNetworkAccess": "Enabled"},
    "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
    "dataEncryption": {"type": "SystemManaged"},
    "maintenanceWindow": {
        "customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0,
    },
    "availabilityZone": "1",
}  # fmt: skip
_READ_ONLY = {"state", "fullyQualifiedDomainName", "minorVersion", "replica", "replicationRole",
              "replicaCapacity", "privateEndpointConnections", "provisioningState"}  # fmt: skip


def complete(draft: Draft, source: Json | None) -> Json:
    """Return the properties to store.

    Raises:
        errors.ArmError: 400 for what Azure would refuse.
    """
    collection.check_name(draft.resource, NAME)
    sent = {k: v for k, v in draft.properties.items() if k not in _READ_ONLY and v is not None}
    before = (draft.existing or {}).get("properties") or _inherited(source)
    if draft.existing:
        _check_fixed(sent, before)
    properties = collection.merge(collection.merge(_DEFAULTS, before), sent)
    _check_sku(draft, properties, is_source_of_replicas=source is not None)
    _check_values(properties, is_new=draft.existing is None and source is None)
    password = properties.pop("administratorLoginPassword", None) or before.get("password")
    properties["password"] = password
    properties["fullyQualifiedDomainName"] = (
        f"{draft.resource.name.lower()}.postgres.database.azure.com"
    )
    properties["minorVersion"] = VERSIONS[str(properties["version"])]
    if source is not None:
        location = str(draft.sent.get("location") or source["location"])
        properties["replicationRole"] = role_of(location, source["location"])
    properties.setdefault("replicationRole", "Primary")
    return properties


def role_of(location: str, source: str) -> str:
    """Return the role of a replica, which says whether its source is in another region."""
    return "AsyncReplica" if location == source else "GeoAsyncReplica"


def _inherited(source: Json | None) -> Json:
    """What a replica takes from its source; not its high availability and backups."""
    if source is None:
        return {}
    kept = ("version", "administratorLogin", "storage", "authConfig", "password")
    return {key: source["properties"][key] for key in kept if key in source["properties"]}


def _check_sku(draft: Draft, properties: Json, *, is_source_of_replicas: bool) -> None:
    sku = draft.sent.get("sku") or {}
    if sku.get("tier") not in _TIERS or vm_sizes.find(str(sku.get("name"))) is None:
        raise _invalid("sku", sku, "tier GeneralPurpose and a size such as Standard_D2s_v3")
    is_burstable = sku["tier"] == "Burstable"
    mode = (properties.get("highAvailability") or {}).get("mode")
    if is_burstable and (is_source_of_replicas or mode != "Disabled"):
        raise _invalid("sku.tier", "Burstable", "another tier with replicas or high availability")


def _check_values(properties: Json, *, is_new: bool) -> None:
    if str(properties["version"]) not in VERSIONS:
        raise _invalid("version", properties["version"], f"one of {', '.join(VERSIONS)}")
    size = properties["storage"].get("storageSizeGB")
    if size not in _SIZES:
        raise _invalid("storage.storageSizeGB", size, f"one of {', '.join(map(str, _SIZES))}")
    days = properties["backup"].get("backupRetentionDays")
    if days not in _DAYS:
        raise _invalid("backup.backupRetentionDays", days, "7 to 35")
    login = str(properties.get("administratorLogin", ""))
    if is_new and (login in _LOGINS or login.startswith("pg_") or not login):
        raise _invalid("administratorLogin", login, "a login that is not reserved")
    password = properties.get("administratorLoginPassword")
    if is_new or password is not None:
        _check_password(str(password or ""), login)


def _check_password(password: str, login: str) -> None:
    kinds = sum(bool(re.search(kind, password)) for kind in _PASSWORD_KINDS)
    if not 8 <= len(password) <= 128 or kinds < 3 or (login and login in password):  # noqa: PLR2004
        raise errors.bad_request(
            "The password does not meet the complexity requirements: 8 to 128 characters of at "
            "least three kinds (lower case, upper case, digits, others), without the login.",
            code="PasswordTooWeak",
        )


def _check_fixed(sent: Json, before: Json) -> None:
    fixed = {
        "administratorLogin": (sent.get("administratorLogin"), before.get("administratorLogin")),
        "backup.geoRedundantBackup": (
            (sent.get("backup") or {}).get("geoRedundantBackup"),
            before["backup"].get("geoRedundantBackup"),
        ),
    }
    for name, (new, old) in fixed.items():
        if new is not None and old is not None and new != old:
            raise _invalid(name, new, f"{old}, which cannot be changed after creation")
    wanted = (sent.get("storage") or {}).get("storageSizeGB")
    if wanted is not None and wanted < before["storage"]["storageSizeGB"]:
        raise _invalid("storage.storageSizeGB", wanted, "no less than before")
    if int(sent.get("version") or before["version"]) < int(before["version"]):
        raise _invalid("version", sent["version"], f"at least {before['version']}")


def render(document: Json, *, is_busy: bool) -> Json:
    """Return what a client sees: state instead of provisioningState, and no password."""
    stored = document["properties"]
    provisioning = stored.get("provisioningState", "Succeeded")
    properties = {
        key: value
        for key, value in stored.items()
        if key not in _WRITE_ONLY and key not in {"provisioningState", "sourceServerResourceId"}
    }
    role = stored["replicationRole"]
    is_primary = role == "Primary"
    state = {"Stopping": "Stopping", "Starting": "Starting", "Deleting": "Dropping"}.get(
        provisioning, "Updating" if is_busy else stored.get("power", "Ready")
    )
    mode = properties["highAvailability"].get("mode", "Disabled")
    properties["highAvailability"] = {
        **({"standbyAvailabilityZone": "2"} if mode == "ZoneRedundant" else {}),
        **properties["highAvailability"],
        "state": "NotEnabled" if mode == "Disabled" else "Healthy",
    }
    replica: Json = {"role": role, "capacity": MAX_REPLICAS if is_primary else 0}
    if not is_primary:
        replica["replicationState"] = "Active"
        properties["sourceServerResourceId"] = stored["sourceServerResourceId"]
    properties |= {"state": state, "replica": replica, "replicaCapacity": replica["capacity"]}
    return {**document, "properties": properties}


def render_metrics(
    server: paths.ResourceId, asked: list[str], measured: backends.Replication | None
) -> Json:
    """Return metrics of a replica as Azure Monitor does; a series is empty where nothing is known.

    Raises:
        errors.ArmError: 400 for a metric that is not emulated.
    """
    values: Json = {"physical_replication_delay_in_seconds": measured and measured.lag_seconds}
    if unknown := [name for name in asked if name not in values]:
        raise errors.bad_request(
            f"Failed to find metric configuration for metric: {', '.join(unknown)}. Valid metrics: "
            f"{', '.join(values)}",
        )
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:00Z")
    return {
        "cost": 0,
        "interval": "PT1M",
        "value": [
            {
                "id": f"{server}/providers/Microsoft.Insights/metrics/{name}",
                "type": "Microsoft.Insights/metrics",
                "name": {"value": name, "localizedValue": name},
                "unit": "Seconds",
                "timeseries": []
                if values[name] is None
                else [
                    {
                        "metadatavalues": [],
                        "data": [{"timeStamp": now, "maximum": values[name]}],
                    }
                ],
                "errorCode": "Success",
            }
            for name in asked
        ],
    }


def request(document: Json) -> backends.ServerRequest:
    """Return what the database backend is asked for."""
    properties = document["properties"]
    return backends.ServerRequest(
        id=document["id"],
        host=properties["fullyQualifiedDomainName"],
        location=document["location"],
        version=str(properties["version"]),
        administrator=str(properties.get("administratorLogin", "")),
        password=str(properties.get("password") or ""),
        source_id=properties.get("sourceServerResourceId"),
    )


def capabilities(location: str) -> Json:
    """Return what a region offers; the shape of Azure's answer, shortened to what is emulated."""
    editions = [
        {
            "name": tier,
            "defaultSkuName": "Standard_D2s_v3",
            "supportedServerSkus": [
                {"name": name, "vCores": 2, "supportedHaMode": ["SameZone", "ZoneRedundant"]}
                for name in ("Standard_D2s_v3", "Standard_D2ds_v5", "Standard_E2s_v3")
            ],
        }
        for tier in _TIERS[1:]
    ]
    return {
        "name": f"FlexibleServerCapabilities-{location}",
        "supportedServerVersions": [{"name": version} for version in VERSIONS],
        "supportedServerEditions": editions,
        "zoneRedundantHaSupported": "Enabled",
        "geoBackupSupported": "Enabled",
        "restricted": "Disabled",
    }


def _invalid(name: str, value: Any, expected: str) -> errors.ArmError:
    return errors.bad_request(
        f"The value of the parameter '{name}' is invalid: {value}; expected {expected}.",
        code="InvalidParameterValue",
        target=name,
    )

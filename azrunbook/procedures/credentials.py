"""How the application signs in to its data: one Secret per cluster, and no other copy anywhere.

``<release>-data`` in the application's namespace holds DATABASE_URL and REDIS_URL. It is where the
password is found again: there is no state file, and Azure shows no password. Lost in one cluster,
it is copied from the other; lost in both (or never known here, because another engine made the
server), a new one is set on the server. So nothing has to be kept that a rehearsal, a second
engine or a cleaned disk could lose.
"""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azrunbook import checks, connect, errors, estate, plan as plans, secrets
from azrunbook.procedures import actions, placing
from azrunbook.resources import model, postgres, redis

GROUP = "credentials"
DATABASE_KEY, CACHE_KEY = "DATABASE_URL", "REDIS_URL"
_PORT = 5432
_DOMAIN = "postgres.database.azure.com"
_STEP = "write the application's credentials"


@dataclass(frozen=True)
class Facts:
    """The Secret's name, and which regions' clusters hold it.

    Attributes:
        held: by role of a region; False also where the cluster is not there or does not answer.
        locations: by role, for people.
    """

    name: str
    held: Mapping[str, bool]
    locations: Mapping[str, str]


def observe(clients: connect.Clients) -> Facts | None:
    """Ask both clusters at once; None: the estate has not both a database and a cache."""
    declared = clients.estate
    if declared.postgres is None or declared.redis is None:
        return None
    roles = list(declared.regions)
    found = clients.for_each(lambda role: _holds(clients, role), roles)
    return Facts(
        name=name_of(declared),
        held=dict(zip(map(str, roles), found, strict=True)),
        locations={str(role): region.location for role, region in declared.regions.items()},
    )


def _holds(clients: connect.Clients, role: str) -> bool:
    try:
        held = _find(clients, role)
    except errors.AzrunbookError:
        return False
    # The name changes when the virtual endpoint comes or goes, with the second region.
    return held is not None and _database_host(clients.estate) in held.get(DATABASE_KEY, "")


def plan_changes(facts: Facts | None) -> list[plans.Change]:
    """Say per region whether the Secret is there."""
    if facts is None:
        return []
    return [
        plans.Change(
            action="no_change" if is_held else "create",
            type="v1/Secret",
            name=facts.name,
            region=facts.locations[role],
        )
        for role, is_held in facts.held.items()
    ]


def plan_steps(facts: Facts | None) -> list[plans.Step]:
    """One step for both clusters, because they hold the same password."""
    lacking = [role for role, is_held in facts.held.items() if not is_held] if facts else []
    if not lacking:
        return []
    return [
        plans.Step(
            name=_STEP,
            group=GROUP,
            action="write_credentials",
            undo=(plans.Undo("delete_credentials", {"roles": lacking}),),
            timeout_seconds=900,
        )
    ]


def name_of(declared: estate.Estate) -> str:
    return f"{declared.app.release}-data"


def find_name(declared: estate.Estate) -> str:
    """The Secret that a release refers to; empty where the estate has not both kinds of data."""
    return name_of(declared) if declared.postgres and declared.redis else ""


def check_held(facts: Facts | None) -> list[checks.CheckResult]:
    """A release's pods cannot start in a cluster without the Secret."""
    if facts is None:
        return []
    lacking = [facts.locations[role] for role, is_held in facts.held.items() if not is_held]
    return [
        checks.CheckResult(
            name="credentials",
            passed=not lacking,
            criterion=f"the Secret {facts.name} is in every cluster",
            found=f"not in {', '.join(lacking)}" if lacking else "in every cluster",
            advice="azrunbook run 01_provision_estate",
        )
    ]


def _find(clients: connect.Clients, role: str) -> dict[str, str] | None:
    declared = clients.estate
    held = clients.region(role).secrets.find(declared.app.namespace, name_of(declared))
    for url in (held or {}).values():
        if password := urllib.parse.urlsplit(url).password:
            secrets.register(urllib.parse.unquote(password))
    return held


@actions.action("write_credentials")
def write_credentials(clients: connect.Clients, progress: actions.Progress) -> str:
    """Write the Secret into every cluster, with the password there is or a new one."""
    declared = clients.estate
    held = {str(role): _find(clients, role) for role in declared.regions}
    known = next((one[DATABASE_KEY] for one in held.values() if one), "")
    password = urllib.parse.unquote(urllib.parse.urlsplit(known).password or "")
    url = _database_url(declared, password or _set_password(clients, progress))
    for role, region in declared.regions.items():
        values = {DATABASE_KEY: url, CACHE_KEY: _cache_url(clients, region)}
        if held[role] != values:
            clients.region(role).secrets.write(declared.app.namespace, name_of(declared), values)
    return "the password of before" if password else "a new password was set"


@actions.action("delete_credentials")
def delete_credentials(
    clients: connect.Clients, progress: actions.Progress, *, roles: list[str]
) -> None:
    """Remove the Secret from these clusters; one that is gone is as good."""
    declared = clients.estate
    for role in roles:
        try:
            held = clients.region(role).secrets
        except errors.NotFoundError:
            progress(f"the cluster of {role} is gone")
            continue
        held.delete(declared.app.namespace, name_of(declared))


def _set_password(clients: connect.Clients, progress: actions.Progress) -> str:
    """Give the administrator a new password."""
    server = _find_primary(clients)
    password = placing.make_password()
    poller = clients.arm.begin_patch(
        str(server["id"]),
        model.get_api_version(model.SERVER),
        {"properties": {"administratorLoginPassword": password}},
        patience=progress.remaining_seconds,
        progress=progress,
    )
    clients.arm.wait(
        poller,
        what=f"set the password of {server['name']}",
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    return password


def _database_host(declared: estate.Estate) -> str:
    """The virtual endpoint, which leads to whichever server takes writes; else the one server."""
    settings = _require(declared.postgres, "postgres")
    if settings.replica and declared.secondary_enabled and settings.virtual_endpoint:
        return f"{settings.virtual_endpoint}.writer.{_DOMAIN}"
    return f"{settings.name}-{declared.primary.location}.{_DOMAIN}"


def _database_url(declared: estate.Estate, password: str) -> str:
    settings = _require(declared.postgres, "postgres")
    login = f"{settings.administrator}:{urllib.parse.quote(password, safe='')}"
    # Encrypted alone is not enough: who answers must prove to be the server of this name.
    verified = "sslmode=verify-full&sslrootcert=system"
    host = _database_host(declared)
    return f"postgresql://{login}@{host}:{_PORT}/{settings.database}?{verified}"


def _find_primary(clients: connect.Clients) -> Mapping[str, Any]:
    """The server that takes writes; after a switchover it is not the primary region's.

    Raises:
        NotFoundError: there is none.
    """
    for region in clients.estate.regions.values():
        id_ = postgres.server_id(clients.estate, clients.subscription_id, region)
        body = clients.arm.find(id_, model.get_api_version(model.SERVER))
        if body and body["properties"].get("replicationRole") in {None, "Primary"}:
            return body
    raise errors.NotFoundError(
        "no PostgreSQL server of this estate takes writes: expected one to be the primary. Run "
        "the provisioning notebook, or promote the replica."
    )


def _cache_url(clients: connect.Clients, region: estate.Region) -> str:
    """Each region uses its own cache, by its key."""
    settings = _require(clients.estate.redis, "redis")
    cache = next(
        one
        for one in redis.list_services(clients.estate, clients.subscription_id)
        if one.region == region
    )
    is_managed = settings.kind == "managed"
    target = f"{cache.id}/databases/default" if is_managed else cache.id
    version = model.get_api_version(model.MANAGED_CACHE if is_managed else model.CACHE)
    key = str(clients.arm.post(f"{target}/listKeys", version)["primaryKey"])
    host = clients.arm.get(cache.id, version)["properties"]["hostName"]
    return f"rediss://:{urllib.parse.quote(key, safe='')}@{host}:{settings.port}/0"


def _require(part: Any, name: str) -> Any:
    if part is None:
        raise ValueError(f"this estate has no {name}. This is a bug. Please report.")
    return part

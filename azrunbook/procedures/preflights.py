"""Whether Azure can be what the estate file says: looked at before anything is changed.

Each check asks one thing of one region or of the subscription, reads only, and says what to do. A
question that Azure does not answer is a failed check, not an error, so that all others are seen.
"""

import fnmatch
import functools
import ipaddress
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azrunbook import checks, connect, errors, estate, resources
from azrunbook.resources import model, network, postgres, redis, registry, storage

_LOCATIONS_API = "2022-12-01"
_USAGE_API = "2024-07-01"
_SKU_API = "2021-07-01"
_PROVIDERS_API = "2025-04-01"
_LOCKS_API = "2020-05-01"
_SURGE = 0.33  # of a pool's nodes, while it is upgraded
# Azure's announcements: the F series (all of Fsv2 with it) of 2025-10-15, Dsv2 before it.
_RETIREMENTS = {"standardFSv2Family": "2028-11-15", "standardDSv2Family": "2028-05-01"}
_WRITES = ("Microsoft.Resources/subscriptions/resourceGroups/write",
           "Microsoft.Authorization/roleAssignments/write")  # fmt: skip


@dataclass(frozen=True)
class _Size:
    """A machine size as a region has it."""

    family: str
    cores: int
    restrictions: tuple[str, ...]


_OfSubscription = Callable[[connect.Clients], checks.CheckResult]
_OfRegion = Callable[[connect.Clients, estate.Region], checks.CheckResult]


def check_all(clients: connect.Clients) -> list[checks.CheckResult]:
    """Every check, the subscription's first, all at once."""
    of_subscription: dict[str, _OfSubscription] = {
        "rights of the caller": _check_role,
        "resource providers": _check_providers,
        "locks": _check_locks,
        "names": _check_names,
        "address ranges": _check_ranges,
    }
    if not clients.estate.secondary_enabled:
        of_subscription["what is removed is ours"] = _check_removal
    of_region: dict[str, _OfRegion] = {
        "region": _check_region,
        "Kubernetes version in": _check_version,
        "machine sizes in": _check_sizes,
        "vCPU quota in": _check_quota,
    }
    if clients.estate.postgres is not None:
        of_region["PostgreSQL in"] = _check_database
    looks = [
        (name, functools.partial(check, clients)) for name, check in of_subscription.items()
    ] + [
        (f"{name} {region.location}", functools.partial(check, clients, region))
        for region in clients.estate.regions.values()
        for name, check in of_region.items()
    ]
    return clients.for_each(lambda one: checks.look(one[0], "an answer from Azure", one[1]), looks)


def _subscription(clients: connect.Clients) -> str:
    return f"/subscriptions/{clients.subscription_id}"


def _check_role(clients: connect.Clients) -> checks.CheckResult:
    path = f"{_subscription(clients)}/providers/Microsoft.Authorization/permissions"
    rows = list(clients.arm.list(path, "2022-04-01"))
    missing = [action for action in _WRITES if not any(_allows(row, action) for row in rows)]
    return checks.CheckResult(
        name="rights of the caller",
        passed=not missing,
        criterion="may create resource groups and role assignments",
        found=f"may not: {', '.join(missing)}" if missing else "may do both",
        advice="ask for Owner, or Contributor with Role Based Access Control Administrator, on "
        "the subscription",
    )


def _allows(row: Mapping[str, Any], action: str) -> bool:
    def holds(patterns: Any) -> bool:
        return any(
            fnmatch.fnmatch(action.lower(), str(pattern).lower()) for pattern in patterns or ()
        )

    return holds(row.get("actions")) and not holds(row.get("notActions"))


def _check_providers(clients: connect.Clients) -> checks.CheckResult:
    desired = resources.desired_resources(clients.estate, clients.subscription_id)
    names = sorted({one.type.partition("/")[0] for one in desired} - {"Microsoft.Resources"})
    path = f"{_subscription(clients)}/providers"
    missing = [
        name
        for name in names
        if clients.arm.get(f"{path}/{name}", _PROVIDERS_API)["registrationState"] != "Registered"
    ]
    return checks.CheckResult(
        name="resource providers",
        passed=not missing,
        criterion=f"all {len(names)} registered",
        found=f"not registered: {', '.join(missing)}" if missing else "all registered",
        advice="; ".join(f"az provider register --namespace {name} --wait" for name in missing),
    )


def _check_locks(clients: connect.Clients) -> checks.CheckResult:
    groups = network.list_groups(clients.estate, clients.subscription_id)
    path = f"{_subscription(clients)}/providers/{model.LOCK}"
    locks = [
        str(one["id"])
        for one in clients.arm.list(path, _LOCKS_API)
        if one["properties"]["level"] == "ReadOnly"
        and any(_is_over(str(one["id"]), group.id) for group in groups)
    ]
    return checks.CheckResult(
        name="locks",
        passed=not locks,
        criterion="nothing of the estate is locked against changes",
        found=", ".join(locks) or "no ReadOnly lock",
        advice="ask whoever set it; az lock delete --ids ID",
    )


def _is_over(lock: str, group: str) -> bool:
    """Whether a lock stands on a group, on something in it, or on the whole subscription."""
    scope = lock.lower().partition("/providers/microsoft.authorization/locks/")[0]
    return scope.startswith(group.lower()) or scope.count("/") == 2  # noqa: PLR2004


def _check_names(clients: connect.Clients) -> checks.CheckResult:
    taken = [
        name
        for path, kind, id_ in _list_names(clients)
        if (name := id_.rpartition("/")[2])
        and clients.arm.find(id_, model.get_api_version(kind)) is None
        and not _is_free(clients, path, kind, name)
    ]
    return checks.CheckResult(
        name="names",
        passed=not taken,
        criterion="every name that all of Azure shares is free, or ours already",
        found=f"taken: {', '.join(taken)}" if taken else "free, or ours",
        advice="choose another name in the estate file",
    )


def _list_names(clients: connect.Clients) -> list[tuple[str, str, str]]:
    """Path of the check below the subscription's providers, type, id."""
    declared, subscription = clients.estate, clients.subscription_id
    services = {
        ("Microsoft.DBforPostgreSQL", model.SERVER): postgres.list_services(declared, subscription),
        ("Microsoft.Storage", model.STORAGE): storage.list_services(declared, subscription),
    }
    # Managed Redis has no such check; its names are told apart by region too.
    if declared.redis is not None and declared.redis.kind == "premium":
        services["Microsoft.Cache", model.CACHE] = redis.list_services(declared, subscription)
    own = registry.registry_id(declared, subscription)
    return [
        ("Microsoft.ContainerRegistry/checkNameAvailability", model.REGISTRY, own),
        *(
            (f"{namespace}/checkNameAvailability", kind, service.id)
            for (namespace, kind), found in services.items()
            for service in found
        ),
    ]


def _is_free(clients: connect.Clients, path: str, kind: str, name: str) -> bool:
    """Ask; the older caches answer a free name with nothing, and a taken one with a refusal."""
    body = {"name": name, "type": kind}
    url = f"{_subscription(clients)}/providers/{path}"
    try:
        answer = clients.arm.post(url, model.get_api_version(kind), body)
    except errors.StepError as error:
        if "NameNotAvailable" in str(error):
            return False
        raise
    return bool(answer.get("nameAvailable", True))


def _check_ranges(clients: connect.Clients) -> checks.CheckResult:
    own = {
        network.network_id(clients.subscription_id, region).lower(): region.network.address_space
        for region in (clients.estate.primary, clients.estate.secondary)
    }
    ours = [ipaddress.ip_network(text) for space in own.values() for text in space]
    path = f"{_subscription(clients)}/providers/{model.NETWORK}"
    clashing = []
    for one in clients.arm.list(path, model.get_api_version(model.NETWORK)):
        theirs = map(ipaddress.ip_network, one["properties"]["addressSpace"]["addressPrefixes"])
        is_other = str(one["id"]).lower() not in own
        if is_other and any(a.version == b.version and a.overlaps(b) for a in theirs for b in ours):
            clashing.append(f"{one['name']} in {str(one['id']).split('/')[4]}")
    return checks.CheckResult(
        name="address ranges",
        passed=not clashing,
        criterion="no other network of the subscription shares an address with these",
        found=", ".join(clashing) or "none does",
        advice="choose other ranges in the estate file; networks that overlap cannot be peered",
    )


def _check_removal(clients: connect.Clients) -> checks.CheckResult:
    """A region that is to go holds nothing that is not ours."""
    removed = resources.list_removed(clients.estate, clients.subscription_id)
    known = {one.id.lower() for one in removed} | resources.list_companions(removed)
    strange = [
        str(found["name"])
        for one in removed
        if one.type == model.GROUP and clients.arm.find(one.id, one.api_version)
        for found in clients.arm.list(f"{one.id}/resources", one.api_version)
        if str(found["id"]).lower() not in known
    ]
    return checks.CheckResult(
        name="what is removed is ours",
        passed=not strange,
        criterion="the second region's group holds only what the estate declared",
        found=", ".join(strange) or "nothing else",
        advice="move or delete it by hand first",
    )


def _check_region(clients: connect.Clients, region: estate.Region) -> checks.CheckResult:
    path = f"{_subscription(clients)}/locations"
    names = [str(one["name"]) for one in clients.arm.list(path, _LOCATIONS_API)]
    return checks.CheckResult(
        name=f"region {region.location}",
        passed=region.location in names,
        criterion="a region of this subscription",
        found="there" if region.location in names else "no such region",
        advice=f"choose one of {', '.join(sorted(names))}",
    )


def _check_version(clients: connect.Clients, region: estate.Region) -> checks.CheckResult:
    cluster = clients.estate.cluster
    offered = clients.clusters.list_kubernetes_versions(region.location)
    minor = ".".join(cluster.kubernetes_version.split(".")[:2])
    plans_of = next((one.support_plans for one in offered if one.version == minor), ())
    return checks.CheckResult(
        name=f"Kubernetes version in {region.location}",
        passed=cluster.support_plan in plans_of,
        criterion=f"{cluster.kubernetes_version} offered with {cluster.support_plan}",
        found=f"{minor}: {', '.join(plans_of) or 'not offered'}",
        advice="choose one of " + ", ".join(one.version for one in offered),
    )


def _list_sizes(clients: connect.Clients, region: estate.Region) -> dict[str, _Size]:
    path = f"{_subscription(clients)}/providers/Microsoft.Compute/skus"
    found = clients.arm.list(path, _SKU_API, filter_text=f"location eq '{region.location}'")
    sizes = {}
    for one in found:
        if one["resourceType"] == "virtualMachines":
            known = {c["name"]: c["value"] for c in one.get("capabilities") or ()}
            reasons = tuple(str(r.get("reasonCode")) for r in one.get("restrictions") or ())
            sizes[str(one["name"]).lower()] = _Size(one["family"], int(known["vCPUs"]), reasons)
    return sizes


def _check_sizes(clients: connect.Clients, region: estate.Region) -> checks.CheckResult:
    sizes = _list_sizes(clients, region)
    problems, notes = [], []
    for name in dict.fromkeys(pool.vm_size for pool in clients.estate.node_pools):
        size = sizes.get(name.lower())
        if size is None or size.restrictions:
            problems.append(f"{name} {', '.join(size.restrictions) if size else 'not offered'}")
        elif date := _RETIREMENTS.get(size.family):
            notes.append(f"{name} retires {date}")
    return checks.CheckResult(
        name=f"machine sizes in {region.location}",
        passed=not problems,
        criterion="every pool's size is offered without restriction",
        found="; ".join([*problems, *notes]) or "all offered",
        advice="choose another vm_size; the pool must then be made anew",
    )


def _check_quota(clients: connect.Clients, region: estate.Region) -> checks.CheckResult:
    """Each family has room for what is not there yet, and for one upgrade's surge."""
    sizes = _list_sizes(clients, region)
    needed: dict[str, int] = {}
    for pool in clients.estate.node_pools:
        if size := sizes.get(pool.vm_size.lower()):
            count = pool.autoscale.max_count if pool.autoscale else pool.count
            nodes = count + math.ceil(count * _SURGE)
            needed[size.family] = needed.get(size.family, 0) + nodes * size.cores
    present = _count_present(clients, region, sizes)
    path = f"{_subscription(clients)}/providers/Microsoft.Compute/locations/{region.location}"
    usages = {one["name"]["value"]: one for one in clients.arm.list(f"{path}/usages", _USAGE_API)}
    short = []
    for family, cores in needed.items():
        usage = usages.get(family, {"currentValue": 0, "limit": 0})
        room = int(usage["limit"]) - int(usage["currentValue"]) + present.get(family, 0)
        if cores > room:
            short.append(f"{family} needs {cores}, has {room} of {usage['limit']}")
    total = sum(needed.values())
    return checks.CheckResult(
        name=f"vCPU quota in {region.location}",
        passed=not short,
        criterion=f"room for {total} cores, a surge of upgrade included",
        found="; ".join(short) or f"room for all {total}",
        advice="ask for more: az quota update, or Quotas in the portal; or fewer nodes",
    )


def _count_present(
    clients: connect.Clients, region: estate.Region, sizes: Mapping[str, _Size]
) -> dict[str, int]:
    """Cores by family that the estate's own cluster uses already."""
    cluster = clients.clusters.find(region.resource_group, clients.estate.cluster.name)
    found: dict[str, int] = {}
    if cluster is None or cluster.power != "Running":
        return found
    for pool in cluster.body["properties"].get("agentPoolProfiles") or ():
        if size := sizes.get(str(pool["vmSize"]).lower()):
            found[size.family] = found.get(size.family, 0) + size.cores * int(pool["count"])
    return found


def _check_database(clients: connect.Clients, region: estate.Region) -> checks.CheckResult:
    settings = clients.estate.postgres
    if settings is None:
        raise ValueError("this estate has no postgres. This is a bug. Please report.")
    path = f"{_subscription(clients)}/providers/Microsoft.DBforPostgreSQL/locations"
    answer = clients.arm.list(
        f"{path}/{region.location}/capabilities", model.get_api_version(model.SERVER)
    )
    offered: Mapping[str, Any] = next(iter(answer), {})
    versions = [one["name"] for one in offered.get("supportedServerVersions") or ()]
    skus = {
        sku["name"]
        for edition in offered.get("supportedServerEditions") or ()
        for sku in edition.get("supportedServerSkus") or ()
    }
    size = settings.sku.partition("_")[2]
    is_offered = settings.version in versions and size in skus
    return checks.CheckResult(
        name=f"PostgreSQL in {region.location}",
        passed=is_offered,
        criterion=f"version {settings.version} on {size} offered",
        found="offered"
        if is_offered
        else f"versions {', '.join(versions)}; sizes {', '.join(sorted(skus))}",
        advice="choose a version and a size that both regions have",
    )

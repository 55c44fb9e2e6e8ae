"""Front Door's origins, and what else it may have: static assets, a domain, a firewall. Pure."""

from collections.abc import Mapping
from typing import Any

from azrunbook import estate
from azrunbook.resources import model, storage

# The managed rules of Azure; only the Premium sku has them.
_RULE_SET = {"ruleSetType": "Microsoft_DefaultRuleSet", "ruleSetVersion": "2.1"}
_WEIGHT = 1000
# The primary serves while it is healthy; the secondary stands by.
_PRIORITIES = {"primary": 1, "secondary": 2}
_COMPRESSED = [
    "application/javascript", "application/json", "image/svg+xml", "text/css", "text/html",
    "text/javascript", "text/plain",
]  # fmt: skip


def private_link(target: str, region: estate.Region, group: str | None = None) -> dict[str, Any]:
    """What makes an origin private; its owner has to approve the connection once.

    ``group`` is Azure's word for the part of the target (``blob``); a private link service has
    none.
    """
    link: dict[str, Any] = {
        "privateLink": {"id": target},
        "privateLinkLocation": region.location,
        "requestMessage": "Front Door of this estate",
    }
    if group is not None:
        link["groupId"] = group
    return {"sharedPrivateLinkResource": link}


def describe_origin(
    group: model.DesiredResource,
    host: str,
    role: str,
    region: estate.Region,
    *,
    link: Mapping[str, Any],
    needs: tuple[str, ...] = (),
) -> model.DesiredResource:
    """A region's origin in a group; ``link`` is of :func:`private_link`, empty for a public one.

    ``needs``: ids of what has to be there besides the group.
    """
    return model.describe(
        f"{group.id}/origins/{region.location}",
        model.ORIGIN,
        region=region.location,
        body={
            "properties": {
                "hostName": host,
                "originHostHeader": host,
                "httpPort": 80,
                "httpsPort": 443,
                "priority": _PRIORITIES[role],
                "weight": _WEIGHT,
                "enabledState": "Enabled",
                "enforceCertificateNameCheck": True,
                **link,
            }
        },
        depends_on=(group.id, *needs),
    )


def list_domains(
    declared: estate.Estate, profile: model.DesiredResource
) -> tuple[model.DesiredResource, ...]:
    domain = declared.front_door.custom_domain
    if domain is None:
        return ()
    return (
        model.describe(
            f"{profile.id}/customDomains/{domain.name}",
            model.DOMAIN,
            region=model.GLOBAL,
            body={
                "properties": {
                    "hostName": domain.host_name,
                    "tlsSettings": {
                        "certificateType": "ManagedCertificate",
                        "minimumTlsVersion": "TLS12",
                    },
                }
            },
            depends_on=(profile.id,),
        ),
    )


def list_static(
    declared: estate.Estate,
    subscription_id: str,
    route: model.DesiredResource,
    app: tuple[model.DesiredResource, ...],
) -> tuple[model.DesiredResource, ...]:
    """The cached route, and the storage accounts as origins where they serve it.

    ``app`` is the application's origin group with its origins, ``route`` the application's route.
    """
    static = declared.front_door.static_assets
    if static is None:
        return ()
    targets, needs = app, route.depends_on
    if static.source == "storage":
        targets = _storage_origins(declared, subscription_id, static, app[0])
        needs = tuple(one for one in needs if one not in {origin.id for origin in app})
    body = {
        **route.body["properties"],
        "originGroup": {"id": targets[0].id},
        "patternsToMatch": [static.pattern],
        "cacheConfiguration": {
            "queryStringCachingBehavior": "IgnoreQueryString",
            "compressionSettings": {
                "isCompressionEnabled": True,
                "contentTypesToCompress": _COMPRESSED,
            },
        },
    }
    if static.source == "storage":
        body["forwardingProtocol"] = "HttpsOnly"
    one = model.describe(
        f"{route.id.rpartition('/')[0]}/{static.route}",
        model.ROUTE,
        region=model.GLOBAL,
        body={"properties": body},
        depends_on=tuple(dict.fromkeys((*needs, *(t.id for t in targets)))),
    )
    return (one,) if static.source == "app" else (*targets, one)


def list_firewall(
    declared: estate.Estate, subscription_id: str, guarded: tuple[model.DesiredResource, ...]
) -> tuple[model.DesiredResource, ...]:
    """The firewall's policy, and its tie to the endpoint and the domains."""
    waf, door = declared.front_door.waf, declared.front_door
    if waf is None:
        return ()
    is_premium = door.sku == "Premium_AzureFrontDoor"
    policy = model.describe(
        model.resource_id(subscription_id, door.resource_group, model.FIREWALL_POLICY, waf.name),
        model.FIREWALL_POLICY,
        region=model.GLOBAL,
        body={
            "location": "Global",
            "tags": dict(declared.tags),
            "sku": {"name": door.sku},
            "properties": {
                "policySettings": {"enabledState": "Enabled", "mode": waf.mode},
                "managedRules": {
                    "managedRuleSets": [{**_RULE_SET, "ruleSetAction": "Block"}]
                    if is_premium
                    else []
                },
            },
        },
        depends_on=(model.group_id(subscription_id, door.resource_group),),
    )
    profile_id = guarded[0].id.rpartition("/afdEndpoints/")[0]
    association = {"domains": [{"id": one.id} for one in guarded], "patternsToMatch": ["/*"]}
    tie = model.describe(
        f"{profile_id}/securityPolicies/{waf.name}",
        model.SECURITY_POLICY,
        region=model.GLOBAL,
        body={
            "properties": {
                "parameters": {
                    "type": "WebApplicationFirewall",
                    "wafPolicy": {"id": policy.id},
                    "associations": [association],
                }
            }
        },
        depends_on=(policy.id, *(one.id for one in guarded)),
    )
    return (policy, tie)


def _storage_origins(
    declared: estate.Estate,
    subscription_id: str,
    static: estate.StaticAssets,
    app_group: model.DesiredResource,
) -> tuple[model.DesiredResource, ...]:
    settings = declared.storage
    if settings is None:
        raise ValueError("static assets from storage need storage. This is a bug. Please report.")
    profile_id = app_group.id.rpartition("/originGroups/")[0]
    balancing = app_group.body["properties"]["loadBalancingSettings"]
    group = model.describe(
        f"{profile_id}/originGroups/{static.origin_group}",
        model.ORIGIN_GROUP,
        region=model.GLOBAL,
        body={
            "properties": {
                "sessionAffinityState": "Disabled",
                "loadBalancingSettings": dict(balancing),
                "healthProbeSettings": {
                    "probePath": f"/{settings.container}/{storage.PROBE_NAME}",
                    "probeRequestType": "HEAD",
                    "probeProtocol": "Https",
                    "probeIntervalInSeconds": declared.front_door.health_probe.interval_seconds,
                },
            }
        },
        depends_on=(profile_id,),
    )
    return (
        group,
        *(
            _storage_origin(
                group, storage.account_id(settings, subscription_id, region), role, region
            )
            for role, region in declared.regions.items()
        ),
    )


def _storage_origin(
    group: model.DesiredResource, account: str, role: str, region: estate.Region
) -> model.DesiredResource:
    host = f"{account.rpartition('/')[2]}.blob.core.windows.net"
    link = private_link(account, region, "blob")
    return describe_origin(group, host, role, region, link=link, needs=(account,))

"""Where azurerm's words and Azure's mean the same: what both engines must say of one resource.

Each row is an attribute of a planned resource, a property of the desired body, and how the one
reads as the other, both ways. Paths are dotted; a number is a place in a list. What one engine
states in a resource of its own and the other inside another one (subnets, node pools,
replications) is laid out by :func:`list_parts`. The stand-in for azurerm (stand_in_arm.py) makes
its requests of the same rows.
"""

import dataclasses
import json
from collections.abc import Callable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Words:
    """A value in azurerm's words as Azure's, and back; without a value there is nothing to say."""

    to: Callable[[Any], Any]
    back: Callable[[Any], Any]


def bind(words):
    """One word for another; Azure may spell its own in another letter case."""
    meant = {str(theirs).lower(): mine for mine, theirs in words.items()}
    return Words(
        lambda value: words.get(value, value), lambda value: meant.get(str(value).lower(), value)
    )


def known(to, back):
    return Words(lambda value: None if value is None else to(value), back)


def read_sku(sku):
    return f"{MARKS[sku['tier']]}_{sku['name']}"


SAME = Words(lambda value: value, lambda value: value)
ENABLED = bind({True: "Enabled", False: "Disabled"})
TIERS = {"B": "Burstable", "GP": "GeneralPurpose", "MO": "MemoryOptimized"}
MARKS = {tier: mark for mark, tier in TIERS.items()}
SKU = known(
    lambda sku: {"name": sku.partition("_")[2], "tier": TIERS[sku.partition("_")[0]]}, read_sku
)
GIGABYTES = known(lambda megabytes: megabytes // 1024, lambda gigabytes: gigabytes * 1024)
REPLICATION = known(lambda kind: f"Standard_{kind}", lambda sku: sku.partition("_")[2])
JOINED = known(", ".join, lambda text: text.split(", "))
AS_KEYS = known(lambda ids: {one: {} for one in ids}, list)
AS_OBJECTS = known(
    lambda ids: [{"id": one} for one in ids], lambda found: [one["id"] for one in found]
)
DOMAINS = known(
    lambda domains: [{"id": one["cdn_frontdoor_domain_id"]} for one in domains],
    lambda found: [{"active": True, "cdn_frontdoor_domain_id": one["id"]} for one in found],
)
# A virtual endpoint names its replica, azurerm by its id: what is there already says where.
MEMBERS = known(lambda one: [one.rpartition("/")[2]], lambda found: found[0] if found else "")
# azurerm spells the type of a policy's id with a small letter.
FIREWALL = Words(lambda value: value, lambda value: value.replace("/FrontDoorWeb", "/frontDoorWeb"))
LOCATION = Words(lambda value: value, lambda value: value.replace(" ", "").lower())


PLACED = [("location", "location", LOCATION), ("tags", "tags", SAME)]
TAGGED = [("tags", "tags", SAME)]

ORIGIN = [
    ("host_name", "properties.hostName", SAME),
    ("origin_host_header", "properties.originHostHeader", SAME),
    ("http_port", "properties.httpPort", SAME),
    ("https_port", "properties.httpsPort", SAME),
    ("priority", "properties.priority", SAME),
    ("weight", "properties.weight", SAME),
    ("enabled", "properties.enabledState", ENABLED),
    ("certificate_name_check_enabled", "properties.enforceCertificateNameCheck", SAME),
    ("private_link.0.private_link_target_id",
     "properties.sharedPrivateLinkResource.privateLink.id", SAME),
    ("private_link.0.location", "properties.sharedPrivateLinkResource.privateLinkLocation", SAME),
    ("private_link.0.target_type", "properties.sharedPrivateLinkResource.groupId", SAME),
    ("private_link.0.request_message", "properties.sharedPrivateLinkResource.requestMessage", SAME),
]  # fmt: skip

CLUSTER = [
    *PLACED,
    ("sku_tier", "sku.tier", SAME),
    ("dns_prefix", "properties.dnsPrefix", SAME),
    ("kubernetes_version", "properties.kubernetesVersion", SAME),
    ("support_plan", "properties.supportPlan", SAME),
    ("role_based_access_control_enabled", "properties.enableRBAC", SAME),
    ("local_account_disabled", "properties.disableLocalAccounts", SAME),
    ("oidc_issuer_enabled", "properties.oidcIssuerProfile.enabled", SAME),
    ("workload_identity_enabled", "properties.securityProfile.workloadIdentity.enabled", SAME),
    ("automatic_upgrade_channel", "properties.autoUpgradeProfile.upgradeChannel",
     bind({None: "none"})),
    ("node_os_upgrade_channel", "properties.autoUpgradeProfile.nodeOSUpgradeChannel", SAME),
    ("identity.0.type", "identity.type", SAME),
    ("identity.0.identity_ids", "identity.userAssignedIdentities", AS_KEYS),
    ("kubelet_identity.0.user_assigned_identity_id",
     "properties.identityProfile.kubeletidentity.resourceId", SAME),
    ("network_profile.0.network_plugin", "properties.networkProfile.networkPlugin", SAME),
    ("network_profile.0.network_plugin_mode", "properties.networkProfile.networkPluginMode", SAME),
    ("network_profile.0.network_data_plane", "properties.networkProfile.networkDataplane", SAME),
    ("network_profile.0.network_policy", "properties.networkProfile.networkPolicy", SAME),
    ("network_profile.0.pod_cidr", "properties.networkProfile.podCidr", SAME),
    ("network_profile.0.service_cidr", "properties.networkProfile.serviceCidr", SAME),
    ("network_profile.0.dns_service_ip", "properties.networkProfile.dnsServiceIP", SAME),
    ("network_profile.0.load_balancer_sku", "properties.networkProfile.loadBalancerSku", SAME),
    ("network_profile.0.outbound_type", "properties.networkProfile.outboundType", SAME),
    ("azure_active_directory_role_based_access_control.0.azure_rbac_enabled",
     "properties.aadProfile.enableAzureRBAC", SAME),
    ("azure_active_directory_role_based_access_control.0.admin_group_object_ids",
     "properties.aadProfile.adminGroupObjectIDs", SAME),
    ("oms_agent.0.log_analytics_workspace_id",
     "properties.addonProfiles.omsagent.config.logAnalyticsWorkspaceResourceID", SAME),
    ("oms_agent.0.msi_auth_for_monitoring_enabled",
     "properties.addonProfiles.omsagent.config.useAADAuth", bind({True: "true", False: "false"})),
]  # fmt: skip

SERVER = [
    *PLACED,
    ("sku_name", "sku", SKU),
    ("version", "properties.version", SAME),
    ("administrator_login", "properties.administratorLogin", SAME),
    ("storage_mb", "properties.storage.storageSizeGB", GIGABYTES),
    ("auto_grow_enabled", "properties.storage.autoGrow", ENABLED),
    ("backup_retention_days", "properties.backup.backupRetentionDays", SAME),
    ("geo_redundant_backup_enabled", "properties.backup.geoRedundantBackup", ENABLED),
    ("public_network_access_enabled", "properties.network.publicNetworkAccess", ENABLED),
    (
        "authentication.0.active_directory_auth_enabled",
        "properties.authConfig.activeDirectoryAuth",
        ENABLED,
    ),
    ("authentication.0.password_auth_enabled", "properties.authConfig.passwordAuth", ENABLED),
    ("high_availability.0.mode", "properties.highAvailability.mode", bind({None: "Disabled"})),
]

ROUTE = [
    ("cdn_frontdoor_custom_domain_ids", "properties.customDomains", AS_OBJECTS),
    ("cdn_frontdoor_origin_group_id", "properties.originGroup.id", SAME),
    ("supported_protocols", "properties.supportedProtocols", SAME),
    ("patterns_to_match", "properties.patternsToMatch", SAME),
    ("forwarding_protocol", "properties.forwardingProtocol", SAME),
    ("https_redirect_enabled", "properties.httpsRedirect", ENABLED),
    ("link_to_default_domain", "properties.linkToDefaultDomain", ENABLED),
    ("enabled", "properties.enabledState", ENABLED),
    ("cache.0.query_string_caching_behavior",
     "properties.cacheConfiguration.queryStringCachingBehavior", SAME),
    ("cache.0.compression_enabled",
     "properties.cacheConfiguration.compressionSettings.isCompressionEnabled", SAME),
    ("cache.0.content_types_to_compress",
     "properties.cacheConfiguration.compressionSettings.contentTypesToCompress", SAME),
]  # fmt: skip

ORIGIN_GROUP = [
    ("session_affinity_enabled", "properties.sessionAffinityState", ENABLED),
    ("load_balancing.0.sample_size", "properties.loadBalancingSettings.sampleSize", SAME),
    ("load_balancing.0.successful_samples_required",
     "properties.loadBalancingSettings.successfulSamplesRequired", SAME),
    ("load_balancing.0.additional_latency_in_milliseconds",
     "properties.loadBalancingSettings.additionalLatencyInMilliseconds", SAME),
    ("health_probe.0.path", "properties.healthProbeSettings.probePath", SAME),
    ("health_probe.0.request_type", "properties.healthProbeSettings.probeRequestType", SAME),
    ("health_probe.0.protocol", "properties.healthProbeSettings.probeProtocol", SAME),
    ("health_probe.0.interval_in_seconds",
     "properties.healthProbeSettings.probeIntervalInSeconds", SAME),
]  # fmt: skip

ROWS = {
    "azurerm_resource_group": PLACED,
    "azurerm_virtual_network": [
        *PLACED,
        ("address_space", "properties.addressSpace.addressPrefixes", SAME),
    ],
    "azurerm_network_security_group": PLACED,
    "azurerm_public_ip": [
        *PLACED,
        ("sku", "sku.name", SAME),
        ("zones", "zones", SAME),
        ("allocation_method", "properties.publicIPAllocationMethod", SAME),
        ("ip_version", "properties.publicIPAddressVersion", SAME),
    ],
    "azurerm_nat_gateway": [
        *PLACED,
        ("sku_name", "sku.name", SAME),
        ("idle_timeout_in_minutes", "properties.idleTimeoutInMinutes", SAME),
    ],
    "azurerm_virtual_network_peering": [
        ("remote_virtual_network_id", "properties.remoteVirtualNetwork.id", SAME),
        ("allow_virtual_network_access", "properties.allowVirtualNetworkAccess", SAME),
        ("allow_forwarded_traffic", "properties.allowForwardedTraffic", SAME),
        ("allow_gateway_transit", "properties.allowGatewayTransit", SAME),
        ("use_remote_gateways", "properties.useRemoteGateways", SAME),
    ],
    "azurerm_user_assigned_identity": PLACED,
    "azurerm_federated_identity_credential": [
        ("subject", "properties.subject", SAME),
        ("audience", "properties.audiences", SAME),
    ],
    "azurerm_role_assignment": [
        ("role_definition_id", "properties.roleDefinitionId", SAME),
        ("principal_type", "properties.principalType", SAME),
    ],
    "azurerm_container_registry": [
        *PLACED,
        ("sku", "sku.name", SAME),
        ("admin_enabled", "properties.adminUserEnabled", SAME),
        ("public_network_access_enabled", "properties.publicNetworkAccess", ENABLED),
    ],
    "azurerm_log_analytics_workspace": [
        *PLACED,
        ("sku", "properties.sku.name", SAME),
        ("retention_in_days", "properties.retentionInDays", SAME),
    ],
    "azurerm_kubernetes_cluster": CLUSTER,
    "azurerm_postgresql_flexible_server": SERVER,
    "azurerm_postgresql_flexible_server_database": [
        ("charset", "properties.charset", SAME),
        ("collation", "properties.collation", SAME),
    ],
    "azurerm_postgresql_flexible_server_virtual_endpoint": [
        ("type", "properties.endpointType", SAME),
        ("replica_server_id", "properties.members", MEMBERS),
    ],
    "azurerm_managed_redis": [
        *PLACED,
        ("sku_name", "sku.name", SAME),
        ("high_availability_enabled", "properties.highAvailability", ENABLED),
        ("public_network_access", "properties.publicNetworkAccess", SAME),
    ],
    "azurerm_redis_cache": [
        *PLACED,
        ("zones", "zones", SAME),
        ("sku_name", "properties.sku.name", SAME),
        ("family", "properties.sku.family", SAME),
        ("capacity", "properties.sku.capacity", SAME),
        ("non_ssl_port_enabled", "properties.enableNonSslPort", SAME),
        ("minimum_tls_version", "properties.minimumTlsVersion", SAME),
        ("public_network_access_enabled", "properties.publicNetworkAccess", ENABLED),
        ("redis_configuration.0.maxmemory_policy",
         "properties.redisConfiguration.maxmemory-policy", SAME),
    ],
    "azurerm_redis_linked_server": [
        ("linked_redis_cache_id", "properties.linkedRedisCacheId", SAME),
        ("linked_redis_cache_location", "properties.linkedRedisCacheLocation", SAME),
        ("server_role", "properties.serverRole", SAME),
    ],
    "azurerm_storage_account": [
        *PLACED,
        ("account_kind", "kind", SAME),
        ("account_replication_type", "sku.name", REPLICATION),
        ("access_tier", "properties.accessTier", SAME),
        ("https_traffic_only_enabled", "properties.supportsHttpsTrafficOnly", SAME),
        ("min_tls_version", "properties.minimumTlsVersion", SAME),
        ("allow_nested_items_to_be_public", "properties.allowBlobPublicAccess", SAME),
        ("shared_access_key_enabled", "properties.allowSharedKeyAccess", SAME),
        ("public_network_access_enabled", "properties.publicNetworkAccess", ENABLED),
        ("network_rules.0.default_action", "properties.networkAcls.defaultAction", SAME),
        ("network_rules.0.bypass", "properties.networkAcls.bypass", JOINED),
    ],
    "azurerm_storage_container": [
        ("container_access_type", "properties.publicAccess",
         bind({"private": "None", "blob": "Blob"})),
    ],
    "azurerm_private_dns_zone": TAGGED,
    "azurerm_private_dns_zone_virtual_network_link": [
        *TAGGED,
        ("virtual_network_id", "properties.virtualNetwork.id", SAME),
        ("registration_enabled", "properties.registrationEnabled", SAME),
    ],
    "azurerm_private_endpoint": [
        *PLACED,
        ("subnet_id", "properties.subnet.id", SAME),
        ("custom_network_interface_name", "properties.customNetworkInterfaceName", SAME),
        ("private_service_connection.0.name",
         "properties.privateLinkServiceConnections.0.name", SAME),
        ("private_service_connection.0.private_connection_resource_id",
         "properties.privateLinkServiceConnections.0.properties.privateLinkServiceId", SAME),
        ("private_service_connection.0.subresource_names",
         "properties.privateLinkServiceConnections.0.properties.groupIds", SAME),
    ],
    "azurerm_cdn_frontdoor_profile": [
        *TAGGED,
        ("sku_name", "sku.name", SAME),
        ("response_timeout_seconds", "properties.originResponseTimeoutSeconds", SAME),
    ],
    "azurerm_cdn_frontdoor_endpoint": [
        *TAGGED,
        ("enabled", "properties.enabledState", ENABLED),
    ],
    "azurerm_cdn_frontdoor_origin_group": ORIGIN_GROUP,
    "azurerm_cdn_frontdoor_origin": ORIGIN,
    "azurerm_cdn_frontdoor_route": ROUTE,
    "azurerm_cdn_frontdoor_custom_domain": [
        ("host_name", "properties.hostName", SAME),
        ("tls.0.certificate_type", "properties.tlsSettings.certificateType", SAME),
        ("tls.0.minimum_version", "properties.tlsSettings.minimumTlsVersion", SAME),
    ],
    "azurerm_cdn_frontdoor_firewall_policy": [
        *TAGGED,
        ("sku_name", "sku.name", SAME),
        ("mode", "properties.policySettings.mode", SAME),
        ("enabled", "properties.policySettings.enabledState", ENABLED),
        ("managed_rule.0.type",
         "properties.managedRules.managedRuleSets.0.ruleSetType", SAME),
        ("managed_rule.0.version",
         "properties.managedRules.managedRuleSets.0.ruleSetVersion", SAME),
        ("managed_rule.0.action",
         "properties.managedRules.managedRuleSets.0.ruleSetAction", SAME),
    ],
    "azurerm_cdn_frontdoor_security_policy": [
        ("security_policies.0.firewall.0.cdn_frontdoor_firewall_policy_id",
         "properties.parameters.wafPolicy.id", FIREWALL),
        ("security_policies.0.firewall.0.association.0.patterns_to_match",
         "properties.parameters.associations.0.patternsToMatch", SAME),
        ("security_policies.0.firewall.0.association.0.domain",
         "properties.parameters.associations.0.domains", DOMAINS),
    ],
}  # fmt: skip

# What Azure has no resource of its own for, or the other engine says inside another one.
PARTS = {
    "azurerm_subnet",
    "azurerm_subnet_nat_gateway_association",
    "azurerm_subnet_network_security_group_association",
    "azurerm_nat_gateway_public_ip_association",
    "azurerm_kubernetes_cluster_node_pool",
    "azurerm_managed_redis_geo_replication",
}


def find(value, path):
    """What is at a path, or None."""
    for part in path.split("."):
        if isinstance(value, list):
            value = value[int(part)] if len(value) > int(part) else None
        else:
            value = (value or {}).get(part)
    return value


def order(values):
    return sorted(values, key=lambda one: json.dumps(one, sort_keys=True))


def list_differences(kind, planned, body):
    """Each property on which the two engines do not agree, with both values."""
    for attribute, path, words in ROWS[kind]:
        mine, theirs = find(planned, attribute), find(body, path)
        if theirs is None and (mine in (None, "", [], False)):
            continue
        mine = words.to(mine)
        if isinstance(mine, list) and isinstance(theirs, list):
            mine, theirs = order(mine), order(theirs)
        if mine != theirs:
            yield f"{attribute} = {mine!r}, {path} = {theirs!r}"


def list_parts(kind, planned):
    """Ids of what one planned resource makes besides itself, and Azure has as resources."""
    id_ = planned["id"]
    if kind == "azurerm_container_registry":
        return [f"{id_}/replications/{one['location']}" for one in planned["georeplications"]]
    if kind == "azurerm_private_endpoint":
        groups = planned["private_dns_zone_group"]
        return [f"{id_}/privateDnsZoneGroups/{one['name']}" for one in groups]
    if kind == "azurerm_managed_redis":
        return [f"{id_}/databases/default" for _ in planned["default_database"]]
    if kind == "azurerm_kubernetes_cluster":
        windows = {
            "maintenance_window_auto_upgrade": "aksManagedAutoUpgradeSchedule",
            "maintenance_window_node_os": "aksManagedNodeOSUpgradeSchedule",
        }
        return [
            f"{id_}/maintenanceConfigurations/{name}"
            for attribute, name in windows.items()
            if planned[attribute]
        ]
    return []

"""What a provider that asks Azure needs of azurerm's words besides engine_parity's rows. Data.

``LATER``: what is known when it is made, and so in no plan, and what azurerm makes in resources
of its own. ``SHOWN``: what is only read. From azurerm 5's documentation and schema.
"""

from engine_parity import ENABLED, ROWS, SAME, Words, known

_ONE = known(lambda many: many[0], lambda one: [one])
_TAINT = "CriticalAddonsOnly=true:NoSchedule"
_ONLY_CRITICAL = Words(
    lambda is_only: [_TAINT] if is_only else [], lambda taints: _TAINT in (taints or [])
)
_RULE = {
    "description": "description",
    "direction": "direction",
    "access": "access",
    "priority": "priority",
    "protocol": "protocol",
    "source_address_prefix": "sourceAddressPrefix",
    "source_address_prefixes": "sourceAddressPrefixes",
    "source_port_range": "sourcePortRange",
    "source_port_ranges": "sourcePortRanges",
    "destination_address_prefix": "destinationAddressPrefix",
    "destination_address_prefixes": "destinationAddressPrefixes",
    "destination_port_range": "destinationPortRange",
    "destination_port_ranges": "destinationPortRanges",
}
_GROUPS = ("source_application_security_group_ids", "destination_application_security_group_ids")


def _write_rules(rules):
    return [
        {
            "name": rule["name"],
            "properties": {theirs: rule[mine] for mine, theirs in _RULE.items() if rule[mine]},
        }
        for rule in rules
    ]


def _read_rule(rule):
    found = {mine: rule["properties"].get(theirs) for mine, theirs in _RULE.items()}
    many = {name: found[name] or [] for name in found if name.endswith("es")}
    one = {name: found[name] or "" for name in found if name not in many}
    return {**one, **many, **{name: [] for name in _GROUPS}, "name": rule["name"]}


_RULES = known(_write_rules, lambda rules: [_read_rule(rule) for rule in rules])

POOL = [
    ("name", "name", SAME),
    ("vm_size", "vmSize", SAME),
    ("os_sku", "osSKU", SAME),
    ("vnet_subnet_id", "vnetSubnetID", SAME),
    ("zones", "availabilityZones", SAME),
    ("max_pods", "maxPods", SAME),
    ("auto_scaling_enabled", "enableAutoScaling", SAME),
    ("node_count", "count", SAME),
    ("min_count", "minCount", SAME),
    ("max_count", "maxCount", SAME),
    ("upgrade_settings.0.max_surge", "upgradeSettings.maxSurge", SAME),
]
FIRST_POOL = [*POOL, ("only_critical_addons_enabled", "nodeTaints", _ONLY_CRITICAL)]
DATABASE = [
    ("client_protocol", "properties.clientProtocol", SAME),
    ("clustering_policy", "properties.clusteringPolicy", SAME),
    ("eviction_policy", "properties.evictionPolicy", SAME),
    ("access_keys_authentication_enabled", "properties.accessKeysAuthentication", ENABLED),
    ("geo_replication_group_name", "properties.geoReplication.groupNickname", SAME),
]
WINDOW = [
    ("interval", "properties.maintenanceWindow.schedule.weekly.intervalWeeks", SAME),
    ("day_of_week", "properties.maintenanceWindow.schedule.weekly.dayOfWeek", SAME),
    ("duration", "properties.maintenanceWindow.durationHours", SAME),
    ("utc_offset", "properties.maintenanceWindow.utcOffset", SAME),
    ("start_time", "properties.maintenanceWindow.startTime", SAME),
]

LATER = {
    "azurerm_federated_identity_credential": [("issuer", "properties.issuer", SAME)],
    "azurerm_role_assignment": [("principal_id", "properties.principalId", SAME)],
    "azurerm_network_security_group": [("security_rule", "properties.securityRules", _RULES)],
    "azurerm_kubernetes_cluster": [
        ("kubelet_identity.0.client_id", "properties.identityProfile.kubeletidentity.clientId",
         SAME),
        ("kubelet_identity.0.object_id", "properties.identityProfile.kubeletidentity.objectId",
         SAME),
        ("node_provisioning_profile.0.mode", "properties.nodeProvisioningProfile.mode", SAME),
    ],
    "azurerm_subnet": [
        ("address_prefixes", "properties.addressPrefix", _ONE),
        ("default_outbound_access_enabled", "properties.defaultOutboundAccess", SAME),
        ("private_endpoint_network_policies", "properties.privateEndpointNetworkPolicies", SAME),
        ("private_link_service_network_policies_enabled",
         "properties.privateLinkServiceNetworkPolicies", ENABLED),
    ],
    "azurerm_kubernetes_cluster_node_pool": [
        *((attribute, f"properties.{path}", words) for attribute, path, words in POOL[1:]),
        ("mode", "properties.mode", SAME),
        ("os_type", "properties.osType", SAME),
        ("node_taints", "properties.nodeTaints", SAME),
    ],
}  # fmt: skip
SHOWN = {
    "azurerm_user_assigned_identity": [
        ("client_id", "properties.clientId", SAME),
        ("principal_id", "properties.principalId", SAME),
        ("tenant_id", "properties.tenantId", SAME),
    ],
    "azurerm_kubernetes_cluster": [
        ("fqdn", "properties.fqdn", SAME),
        ("oidc_issuer_url", "properties.oidcIssuerProfile.issuerURL", SAME),
        ("current_kubernetes_version", "properties.currentKubernetesVersion", SAME),
    ],
    "azurerm_postgresql_flexible_server": [
        ("fqdn", "properties.fullyQualifiedDomainName", SAME)
    ],
    "azurerm_managed_redis": [("hostname", "properties.hostName", SAME)],
    "azurerm_redis_cache": [("hostname", "properties.hostName", SAME)],
    "azurerm_container_registry": [("login_server", "properties.loginServer", SAME)],
    "azurerm_cdn_frontdoor_endpoint": [("host_name", "properties.hostName", SAME)],
    "azurerm_storage_account": [("account_tier", "sku.name", Words(
        lambda value: value, lambda sku: sku.partition("_")[0]))],
}  # fmt: skip
# Said in every body of its type: what azurerm adds by itself.
ALWAYS = {
    "azurerm_cdn_frontdoor_profile": {"location": "Global"},
    "azurerm_cdn_frontdoor_endpoint": {"location": "Global"},
    "azurerm_cdn_frontdoor_firewall_policy": {"location": "Global"},
    "azurerm_private_dns_zone": {"location": "global"},
    "azurerm_private_dns_zone_virtual_network_link": {"location": "global"},
}
# The value of an attribute that is not given, where it is another one than nothing.
DEFAULTS = {
    "azurerm_subnet": {
        "private_endpoint_network_policies": "Disabled",
        "private_link_service_network_policies_enabled": True,
    },
}
# Blocks that Azure fills in where they are not given.
KEPT = {("azurerm_postgresql_flexible_server", "authentication")}
# Besides name, group, location and parent: what cannot be changed in place.
FIXED = {
    "azurerm_postgresql_flexible_server": ("source_server_id", "administrator_login"),
    "azurerm_postgresql_flexible_server_database": ("charset", "collation"),
    "azurerm_role_assignment": ("principal_id", "role_definition_id"),
}
VERSIONS = {
    "Microsoft.Resources": "2023-07-01",
    "Microsoft.Network": "2025-01-01",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies": "2025-03-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.OperationalInsights": "2023-09-01",
    "Microsoft.DBforPostgreSQL": "2025-08-01",
    "Microsoft.Cache/redis": "2024-11-01",
    "Microsoft.Cache": "2025-07-01",
    "Microsoft.Storage": "2025-08-01",
    "Microsoft.ContainerService": "2025-10-01",
    "Microsoft.ContainerRegistry": "2025-11-01",
    "Microsoft.Cdn": "2025-12-01",
}


def list_rows(kind):
    """What a body of this type says, and what is read of it."""
    return [*ROWS.get(kind, ()), *LATER.get(kind, ())]

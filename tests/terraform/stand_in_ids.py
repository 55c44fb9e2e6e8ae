"""Ids as azurerm spells them once a resource exists; here they are known in a plan already."""

import os
import re
import string

_GROUP = "/subscriptions/{subscription}/resourceGroups/{resource_group_name}"
_NETWORK = f"{_GROUP}/providers/Microsoft.Network"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
_SERVER = f"{_GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers"
_CACHE = f"{_GROUP}/providers/Microsoft.Cache"
_PROFILE = "{cdn_frontdoor_profile_id}"

# Resource type to the form of its id, in the attributes of the resource.
FORMS = {
    "azurerm_resource_group": "/subscriptions/{subscription}/resourceGroups/{name}",
    "azurerm_virtual_network": f"{_NETWORK}/virtualNetworks/{{name}}",
    "azurerm_subnet": f"{_NETWORK}/virtualNetworks/{{virtual_network_name}}/subnets/{{name}}",
    "azurerm_virtual_network_peering": (
        f"{_NETWORK}/virtualNetworks/{{virtual_network_name}}/virtualNetworkPeerings/{{name}}"
    ),
    "azurerm_network_security_group": f"{_NETWORK}/networkSecurityGroups/{{name}}",
    "azurerm_public_ip": f"{_NETWORK}/publicIPAddresses/{{name}}",
    "azurerm_nat_gateway": f"{_NETWORK}/natGateways/{{name}}",
    "azurerm_private_endpoint": f"{_NETWORK}/privateEndpoints/{{name}}",
    "azurerm_private_dns_zone": f"{_NETWORK}/privateDnsZones/{{name}}",
    "azurerm_private_dns_zone_virtual_network_link": (
        "{private_dns_zone_id}/virtualNetworkLinks/{name}"
    ),
    "azurerm_user_assigned_identity": f"{_GROUP}/providers/{_IDENTITY}/{{name}}",
    "azurerm_federated_identity_credential": (
        "{user_assigned_identity_id}/federatedIdentityCredentials/{name}"
    ),
    "azurerm_role_assignment": ("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"),
    "azurerm_container_registry": (
        f"{_GROUP}/providers/Microsoft.ContainerRegistry/registries/{{name}}"
    ),
    "azurerm_log_analytics_workspace": (
        f"{_GROUP}/providers/Microsoft.OperationalInsights/workspaces/{{name}}"
    ),
    "azurerm_kubernetes_cluster": (
        f"{_GROUP}/providers/Microsoft.ContainerService/managedClusters/{{name}}"
    ),
    "azurerm_kubernetes_cluster_node_pool": "{kubernetes_cluster_id}/agentPools/{name}",
    "azurerm_postgresql_flexible_server": f"{_SERVER}/{{name}}",
    "azurerm_postgresql_flexible_server_database": "{server_id}/databases/{name}",
    "azurerm_postgresql_flexible_server_virtual_endpoint": (
        "{source_server_id}/virtualendpoints/{name}"
    ),
    "azurerm_managed_redis": f"{_CACHE}/redisEnterprise/{{name}}",
    "azurerm_redis_cache": f"{_CACHE}/redis/{{name}}",
    "azurerm_redis_linked_server": (
        f"{_CACHE}/redis/{{target_redis_cache_name}}/linkedServers/{{linked_name}}"
    ),
    "azurerm_storage_account": f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/{{name}}",
    "azurerm_storage_container": "{storage_account_id}/blobServices/default/containers/{name}",
    "azurerm_cdn_frontdoor_profile": f"{_GROUP}/providers/Microsoft.Cdn/profiles/{{name}}",
    "azurerm_cdn_frontdoor_endpoint": f"{_PROFILE}/afdEndpoints/{{name}}",
    "azurerm_cdn_frontdoor_origin_group": f"{_PROFILE}/originGroups/{{name}}",
    "azurerm_cdn_frontdoor_origin": "{cdn_frontdoor_origin_group_id}/origins/{name}",
    "azurerm_cdn_frontdoor_route": "{cdn_frontdoor_endpoint_id}/routes/{name}",
    "azurerm_cdn_frontdoor_custom_domain": f"{_PROFILE}/customDomains/{{name}}",
    "azurerm_cdn_frontdoor_security_policy": f"{_PROFILE}/securityPolicies/{{name}}",
    "azurerm_cdn_frontdoor_firewall_policy": (
        f"{_NETWORK}/FrontDoorWebApplicationFirewallPolicies/{{name}}"
    ),
}


def find(kind, values):
    """The id of a resource of this type, or None when a part of it is not known."""
    form = FORMS.get(kind)
    if form is None:
        return None
    linked = values.get("linked_redis_cache_id")
    given = {
        **values,
        "subscription": os.environ.get("ARM_SUBSCRIPTION_ID"),
        "linked_name": linked.rpartition("/")[2] if isinstance(linked, str) else None,
    }
    parts = [name for _, name, _, _ in string.Formatter().parse(form) if name]
    if not all(isinstance(given.get(part), str) for part in parts):
        return None
    return form.format(**given)


def parse(kind, id_):
    """The attributes that an id says, in the letter case of the id."""
    form = FORMS[kind]
    if kind == "azurerm_role_assignment":
        scope, _, name = id_.rpartition("/providers/Microsoft.Authorization/roleAssignments/")
        return {"scope": scope, "name": name}
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(form))
    pattern = pattern.replace("(?P<subscription>.+)", "[^/]+")
    pattern = re.sub(r"\(\?P<(name|\w+_name)>\.\+\)", r"(?P<\1>[^/]+)", pattern)
    found = re.fullmatch(pattern, id_, re.IGNORECASE).groupdict()
    return {name: value for name, value in found.items() if name != "linked_name"}

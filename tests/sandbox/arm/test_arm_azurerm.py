"""What Terraform's azurerm asks: how it finds its way into a cloud it was not built for, and after.

The start is asked over plain HTTP as the provider does it; the calls that follow are held against
the routes, because a call without one would fail an apply half way. Versions are those of azurerm
5.2; where its source was not at hand, those of the library's own table.
"""

import pytest
import requests

from azrunbook.sandbox import arm, tls

SUBSCRIPTION = "/subscriptions/s"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g"
CRUD, LIVE = "GET PUT DELETE", "GET PUT PATCH DELETE"
NETWORK, CACHE = f"{GROUP}/providers/Microsoft.Network", f"{GROUP}/providers/Microsoft.Cache"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/r"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/w"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/p"
DATABASE = f"{CACHE}/redisEnterprise/m/databases/default"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a"
PROFILE = f"{GROUP}/providers/Microsoft.Cdn/profiles/d"
AUTHORIZATION = "providers/Microsoft.Authorization"
CALLS = [
    ("2022-12-01", SUBSCRIPTION, "GET"),
    ("2022-09-01", f"{SUBSCRIPTION}/providers", "GET"),
    ("2022-09-01", f"{SUBSCRIPTION}/providers/Microsoft.Network", "GET"),
    ("2022-09-01", f"{SUBSCRIPTION}/providers/Microsoft.Network/register", "POST"),
    ("2023-07-01", GROUP, CRUD),
    ("2020-06-01", f"{GROUP}/resources", "GET"),
    ("2025-01-01", f"{NETWORK}/virtualNetworks/v", CRUD),
    ("2025-01-01", f"{NETWORK}/virtualNetworks/v/subnets/s", CRUD),
    ("2025-01-01", f"{NETWORK}/virtualNetworks/v/virtualNetworkPeerings/p", CRUD),
    ("2025-01-01", f"{NETWORK}/networkSecurityGroups/n", CRUD),
    ("2025-01-01", f"{NETWORK}/publicIPAddresses/p", CRUD),
    ("2025-01-01", f"{NETWORK}/natGateways/n", CRUD),
    ("2025-01-01", f"{NETWORK}/privateEndpoints/p", CRUD),
    ("2025-01-01", f"{NETWORK}/privateEndpoints/p/privateDnsZoneGroups", "GET"),
    ("2025-01-01", f"{NETWORK}/privateEndpoints/p/privateDnsZoneGroups/default", CRUD),
    ("2025-01-01", f"{NETWORK}/networkInterfaces/n", "GET"),
    ("2024-06-01", f"{NETWORK}/privateDnsZones/z", CRUD),
    ("2024-06-01", f"{NETWORK}/privateDnsZones/z/SOA/@", "GET"),
    ("2024-06-01", f"{NETWORK}/privateDnsZones/z/virtualNetworkLinks/l", CRUD),
    ("2025-03-01", f"{NETWORK}/frontDoorWebApplicationFirewallPolicies/w", CRUD),
    ("2024-11-30", IDENTITY, LIVE),
    ("2024-11-30", f"{IDENTITY}/federatedIdentityCredentials/f", CRUD),
    ("2022-04-01", f"{IDENTITY}/{AUTHORIZATION}/roleAssignments/r", CRUD),
    ("2022-04-01", f"{SUBSCRIPTION}/{AUTHORIZATION}/roleDefinitions/r", "GET"),
    ("2025-11-01", REGISTRY, LIVE),
    ("2025-11-01", f"{REGISTRY}/replications", "GET"),
    ("2025-11-01", f"{REGISTRY}/replications/westus2", CRUD),
    ("2023-09-01", WORKSPACE, LIVE),
    ("2023-09-01", f"{WORKSPACE}/sharedKeys", "POST"),
    ("2025-10-01", CLUSTER, CRUD),
    ("2025-10-01", f"{CLUSTER}/listClusterUserCredential", "POST"),
    ("2025-10-01", f"{CLUSTER}/listClusterAdminCredential", "POST"),
    ("2025-10-01", f"{CLUSTER}/agentPools/p", CRUD),
    ("2025-10-01", f"{CLUSTER}/maintenanceConfigurations/default", CRUD),
    ("2025-08-01", SERVER, LIVE),
    ("2025-08-01", f"{SERVER}/databases/d", CRUD),
    ("2025-08-01", f"{SERVER}/virtualendpoints/v", LIVE),
    ("2025-07-01", f"{CACHE}/redisEnterprise/m", CRUD),
    ("2025-07-01", DATABASE, CRUD),
    ("2025-07-01", f"{DATABASE}/listKeys", "POST"),
    ("2025-07-01", f"{DATABASE}/forceLinkToReplicationGroup", "POST"),
    ("2024-11-01", f"{CACHE}/redis/m", LIVE),
    ("2024-11-01", f"{CACHE}/redis/m/listKeys", "POST"),
    ("2024-11-01", f"{CACHE}/redis/m/linkedServers/x", CRUD),
    ("2025-08-01", ACCOUNT, LIVE),
    ("2025-08-01", f"{ACCOUNT}/listKeys", "POST"),
    ("2025-08-01", f"{ACCOUNT}/blobServices/default", "GET PUT"),
    ("2025-08-01", f"{ACCOUNT}/fileServices/default", "GET"),
    ("2025-08-01", f"{ACCOUNT}/blobServices/default/containers/c", LIVE),
    *(("2025-12-01", f"{PROFILE}{part}", LIVE) for part in (
        "", "/afdEndpoints/e", "/originGroups/g", "/originGroups/g/origins/o",
        "/afdEndpoints/e/routes/r", "/customDomains/d", "/securityPolicies/s")),
]  # fmt: skip


@pytest.fixture(scope="module")
def routes():
    """The table of a server that never listens."""
    config = arm.ArmSettings(
        address="127.0.0.1", port=0, tenant_id="t", subscription_id="s", client_id="c",
        client_secret="planted-secret",
    )  # fmt: skip
    return arm.ArmServer(config, tls.Authority(), arm.Backends(None, None))._routes


@pytest.mark.parametrize(("version", "path", "methods"), CALLS, ids=lambda value: value[-60:])
def test_what_azurerm_calls_is_served_in_its_version(routes, version, path, methods):
    """Of every resource that the estate has; refused would be a 404 or a 400."""
    for method in methods.split():
        route, _ = routes.match(method, path)
        route.check_api_version(version)


def test_azurerm_finds_its_way_in(lab):
    """From a host and port alone: the cloud, a token at its login endpoint, the subscription."""

    def get(url, **options):
        answer = requests.get(url, verify=lab.ca_file, timeout=10, **options)
        assert answer.headers["Content-Type"].startswith("application/json")
        return answer.json()

    host = lab.server.url.removeprefix("https://")
    cloud = get(f"https://{host}/metadata/endpoints?api-version=2022-09-01")
    assert all(cloud[key] for key in ("name", "resourceManager", "microsoftGraphResourceId"))
    login = f"{cloud['authentication']['loginEndpoint']}/{lab.settings.tenant_id}"
    token = requests.post(
        f"{login}/oauth2/v2.0/token",
        data={
            "client_id": lab.settings.client_id,
            "client_secret": lab.settings.client_secret,
            "grant_type": "client_credentials",
            "scope": f"{cloud['authentication']['audiences'][0]}/.default",
        },
        verify=lab.ca_file,
        timeout=10,
    ).json()
    assert token["token_type"] == "Bearer"
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    base = f"{cloud['resourceManager']}{lab.subscription}"
    found = get(f"{base}?api-version=2022-12-01", headers=headers)
    assert found["tenantId"] == lab.settings.tenant_id
    listed = get(f"{base}/providers?api-version=2022-09-01", headers=headers)["value"]
    assert {one["namespace"] for one in listed} >= {
        "Microsoft.Network", "Microsoft.ContainerService", "Microsoft.Cdn", "Microsoft.Storage",
        "Microsoft.Cache", "Microsoft.DBforPostgreSQL", "Microsoft.ManagedIdentity",
    }  # fmt: skip
    assert all(one["registrationState"] for one in listed)


def test_a_zone_a_workspace_and_an_account_show_what_azurerm_reads_with_them(arm_client):
    """A zone's SOA, a workspace's keys, an account's file service."""
    arm_client.put("/resourceGroups/rg", {"location": "eastus"})
    base = "/resourceGroups/rg/providers"
    zone = f"{base}/Microsoft.Network/privateDnsZones/privatelink.example.net"
    workspace = f"{base}/Microsoft.OperationalInsights/workspaces/logs"
    account = f"{base}/Microsoft.Storage/storageAccounts/stazrtest"
    arm_client.put(zone, {"location": "global"}, api="2024-06-01")
    arm_client.put(workspace, {"location": "eastus"}, api="2023-09-01")
    sku = {"name": "Standard_ZRS"}
    arm_client.put(account, {"location": "eastus", "sku": sku}, api="2025-08-01")

    soa = arm_client.raw("GET", f"{zone}/SOA/@", api="2024-06-01").json()
    assert soa["properties"]["fqdn"] == "privatelink.example.net."
    keys = arm_client.raw("POST", f"{workspace}/sharedKeys", api="2023-09-01").json()
    assert keys["primarySharedKey"] != keys["secondarySharedKey"]
    assert keys == arm_client.raw("POST", f"{workspace}/sharedKeys", api="2023-09-01").json()
    files = arm_client.raw("GET", f"{account}/fileServices/default", api="2025-08-01").json()
    assert files["properties"]["shareDeleteRetentionPolicy"]["enabled"] is True

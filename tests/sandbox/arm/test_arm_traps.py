"""What Azure refuses, how it answers first, and what goes with what: the services of an estate."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from azrunbook.sandbox.arm import Timing

GROUP = "/resourceGroups/rg"
NET = f"{GROUP}/providers/Microsoft.Network"
VNET = f"{NET}/virtualNetworks/vnet"
SUBNET = f"{VNET}/subnets/endpoints"
SERVER = f"{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/psql"
REDIS = f"{GROUP}/providers/Microsoft.Cache/redis"
MANAGED = f"{GROUP}/providers/Microsoft.Cache/redisEnterprise"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stassets"
ZONE = f"{NET}/privateDnsZones/privatelink.blob.core.windows.net"
ENDPOINT = f"{NET}/privateEndpoints/pe"
AUTH = "providers/Microsoft.Authorization"
APIS = {
    "flexibleServers": "2025-08-01",
    "redisEnterprise": "2025-07-01",
    "redis": "2024-11-01",
    "storageAccounts": "2025-08-01",
    "privateDnsZones": "2024-06-01",
    "userAssignedIdentities": "2024-11-30",
    "locks": "2020-05-01",
    "roleAssignments": "2022-04-01",
}
PASSWORD = "Planted-Secret-1"


def api_of(path):
    """What stands on a resource comes last in its path."""
    kinds = [kind for kind in APIS if f"/{kind}/" in f"{path}/"]
    if kinds:
        return APIS[max(kinds, key=path.rindex)]
    return "2025-01-01" if "/providers/" in path else "2025-04-01"


class Azure:
    """The generic client with the api-version of each type filled in."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, verb):
        def call(*arguments, **options):
            path = next(one for one in arguments if str(one).startswith("/"))
            return getattr(self.client, verb)(*arguments, **{"api": api_of(path), **options})

        return call


@pytest.fixture
def azure(arm_client):
    found = Azure(arm_client)
    properties = {
        "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
        "subnets": [{"name": "endpoints", "properties": {"addressPrefix": "10.1.2.0/29"}}],
    }
    found.put(VNET, {"location": "eastus", "properties": properties})
    return found


def account():
    return {"location": "eastus", "sku": {"name": "Standard_ZRS"}, "kind": "StorageV2"}


def server(**properties):
    return {
        "location": "eastus",
        "sku": {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"},
        "properties": {
            "administratorLogin": "psqladmin",
            "administratorLoginPassword": PASSWORD,
            **properties,
        },
    }


def premium():
    sku = {"name": "Premium", "family": "P", "capacity": 1}
    return {"location": "eastus", "properties": {"sku": sku}}


def managed():
    return {"location": "eastus", "sku": {"name": "Balanced_B5"}}


def endpoint(azure, target=ACCOUNT, group="blob"):
    root = azure.client.lab.subscription
    connection = {"privateLinkServiceId": f"{root}{target}", "groupIds": [group]}
    return {
        "location": "eastus",
        "properties": {
            "subnet": {"id": f"{root}{SUBNET}"},
            "privateLinkServiceConnections": [{"name": "c", "properties": connection}],
        },
    }


def refused(call, *arguments):
    """Return status and code of a refusal."""
    with pytest.raises(HttpResponseError) as caught:
        call(*arguments)
    return caught.value.status_code, caught.value.error.code


@pytest.mark.parametrize(
    ("path", "body", "status", "headers", "has_body"),
    [
        (SERVER, server(), 202, {"Azure-AsyncOperation", "Location"}, False),
        (ACCOUNT, account(), 202, {"Location"}, False),
        (ZONE, {"location": "global"}, 202, {"Azure-AsyncOperation", "Location"}, False),
        (f"{REDIS}/cache", premium(), 201, set(), True),
        (f"{MANAGED}/amr", managed(), 201, set(), True),
        (f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ids",
         {"location": "eastus"}, 201, set(), True),
    ],
)  # fmt: skip
def test_each_service_answers_a_creation_in_its_own_way(
    azure, path, body, status, headers, has_body
):
    """Status, polling headers and body of the first answer are those its clients accept."""
    first = azure.raw("PUT", path, body)
    polling = {"Azure-AsyncOperation", "Location"} & set(first.headers)
    assert (first.status_code, polling, bool(first.content)) == (status, headers, has_body)


def test_a_subnet_under_a_private_endpoint_stays(azure):
    """The refusal names the interface; the network cannot be deleted either."""
    azure.put(ACCOUNT, account())
    azure.put(ENDPOINT, endpoint(azure))
    assert refused(azure.delete, SUBNET) == (400, "InUseSubnetCannotBeDeleted")
    assert refused(azure.delete, VNET) == (400, "InUseSubnetCannotBeDeleted")
    azure.delete(ENDPOINT)
    azure.delete(SUBNET)


def test_new_tags_leave_a_networks_subnets_alone(azure):
    """A PATCH speaks of tags only; a PUT with no subnets would take them away, and is refused."""
    azure.put(ACCOUNT, account())
    azure.put(ENDPOINT, endpoint(azure))
    azure.begin("PATCH", VNET, {"tags": {"owner": "somebody"}}).result(20)
    network = azure.get(VNET)
    assert network["tags"] == {"owner": "somebody"}
    assert [one["name"] for one in network["properties"]["subnets"]] == ["endpoints"]
    empty = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}, "subnets": []}
    body = {"location": "eastus", "properties": empty}
    assert refused(azure.put, VNET, body) == (400, "InUseSubnetCannotBeDeleted")


def test_a_private_endpoint_brings_name_and_interface_and_takes_them_along(azure):
    """The zone's record leads to the address of the subnet; Azure keeps the first four."""
    azure.put(ACCOUNT, account())
    azure.put(ZONE, {"location": "global"})
    azure.put(ENDPOINT, endpoint(azure))
    config = {"privateDnsZoneId": f"{azure.client.lab.subscription}{ZONE}"}
    body = {"properties": {"privateDnsZoneConfigs": [{"name": "z", "properties": config}]}}
    azure.put(f"{ENDPOINT}/privateDnsZoneGroups/default", body)
    record = azure.get(f"{ZONE}/A/stassets")["properties"]
    assert record["aRecords"] == [{"ipv4Address": "10.1.2.4"}]
    assert azure.get(ACCOUNT)["properties"]["privateEndpointConnections"][0]["name"] == "pe.rg"
    interface = azure.get(ENDPOINT)["properties"]["networkInterfaces"][0]["id"]
    assert refused(azure.delete, interface) == (400, "NetworkInterfaceInUse")
    azure.delete(ENDPOINT)
    for gone in (f"{ZONE}/A/stassets", interface):
        with pytest.raises(ResourceNotFoundError):
            azure.get(gone)


def test_a_subnet_that_is_full_takes_no_endpoint(azure):
    """A /29 has three addresses after Azure's own."""
    azure.put(ACCOUNT, account())
    for number in range(3):
        azure.put(f"{ENDPOINT}{number}", endpoint(azure))
    assert refused(azure.put, ENDPOINT, endpoint(azure)) == (400, "SubnetIsFull")


def test_a_zone_with_a_link_stays(azure):
    """Links first."""
    azure.put(ZONE, {"location": "global"})
    link = {"virtualNetwork": {"id": f"{azure.client.lab.subscription}{VNET}"}}
    azure.put(f"{ZONE}/virtualNetworkLinks/v", {"location": "global", "properties": link})
    assert refused(azure.delete, ZONE) == (409, "CannotDeleteResource")
    azure.delete(f"{ZONE}/virtualNetworkLinks/v")
    azure.delete(ZONE)


def test_linked_caches_take_no_endpoint_and_do_not_go(azure):
    """Endpoints before the link; unlink before deleting."""
    for name in ("one", "two"):
        azure.put(f"{REDIS}/{name}", premium())
    azure.put(ENDPOINT, endpoint(azure, f"{REDIS}/one", "redisCache"))
    link = f"{REDIS}/one/linkedServers/two"
    root = azure.client.lab.subscription
    azure.put(link, {"properties": {"linkedRedisCacheId": f"{root}{REDIS}/two",
                                    "linkedRedisCacheLocation": "westus2",
                                    "serverRole": "Secondary"}})  # fmt: skip
    late = endpoint(azure, f"{REDIS}/two", "redisCache")
    assert refused(azure.put, f"{ENDPOINT}2", late)[0] == 400
    for name in ("one", "two"):
        assert refused(azure.delete, f"{REDIS}/{name}") == (400, "LinkedCacheCannotBeDeleted")
    azure.delete(link)
    azure.delete(f"{REDIS}/one")


def test_a_group_with_linked_caches_stays_in_deleting(azure):
    """It goes once they are unlinked."""
    for name in ("one", "two"):
        azure.put(f"{REDIS}/{name}", premium())
    link = f"{REDIS}/one/linkedServers/two"
    root = azure.client.lab.subscription
    azure.put(link, {"properties": {"linkedRedisCacheId": f"{root}{REDIS}/two",
                                    "linkedRedisCacheLocation": "westus2",
                                    "serverRole": "Secondary"}})  # fmt: skip
    poller = azure.begin("DELETE", GROUP)
    assert azure.get(GROUP)["properties"]["provisioningState"] == "Deleting"
    azure.delete(link)
    poller.result(20)
    with pytest.raises(ResourceNotFoundError):
        azure.get(GROUP)


def database(azure, name, *members):
    root = azure.client.lab.subscription
    linked = [{"id": f"{root}{MANAGED}/{one}/databases/default"} for one in members]
    geo = {"groupNickname": "g", "linkedDatabases": linked}
    azure.put(f"{MANAGED}/{name}/databases/default", {"properties": {"geoReplication": geo}})


def links(azure, name):
    found = azure.get(f"{MANAGED}/{name}/databases/default")["properties"]["geoReplication"]
    return [(one["id"].split("/")[-3], one["state"]) for one in found["linkedDatabases"]]


def test_managed_caches_link_when_the_second_joins_and_part_when_one_goes(azure):
    """Both show both; deleting one, or unlinking it by force, leaves the other alone."""
    for name in ("one", "two"):
        azure.put(f"{MANAGED}/{name}", managed())
    database(azure, "one", "one")
    assert refused(database, azure, "two", "two", "nowhere")[1] == "LinkedDatabaseNotFound"
    database(azure, "two", "one", "two")
    assert links(azure, "one") == links(azure, "two") == [("two", "Linked"), ("one", "Linked")]
    azure.delete(f"{MANAGED}/two")
    assert links(azure, "one") == [("one", "Linked")]


def test_a_server_shows_its_state_and_never_its_password(azure):
    """There is no provisioningState; the login cannot be changed, a weak password is refused."""
    azure.put(SERVER, server())
    shown = azure.get(SERVER)["properties"]
    assert shown["state"] == "Ready"
    assert "provisioningState" not in shown
    assert PASSWORD not in str(shown)
    weak = server(administratorLoginPassword="weak")
    assert refused(azure.put, f"{SERVER}2", weak) == (400, "PasswordTooWeak")
    other = server(administratorLogin="another")
    assert refused(azure.put, SERVER, other) == (400, "InvalidParameterValue")


def test_a_switchover_needs_a_virtual_endpoint_and_swaps_the_roles(azure):
    """Endpoint and databases go along with the role."""
    azure.put(SERVER, server())
    azure.put(f"{SERVER}/databases/app", {"properties": {}})
    root = azure.client.lab.subscription
    replica = {"createMode": "Replica", "sourceServerResourceId": f"{root}{SERVER}"}
    azure.put(f"{SERVER}2", {"location": "westus2", "properties": replica})
    assert azure.get(f"{SERVER}2")["properties"]["replicationRole"] == "GeoAsyncReplica"
    promote = {"properties": {"replica": {"promoteMode": "Switchover", "promoteOption": "Planned"}}}
    code = refused(azure.raw, "PATCH", f"{SERVER}2", promote)[1]
    assert code == "ReplicaSwitchoverWithoutVirtualEndpoint"
    members = {"endpointType": "ReadWrite", "members": ["psql2"]}
    azure.put(f"{SERVER}/virtualendpoints/ve", {"properties": members})
    azure.begin("PATCH", f"{SERVER}2", promote).result(20)
    roles = [azure.get(one)["properties"]["replicationRole"] for one in (SERVER, f"{SERVER}2")]
    assert roles == ["GeoAsyncReplica", "Primary"]
    assert azure.get(f"{SERVER}2/databases/app")["name"] == "app"
    assert azure.get(f"{SERVER}2/virtualendpoints/ve")["properties"]["members"] == ["psql2", "psql"]


def test_one_operation_at_a_time_on_a_server(make_lab, make_arm):
    """A database waits for the server, with a code that says so."""
    slow = {"Microsoft.DBforPostgreSQL/flexibleServers": "manual"}
    lab = make_lab(timing=Timing(by_type=slow))
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": "eastus"})
    azure = Azure(client)
    azure.raw("PUT", SERVER, server())
    busy = refused(azure.put, f"{SERVER}/databases/app", {"properties": {}})
    assert busy == (409, "ServerIsBusy")
    lab.call(lab.server.operations.advance)


@pytest.mark.parametrize("scope", ["", GROUP, VNET])
@pytest.mark.parametrize(("level", "writes"), [("CanNotDelete", True), ("ReadOnly", False)])
def test_a_lock_holds_on_its_scope_and_below(azure, scope, level, writes):
    """It refuses deletions of what it covers and of what holds it, or all writes."""
    lock = f"{scope}/{AUTH}/locks/keep"
    azure.put(lock, {"properties": {"level": level}})
    for path in (VNET, SUBNET):
        assert refused(azure.delete, path) == (409, "ScopeLocked")
    assert refused(azure.begin, "DELETE", GROUP)[1] == "ScopeLocked"
    body = azure.get(VNET)
    if writes:
        azure.put(VNET, body)
    else:
        assert refused(azure.put, VNET, body) == (409, "ScopeLocked")
    azure.delete(lock)
    azure.delete(SUBNET)


def test_a_role_is_assigned_once(azure):
    """The same role to the same principal under another name is a conflict."""
    names = ("11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666")
    definition = f"{azure.client.lab.subscription}/{AUTH}/roleDefinitions/"
    properties = {
        "roleDefinitionId": f"{definition}4d97b98b-1d4f-4787-a291-c67834d212e7",
        "principalId": names[0],
    }
    azure.put(f"{VNET}/{AUTH}/roleAssignments/{names[0]}", {"properties": properties})
    with pytest.raises(ResourceExistsError) as caught:
        azure.put(f"{VNET}/{AUTH}/roleAssignments/{names[1]}", {"properties": properties})
    assert caught.value.error.code == "RoleAssignmentExists"
    found = azure.get(f"{VNET}/{AUTH}/roleAssignments")["value"]
    assert [one["name"] for one in found] == [names[0]]
    azure.delete(VNET)
    assert azure.get(f"{GROUP}/{AUTH}/roleAssignments")["value"] == []


def test_a_reader_reads_and_nothing_else(make_lab, make_arm):
    """The refusal names the action and the scope."""
    client = make_arm(make_lab(caller_role="Reader"))
    assert client.get("/resourceGroups")["value"] == []
    with pytest.raises(HttpResponseError) as caught:
        client.put("/resourceGroups/rg", {"location": "eastus"})
    assert (caught.value.status_code, caught.value.error.code) == (403, "AuthorizationFailed")
    assert "Microsoft.Resources/subscriptions/resourceGroups/write" in caught.value.error.message


@pytest.mark.parametrize(
    ("path", "body", "available"),
    [
        ("Microsoft.Storage/checkNameAvailability", {"name": "stassets"}, False),
        ("Microsoft.Storage/checkNameAvailability", {"name": "free123"}, True),
        ("Microsoft.Storage/checkNameAvailability", {"name": "NOT-A-NAME"}, False),
        ("Microsoft.DBforPostgreSQL/checkNameAvailability", {"name": "psql"}, True),
    ],
)
def test_names_are_checked(azure, path, body, available):
    """What is taken or malformed is not available, with a reason."""
    azure.put(ACCOUNT, account())
    found = azure.post(f"/providers/{path}", body, api="2025-08-01")
    assert found["nameAvailable"] is available
    assert available or found["reason"] in {"AlreadyExists", "Invalid"}


def test_a_long_list_comes_in_pages(make_lab, make_arm):
    """Each page links to the next with the query of the first."""
    client = make_arm(make_lab(page_size=2))
    for number in range(5):
        client.put(f"/resourceGroups/rg{number}", {"location": "eastus"})
    names, path = [], "/resourceGroups"
    page = client.get(path)
    while True:
        names += [one["name"] for one in page["value"]]
        if "nextLink" not in page:
            break
        token = page["nextLink"].rpartition("skiptoken=")[2]
        page = client.get(path, params={"$skiptoken": token})
    assert names == [f"rg{number}" for number in range(5)]
    assert refused(lambda: client.get(path, params={"$skiptoken": "x"}))[0] == 400

"""Databases and caches made through ARM, found by name from a network, lost with a region."""

import json

import psycopg
import pytest
import redis as client

from azrunbook import postgres, redis
from azrunbook.sandbox import lifecycle

VNET = "2025-01-01"
DNS = "2024-06-01"
POSTGRES = "2025-08-01"
REDIS = "2025-07-01"
WRITER = "app.writer.postgres.database.azure.com"
ZONE = "privatelink.postgres.database.azure.com"
PASSWORD = "Correct-horse-7-battery"


@pytest.fixture
def place(make_sandbox, subscribe):
    """A subscription with a group per region and a network linked to the private zone."""
    one = subscribe(make_sandbox())
    for location in ("eastus", "westus2"):
        one._put(group(one, location), "2025-04-01", {"location": location})
    subnets = [
        {"name": "nodes", "properties": {"addressPrefix": "10.1.1.0/24"}},
        {"name": "pe", "properties": {"addressPrefix": "10.1.2.0/24"}},
    ]
    space = {"addressPrefixes": ["10.1.0.0/16"]}
    body = {"location": "eastus", "properties": {"addressSpace": space, "subnets": subnets}}
    one._put(network(one), VNET, body)
    zone = f"{group(one)}/providers/Microsoft.Network/privateDnsZones/{ZONE}"
    one._put(zone, DNS, {"location": "global"})
    link = {"registrationEnabled": False, "virtualNetwork": {"id": network(one)}}
    one._put(f"{zone}/virtualNetworkLinks/link", DNS, {"location": "global", "properties": link})
    one.zone = zone
    return one


def group(one, location="eastus"):
    return f"/subscriptions/{one.id}/resourceGroups/rg-{location}"


def network(one):
    return f"{group(one)}/providers/Microsoft.Network/virtualNetworks/vnet"


def server(one, location="eastus"):
    name = f"pg-{location}"
    return f"{group(one, location)}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}"


def put_servers(one):
    """A primary in the east, its replica in the west, one virtual endpoint."""
    sku = {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"}
    private = {"network": {"publicNetworkAccess": "Disabled"}}
    login = {"administratorLogin": "pgadmin", "administratorLoginPassword": PASSWORD}
    body = {"version": "16", "storage": {"storageSizeGB": 32}, **private, **login}
    one._put(server(one), POSTGRES, {"location": "eastus", "sku": sku, "properties": body})
    one._put(f"{server(one)}/databases/shop", POSTGRES, {"properties": {}})
    replica = {"createMode": "Replica", "sourceServerResourceId": server(one), **private}
    body = {"location": "westus2", "sku": sku, "properties": replica}
    one._put(server(one, "westus2"), POSTGRES, body)
    endpoint = {"endpointType": "ReadWrite", "members": ["pg-westus2"]}
    one._put(f"{server(one)}/virtualendpoints/app", POSTGRES, {"properties": endpoint})


def put_private_endpoint(one, location="eastus"):
    """An endpoint in the network, whose name its zone group writes into the zone."""
    target = {"privateLinkServiceId": server(one, location), "groupIds": ["postgresqlServer"]}
    properties = {
        "subnet": {"id": f"{network(one)}/subnets/pe"},
        "privateLinkServiceConnections": [{"name": "pg", "properties": target}],
    }
    endpoint = f"{group(one)}/providers/Microsoft.Network/privateEndpoints/pe-{location}"
    one._put(endpoint, VNET, {"location": "eastus", "properties": properties})
    config = {"name": "pg", "properties": {"privateDnsZoneId": one.zone}}
    body = {"properties": {"privateDnsZoneConfigs": [config]}}
    one._put(f"{endpoint}/privateDnsZoneGroups/default", VNET, body)


def put_cluster(one):
    """A cluster without nodes to speak of, in the network's subnet."""
    pool = {
        "name": "pool", "count": 1, "vmSize": "Standard_D2s_v3", "mode": "System",
        "vnetSubnetID": f"{network(one)}/subnets/nodes",
    }  # fmt: skip
    properties = {"kubernetesVersion": "1.36", "dnsPrefix": "demo", "agentPoolProfiles": [pool]}
    body = {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": properties}
    one._put(one.cluster_id("eastus"), "2026-08-01", body)


def read_names(one):
    (table,) = (lifecycle.folder(one.home) / "names").glob("*.json")
    return json.loads(table.read_text())


def ask(one, host, sql):
    """Ask as a pod of the cluster does: by what its network finds under the name."""
    with psycopg.connect(
        host=host,
        hostaddr=read_names(one)[host],
        dbname="shop",
        user="pgadmin",
        password=PASSWORD,
        sslmode="verify-full",
        sslrootcert=lifecycle.folder(one.home) / "ca.pem",
        autocommit=True,
    ) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_database_is_found_where_its_zone_leads_and_follows_a_promotion(place, wait_for):
    """No name without a private endpoint; with one, the writer's name goes with the primary."""
    put_cluster(place)
    put_servers(place)
    assert read_names(place) == {}
    for location in ("eastus", "westus2"):
        put_private_endpoint(place, location)
    ask(place, WRITER, "create table orders as select 1 as id")
    east = read_names(place)[WRITER]
    servers = postgres.FlexibleServers(place.arm, api_version=POSTGRES)
    (replica,) = servers.list_replicas(server(place))
    assert (replica.replication_state, servers.measure_lag(server(place))) == ("Active", None)
    assert servers.measure_lag(replica.id) >= 0

    lifecycle.inject(place.home, {"kind": "data_loss", "location": "eastus"})
    with pytest.raises(psycopg.OperationalError, match="refused"):
        ask(place, WRITER, "select 1")
    (replica,) = servers.list_replicas(server(place))
    assert (replica.role, replica.state) == ("GeoAsyncReplica", "Ready")
    assert (replica.replication_state, servers.measure_lag(replica.id)) == ("Broken", None)
    servers.promote(replica.id, is_forced=True, timeout=60)
    assert [one.name for one in servers.list_replicas(replica.id)] == ["pg-eastus"]
    (endpoint,) = servers.list_endpoints(replica.id)
    assert endpoint.writer_host == WRITER

    assert read_names(place)[WRITER] != east
    ask(place, WRITER, "insert into orders values (2)")
    lifecycle.inject(place.home, {"kind": "data_restore", "location": "eastus"})
    host = "pg-eastus.postgres.database.azure.com"
    wait_for(lambda: ask(place, host, "select id from orders") == [(1,), (2,)], "the way back")
    servers.set_password(replica.id, "Another-horse-8-battery", timeout=60)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(place, WRITER, "select 1")


def cache(one, location):
    kind = "Microsoft.Cache/redisEnterprise"
    return f"{group(one, location)}/providers/{kind}/amr-{location}"


def put_caches(one):
    """Two caches that replicate each other, reachable from anywhere."""
    members = []
    for location in ("eastus", "westus2"):
        properties = {"minimumTlsVersion": "1.2", "publicNetworkAccess": "Enabled"}
        body = {"location": location, "sku": {"name": "Balanced_B5"}, "properties": properties}
        one._put(cache(one, location), REDIS, body)
        members.append(f"{cache(one, location)}/databases/default")
        linked = {
            "groupNickname": "shop",
            "linkedDatabases": [{"id": member} for member in members],
        }
        properties = {
            "port": 10000, "clientProtocol": "Encrypted", "clusteringPolicy": "EnterpriseCluster",
            "accessKeysAuthentication": "Enabled", "geoReplication": linked,
        }  # fmt: skip
        one._put(members[-1], REDIS, {"properties": properties})
    return members


def test_cache_lives_on_in_the_other_region_and_is_joined_again(place, wait_for):
    """A key set in the east is there in the west when the east is lost, and afterwards in both."""
    put_cluster(place)
    east, west = put_caches(place)
    databases = redis.ManagedDatabases(place.arm, api_version=REDIS)

    def run(id_, location, *words):
        host = f"amr-{location}.{location}.redis.azure.net"
        with client.Redis(
            host=read_names(place)[host],
            port=10000,
            password=databases.get_keys(id_).secondary,
            ssl=True,
            ssl_ca_certs=str(lifecycle.folder(place.home) / "ca.pem"),
            decode_responses=True,
        ) as connection:
            return connection.execute_command(*words)

    run(east, "eastus", "SET", "basket", "full")
    wait_for(lambda: run(west, "westus2", "GET", "basket") == "full", "the key in the west")
    lifecycle.inject(place.home, {"kind": "data_loss", "location": "eastus"})
    databases.unlink(west, [east], timeout=60)
    run(west, "westus2", "SET", "basket", "fuller")
    assert databases.list_links(west) == {west: "Linked"}

    lifecycle.inject(place.home, {"kind": "data_restore", "location": "eastus"})
    databases.join(east, "shop", [west], timeout=60)
    assert run(east, "eastus", "GET", "basket") == "fuller"
    assert set(databases.list_links(east).values()) == {"Linked"}
    old = databases.get_keys(east)
    assert databases.replace_key(east, "Primary", timeout=60).primary != old.primary

"""What an estate is in Azure's words, and the order in which it comes to be."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from azrunbook import documents, estate, resources
from azrunbook.resources import cluster, comparison, edge, model

ROOT = Path(__file__).parents[2]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
def dv():
    return estate.load("dv")


@pytest.fixture
def desired(dv):
    return {
        (one.type.rpartition("/")[2], one.name): one
        for one in resources.desired_resources(dv, SUBSCRIPTION)
    }


def test_the_estate_has_every_resource_once(dv):
    """Two regions with everything, the global things once, and nothing twice."""
    found = resources.desired_resources(dv, SUBSCRIPTION)
    counts = Counter(one.type.partition(".")[2] for one in found)
    assert counts == {
        "Resources/resourceGroups": 3,
        "Network/networkSecurityGroups": 4,
        "Network/virtualNetworks": 2,
        "Network/virtualNetworks/virtualNetworkPeerings": 2,
        "ManagedIdentity/userAssignedIdentities": 6,
        "ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": 2,
        "Authorization/roleAssignments": 8,
        "ContainerService/managedClusters": 2,
        "ContainerRegistry/registries": 1,
        "ContainerRegistry/registries/replications": 1,
        "DBforPostgreSQL/flexibleServers": 2,
        "DBforPostgreSQL/flexibleServers/databases": 1,
        "DBforPostgreSQL/flexibleServers/virtualendpoints": 1,
        "Cache/redisEnterprise": 2,
        "Cache/redisEnterprise/databases": 2,
        "Storage/storageAccounts": 2,
        "Storage/storageAccounts/blobServices/containers": 2,
        "Network/privateDnsZones": 3,
        "Network/privateDnsZones/virtualNetworkLinks": 6,
        "Network/privateEndpoints": 6,
        "Network/privateEndpoints/privateDnsZoneGroups": 6,
        "Cdn/profiles": 1,
        "Cdn/profiles/afdEndpoints": 1,
        "Cdn/profiles/originGroups": 1,
        "Cdn/profiles/originGroups/origins": 2,
        "Cdn/profiles/afdEndpoints/routes": 2,
    }
    assert len({one.id.lower() for one in found}) == len(found)
    assert len({(one.path_name, one.region, one.type) for one in found}) == len(found)


def test_each_environment_adds_what_it_says():
    """Private ingress, cached storage, firewall and NAT in staging; a workspace in prod."""
    kinds = {
        name: {one.type for one in resources.desired_resources(estate.load(name), SUBSCRIPTION)}
        for name in estate.ENVIRONMENTS
    }
    assert kinds["staging"] - kinds["dv"] == {
        model.NAT_GATEWAY,
        model.PUBLIC_ADDRESS,
        model.MAINTENANCE,
        model.FIREWALL_POLICY,
        model.SECURITY_POLICY,
    }
    assert kinds["prod"] - kinds["staging"] == {model.WORKSPACE}
    origins = [
        one.body["properties"]["sharedPrivateLinkResource"]
        for one in resources.desired_resources(estate.load("prod"), SUBSCRIPTION)
        if one.type == model.ORIGIN
    ]
    assert [one.get("groupId") for one in origins] == [None, None, "blob", "blob"]


def test_every_wish_comes_after_what_it_needs(dv):
    """The order of the list is one in which it can be made."""
    seen = set()
    for one in resources.desired_resources(dv, SUBSCRIPTION):
        assert set(one.depends_on) <= seen
        seen.add(one.id)


def test_a_passive_link_is_made_after_the_private_endpoints():
    """A linked cache takes no endpoint any more."""
    seed = documents.read(estate.Estate, ROOT / "tests/estates/seed.yaml")
    found = resources.desired_resources(seed, SUBSCRIPTION)
    link = next(one for one in found if one.type == model.CACHE_LINK)
    assert sum("/privateEndpoints/pe-redis-" in one for one in link.depends_on) == 2


def test_what_refers_to_nothing_known_is_shown_as_a_reference(dv):
    """A role is planned before its identity is there; then its value is compared."""
    role = next(
        one for one in resources.desired_resources(dv, SUBSCRIPTION)
        if one.type == model.ROLE_ASSIGNMENT
    )  # fmt: skip
    identity = role.depends_on[1]
    known = {identity: {"properties": {"principalId": "guid-1"}}}
    assert role.body["properties"]["principalId"].startswith(f"[reference('{identity}')")
    for principal, action in (("guid-1", "no_change"), ("guid-2", "replace")):
        actual = {"properties": {**role.body["properties"], "principalId": principal}}
        (change,) = resources.plan_changes([role], {**known, role.id: actual})
        assert change.action == action


def test_an_autoscaled_pool_keeps_the_count_of_its_autoscaler():
    """Within its range it is neither a difference nor overwritten; outside it is both."""
    pool = {"name": "cpu", "count": 2, "enableAutoScaling": True, "minCount": 2, "maxCount": 6}
    one = resources.DesiredResource("/id", "T/t", "v", "n", "r", {"pools": [pool]})
    for count, action, put in ((5, "no_change", 5), (9, "update", 2)):
        actual = {"pools": [{**pool, "count": count}]}
        (change,) = resources.plan_changes([one], {"/id": actual})
        assert change.action == action
        assert resources.merge_body(one.body, actual)["pools"][0]["count"] == put


def test_ids_are_spelled_as_azure_spells_them(desired):
    """Names and kinds alternate below the provider, for children too."""
    assert desired["routes", "route-hello-world"].id == (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-aks-global/providers/Microsoft.Cdn"
        "/profiles/afd-aks-multiregion-dv/afdEndpoints/hello-world-dv/routes/route-hello-world"
    )


def test_a_cluster_carries_its_role_and_its_pools(dv):
    """The role is a tag; the system pool is tainted, the others are not."""
    first, second = cluster.list_clusters(dv, SUBSCRIPTION)[:2]
    assert (first.body["tags"]["role"], second.body["tags"]["role"]) == ("primary", "secondary")
    pools = first.body["properties"]["agentPoolProfiles"]
    assert [(p["name"], p["count"], p.get("nodeTaints")) for p in pools] == [
        ("systempool", 3, ["CriticalAddonsOnly=true:NoSchedule"]),
        ("memopt", 2, None),
        ("cpuopt", 2, None),
    ]
    assert pools[0]["vnetSubnetID"].endswith("/virtualNetworks/vnet-eastus/subnets/snet-nodes")


def test_the_dns_service_address_lies_in_the_service_range(dv):
    """AKS refuses an address outside of it."""
    wide = dv.model_copy(
        update={"cluster": dv.cluster.model_copy(update={"service_cidr": "172.20.0.0/16"})}
    )
    first = cluster.list_clusters(wide, SUBSCRIPTION)[0]
    assert first.body["properties"]["networkProfile"]["dnsServiceIP"] == "172.20.0.10"


def test_origins_stand_in_order_of_their_role(dv, desired):
    """The primary is asked first, at the DNS label of its ingress."""
    origins = [desired["origins", name].body["properties"] for name in ("eastus", "westus2")]
    assert [(one["priority"], one["hostName"]) for one in origins] == [
        (1, "aks-multiregion-dv.eastus.cloudapp.azure.com"),
        (2, "aks-multiregion-dv.westus2.cloudapp.azure.com"),
    ]
    assert origins[0]["hostName"] == edge.origin_host(dv, dv.primary)


def test_an_estate_without_a_secondary_has_nothing_of_it(dv):
    """One region: no second group, network, cluster, replica, peering or origin."""
    alone = dv.model_copy(update={"secondary_enabled": False})
    found = resources.desired_resources(alone, SUBSCRIPTION)
    assert "westus2" not in json.dumps([[one.id, one.body] for one in found])
    removed = resources.list_removed(alone, SUBSCRIPTION)
    whole = resources.desired_resources(dv, SUBSCRIPTION)
    assert {one.id for one in (*found, *removed)} == {one.id for one in whole}
    assert resources.list_removed(dv, SUBSCRIPTION) == ()


def test_after_a_failover_the_database_is_declared_where_it_is(dv):
    """Same servers with the same settings; what leads to the primary, and what follows, moved."""
    before = {one.id: one for one in resources.desired_resources(dv, SUBSCRIPTION)}
    found = {
        one.id: one for one in resources.desired_resources(dv, SUBSCRIPTION, writer="secondary")
    }
    moved = [one.path_name for id_, one in found.items() if id_ not in before]
    assert moved == [
        "psql-aks-multiregion-dv-westus2/hello_world",
        "psql-aks-multiregion-dv-westus2/psql-aks-multiregion-dv",
    ]
    east, west = (
        next(one for one in found.values() if one.type == model.SERVER and one.region == place)
        for place in ("eastus", "westus2")
    )
    assert (east.body, west.body) == (before[east.id].body, before[west.id].body)
    assert east.creation["properties"]["sourceServerResourceId"] == west.id
    endpoint = next(one for one in found.values() if one.type == model.VIRTUAL_ENDPOINT)
    assert endpoint.body["properties"]["members"] == [east.name]
    caches = [one for one in found.values() if one.type == model.MANAGED_CACHE_DATABASE]
    assert all("linkedDatabases" not in one.body["properties"]["geoReplication"] for one in caches)


def test_a_plan_after_applying_changes_nothing(dv):
    """Answering with the very bodies that were put leaves nothing to do."""
    found = resources.desired_resources(dv, SUBSCRIPTION)
    changes = resources.plan_changes(found, {one.id: one.body for one in found})
    assert {change.action for change in changes} == {"no_change"}


def test_waves_put_both_regions_side_by_side(dv):
    """Both clusters in one wave, after both networks; a route comes after its origins."""
    waves = resources.list_waves(resources.desired_resources(dv, SUBSCRIPTION))
    place = {one.id: number for number, wave in enumerate(waves) for one in wave}
    by_type = defaultdict(set)
    for wave in waves:
        for one in wave:
            by_type[one.type].add(place[one.id])
    assert len(by_type[model.CLUSTER]) == len(by_type[model.NETWORK]) == 1
    assert max(by_type[model.NETWORK]) < min(by_type[model.CLUSTER])
    assert max(by_type[model.ORIGIN]) < min(by_type[model.ROUTE])


@pytest.mark.parametrize("needs", [{"a": ["b"], "b": ["a"]}, {"a": ["nowhere"]}])
def test_an_impossible_order_is_a_bug_not_an_endless_loop(needs):
    """A ring or an unknown dependency can only come from this code."""
    made = [
        resources.DesiredResource(name, "T/t", "v", name, "r", {}, tuple(after))
        for name, after in needs.items()
    ]
    with pytest.raises(ValueError, match="This is a bug"):
        resources.list_waves(made)


def test_a_resource_compares_equal_to_azures_answer_in_other_letter_case(dv):
    """Ids come back in another case; a plan must not see that."""
    found = resources.desired_resources(dv, SUBSCRIPTION)
    shouted = {
        one.id: json.loads(json.dumps(one.body).replace("/resourceGroups/", "/RESOURCEGROUPS/"))
        for one in found
    }
    assert all(c.action == "no_change" for c in comparison.plan_changes(found, shouted))

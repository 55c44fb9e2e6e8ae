"""What an estate is in Azure's words, and the order in which it comes to be."""

import json

import pytest

from azrunbook import estate, resources
from azrunbook.resources import cluster, comparison, edge, model

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


def test_the_estate_has_every_resource_once(desired):
    """Two regions with group, network and cluster; the global ones once."""
    assert [f"{kind} {name}" for kind, name in desired] == [
        "resourceGroups rg-aks-primary-eastus",
        "resourceGroups rg-aks-secondary-westus2",
        "resourceGroups rg-aks-global",
        "virtualNetworks vnet-eastus",
        "virtualNetworks vnet-westus2",
        "managedClusters aks-multiregion-cluster",
        "registries azrunbookdv",
        "profiles afd-aks-multiregion-dv",
        "afdEndpoints hello-world-dv",
        "originGroups og-hello-world",
        "origins eastus",
        "origins westus2",
        "routes route-hello-world",
    ]


def test_ids_are_spelled_as_azure_spells_them(desired):
    """Names and kinds alternate below the provider, for children too."""
    assert desired["routes", "route-hello-world"].id == (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-aks-global/providers/Microsoft.Cdn"
        "/profiles/afd-aks-multiregion-dv/afdEndpoints/hello-world-dv/routes/route-hello-world"
    )


def test_a_cluster_carries_its_role_and_its_pools(dv):
    """The role is a tag; the system pool is tainted, the others are not."""
    first, second = cluster.list_clusters(dv, SUBSCRIPTION)
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
    (first, _) = cluster.list_clusters(wide, SUBSCRIPTION)
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
    """One region: no second group, network, cluster or origin."""
    alone = dv.model_copy(update={"secondary_enabled": False})
    found = resources.desired_resources(alone, SUBSCRIPTION)
    assert "westus2" not in json.dumps([[one.id, one.body] for one in found])
    assert len(found) == 10


def test_a_plan_after_applying_changes_nothing(dv):
    """Answering with the very bodies that were put leaves nothing to do."""
    found = resources.desired_resources(dv, SUBSCRIPTION)
    changes = resources.plan_changes(found, {one.id: one.body for one in found})
    assert {change.action for change in changes} == {"no_change"}


def test_waves_put_both_regions_side_by_side(dv):
    """Groups, then networks and global things, then clusters; a route comes after its origins."""
    waves = resources.list_waves(resources.desired_resources(dv, SUBSCRIPTION))
    kinds = [sorted({one.type.rpartition("/")[2] for one in wave}) for wave in waves]
    assert kinds == [
        ["resourceGroups"],
        ["profiles", "registries", "virtualNetworks"],
        ["afdEndpoints", "managedClusters", "originGroups"],
        ["origins"],
        ["routes"],
    ]
    assert len([one for one in waves[2] if one.type == model.CLUSTER]) == 2


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

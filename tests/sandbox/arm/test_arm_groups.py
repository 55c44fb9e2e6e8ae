"""Groups, networks and what belongs to ARM itself, through the generic client."""

import urllib.parse

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from azrunbook.sandbox import arm
from azrunbook.sandbox.arm import paths

VNET = "/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet"


def network(*subnets, space="10.1.0.0/16", location="eastus"):
    return {
        "location": location,
        "properties": {
            "addressSpace": {"addressPrefixes": [space]},
            "subnets": [
                {"name": name, "properties": {"addressPrefix": prefix}} for name, prefix in subnets
            ],
        },
    }


def test_a_group_is_created_read_tagged_and_deleted(arm_client):
    """201 first, 200 after; HEAD says whether it is there."""
    path = "/resourceGroups/second"
    assert arm_client.raw("PUT", path, {"location": "East US"}).status_code == 201
    assert arm_client.raw("PUT", path, {"location": "eastus"}).status_code == 200
    assert arm_client.raw("HEAD", path).status_code == 204
    assert arm_client.raw("PATCH", path, {"tags": {"a": "b"}}).json()["tags"] == {"a": "b"}
    arm_client.delete(path)
    with pytest.raises(ResourceNotFoundError) as missing:
        arm_client.get(path)
    assert missing.value.error.code == "ResourceGroupNotFound"


def test_deleting_a_group_takes_everything_along(lab, arm_client, aks, cluster_body):
    """Clusters are torn down in the backend, documents below the group disappear."""
    arm_client.put(VNET, network(("nodes", "10.1.1.0/24")))
    aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    arm_client.delete("/resourceGroups/RG")
    assert lab.clusters.calls == [("ensure", "one"), ("delete", "one")]
    assert lab.call(lab.server.store.list_below, _group(lab)) == []
    assert list(aks.managed_clusters.list()) == []


def test_deleting_a_group_ends_what_runs_in_it(make_lab, make_arm, make_aks, cluster_body):
    """A cluster still being created is aborted, then torn down."""
    kind = "Microsoft.ContainerService/managedClusters:create"
    lab = make_lab(timing=arm.Timing(by_type={kind: "manual"}))
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": "eastus"})
    poller = make_aks(lab).managed_clusters.begin_create_or_update("rg", "one", cluster_body())
    client.delete("/resourceGroups/rg")
    assert lab.clusters.calls[-1] == ("delete", "one")
    with pytest.raises(HttpResponseError, match="aborted"):
        poller.result(20)


def test_a_location_answers_202_until_the_end(make_lab, make_arm):
    """Without a body, also when it is done; a second delete joins the first."""
    lab = make_lab(timing=arm.Timing(by_type={"Microsoft.Resources/resourceGroups": "manual"}))
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": "eastus"})
    first, second = (client.raw("DELETE", "/resourceGroups/rg") for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    path = urllib.parse.urlsplit(first.headers["Location"]).path
    waiting = client.raw("GET", path)
    assert (waiting.status_code, waiting.content) == (202, b"")
    lab.call(lab.server.operations.advance)
    done = client.raw("GET", path)
    assert (done.status_code, done.content) == (200, b"")


def test_a_group_in_deletion_accepts_nothing_new(make_lab, make_arm):
    """A write into it answers 409 until it is gone."""
    lab = make_lab(timing=arm.Timing(by_type={"Microsoft.Resources/resourceGroups": "manual"}))
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": "eastus"})
    poller = client.begin("DELETE", "/resourceGroups/rg")
    with pytest.raises(ResourceExistsError) as refused:
        client.raw("PUT", VNET, network())
    assert refused.value.error.code == "ResourceGroupBeingDeleted"
    assert client.get("/resourceGroups/rg")["properties"]["provisioningState"] == "Deleting"
    lab.call(lab.server.operations.advance)
    poller.result(20)


def test_what_is_being_deleted_accepts_no_write(make_lab, make_arm):
    """Neither the network nor a subnet of it can be put until it is gone."""
    kind = "Microsoft.Network/virtualNetworks:delete"
    lab = make_lab(timing=arm.Timing(by_type={kind: "manual"}))
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": "eastus"})
    client.put(VNET, network())
    poller = client.begin("DELETE", VNET)
    subnet = {"properties": {"addressPrefix": "10.1.1.0/24"}}
    for path, body in ((VNET, network()), (f"{VNET}/subnets/a", subnet)):
        with pytest.raises(ResourceExistsError) as refused:
            client.raw("PUT", path, body)
        assert refused.value.error.code == "AnotherOperationInProgress"
    lab.call(lab.server.operations.advance)
    poller.result(20)
    client.put(VNET, network())


def test_existence_can_be_asked_for(arm_client):
    """HEAD answers 204 or 404, without a body."""
    assert arm_client.raw("HEAD", "/resourceGroups/rg").status_code == 204
    with pytest.raises(ResourceNotFoundError):
        arm_client.raw("HEAD", VNET)


def test_a_network_shows_its_subnets(arm_client):
    """The first answer is Updating; the finished one has the subnets with their defaults."""
    response = arm_client.raw("PUT", VNET, network(("nodes", "10.1.1.0/24")))
    assert response.status_code == 201
    assert response.json()["properties"]["provisioningState"] == "Updating"
    found = arm_client.put(VNET, network(("nodes", "10.1.1.0/24"), ("pe", "10.1.2.0/24")))
    assert found["properties"]["provisioningState"] == "Succeeded"
    assert [s["name"] for s in found["properties"]["subnets"]] == ["nodes", "pe"]
    assert found["properties"]["subnets"][0]["properties"]["provisioningState"] == "Succeeded"


def test_a_put_of_a_network_replaces_its_subnets(arm_client):
    """A subnet left out is gone; without a list, as since 2023-09-01, all of them stay."""
    arm_client.put(VNET, network(("nodes", "10.1.1.0/24"), ("pe", "10.1.2.0/24")))
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}
    found = arm_client.put(VNET, {"location": "eastus", "properties": space})
    assert [s["name"] for s in found["properties"]["subnets"]] == ["nodes", "pe"]
    found = arm_client.put(VNET, network(("pe", "10.1.2.0/24")))
    assert [s["name"] for s in found["properties"]["subnets"]] == ["pe"]
    with pytest.raises(ResourceNotFoundError):
        arm_client.get(f"{VNET}/subnets/nodes")


def test_a_subnet_lives_as_a_resource_of_its_own(arm_client):
    """It can be put, listed and deleted beside the network's list."""
    arm_client.put(VNET, network())
    body = {"properties": {"addressPrefix": "10.1.9.0/24"}}
    assert arm_client.put(f"{VNET}/subnets/extra", body)["properties"]["addressPrefix"]
    assert [s["name"] for s in arm_client.get(f"{VNET}/subnets")["value"]] == ["extra"]
    arm_client.delete(f"{VNET}/subnets/extra")
    assert arm_client.get(VNET)["properties"]["subnets"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (network(space="10.1.0.0/33"), "InvalidCIDRNotation"),
        (network(space="10.1.0.1/16"), "InvalidCIDRNotation"),
        (network(("a", "10.2.0.0/24")), "NetcfgSubnetRangeOutsideVnet"),
        (network(("a", "10.1.0.0/23"), ("b", "10.1.1.0/24")), "NetcfgSubnetRangesOverlap"),
        (network(location="atlantis"), "LocationNotAvailableForResourceType"),
        ({"location": "eastus", "properties": {}}, "VnetAddressSpaceNotSpecified"),
    ],
)
def test_addresses_are_checked(arm_client, body, code):
    """Ranges must be networks, inside the space and apart; regions must exist."""
    with pytest.raises(HttpResponseError) as refused:
        arm_client.raw("PUT", VNET, body)
    assert (refused.value.status_code, refused.value.error.code) == (400, code)


def test_a_resource_cannot_move_to_another_region(arm_client):
    """The same id in another location is a conflict."""
    arm_client.put(VNET, network())
    with pytest.raises(ResourceExistsError) as refused:
        arm_client.raw("PUT", VNET, network(location="westus2"))
    assert refused.value.error.code == "InvalidResourceLocation"


def test_resources_are_listed_by_group_and_type(lab, arm_client):
    """The generic list has top-level resources, and a filter by type."""
    arm_client.put(VNET, network(("nodes", "10.1.1.0/24")))
    listed = arm_client.get("/resourceGroups/rg/resources")["value"]
    assert [resource["id"] for resource in listed] == [f"{lab.subscription}{VNET}"]
    assert arm_client.get("/resources")["value"] == listed
    for kind, count in (("microsoft.network/virtualnetworks", 1), ("Microsoft.Cdn/profiles", 0)):
        wanted = {"$filter": f"resourceType eq '{kind}'"}
        assert len(arm_client.get("/resources", params=wanted)["value"]) == count


def test_a_child_without_its_parent_is_refused(arm_client):
    """404 ParentResourceNotFound, as ARM says it."""
    with pytest.raises(ResourceNotFoundError) as missing:
        arm_client.raw("PUT", f"{VNET}/subnets/a", {"properties": {"addressPrefix": "10.1.1.0/24"}})
    assert missing.value.error.code == "ParentResourceNotFound"


def test_regions_have_their_real_pairs(arm_client):
    """East US pairs with West US, not with West US 2."""
    regions = {region["name"]: region for region in arm_client.get("/locations")["value"]}
    assert regions["eastus"]["metadata"]["pairedRegion"][0]["name"] == "westus"
    assert regions["westus2"]["displayName"] == "West US 2"


def test_an_unregistered_provider_is_refused_until_registered(make_lab, make_arm):
    """409 MissingSubscriptionRegistration; POST register opens it."""
    lab = make_lab(unregistered=frozenset({"Microsoft.Network"}))
    client = make_arm(lab)
    client.put("/resourceGroups/rg", {"location": "eastus"})
    with pytest.raises(ResourceExistsError) as refused:
        client.raw("PUT", VNET, network())
    assert refused.value.error.code == "MissingSubscriptionRegistration"
    path = "/providers/Microsoft.Network"
    assert client.get(path, api="2022-09-01")["registrationState"] == "NotRegistered"
    registered = client.post(f"{path}/register", api="2016-02-01")
    assert registered["registrationState"] == "Registered"
    client.put(VNET, network())


def test_etags_guard_generic_resources(arm_client):
    """If-None-Match: * refuses what exists; a stale If-Match is refused, the right one accepted."""
    found = arm_client.put(VNET, network())
    for headers in ({"If-None-Match": "*"}, {"If-Match": '"stale"'}):
        with pytest.raises(HttpResponseError) as refused:
            arm_client.raw("PUT", VNET, network(), headers=headers)
        assert refused.value.status_code == 412
    found = arm_client.get(VNET)
    assert arm_client.raw("PUT", VNET, network(), headers={"If-Match": found["etag"]}).json()


def test_subscribers_hear_of_every_change(lab, arm_client):
    """Puts and deletes are told with id and type, children before their parent."""
    heard = []
    lab.call(lab.server.store.subscribe, lambda *change: heard.append(change))
    arm_client.put(VNET, network(("nodes", "10.1.1.0/24")))
    arm_client.delete(VNET)
    path = f"{lab.subscription}{VNET}"
    assert ("put", path, "Microsoft.Network/virtualNetworks") in heard
    assert [change[1] for change in heard if change[0] == "delete"] == [
        f"{path}/subnets/nodes",
        path,
    ]


def _group(lab):
    return paths.parse(f"{lab.subscription}/resourceGroups/rg")

"""Front Door's documents through the generic client."""

import urllib.parse

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError

PROFILE = "/resourceGroups/rg/providers/Microsoft.Cdn/profiles/fd"
GROUP = f"{PROFILE}/originGroups/og"
ENDPOINT = f"{PROFILE}/afdEndpoints/shop"
ROUTE = f"{ENDPOINT}/routes/all"
PROBE = {"probePath": "/health", "probeIntervalInSeconds": 5}


@pytest.fixture
def front_door(lab, arm_client):
    """A profile with an endpoint, a group of two origins and a route."""
    arm_client.put(PROFILE, {"location": "Global", "sku": {"name": "Standard_AzureFrontDoor"}})
    arm_client.put(GROUP, {"properties": {"healthProbeSettings": PROBE}})
    for name, priority in (("eastus", 1), ("westus2", 2)):
        arm_client.put(f"{GROUP}/origins/{name}", origin(name, priority=priority))
    arm_client.put(ENDPOINT, {"location": "Global", "properties": {}})
    arm_client.put(ROUTE, route(lab))
    return arm_client


def origin(name, **properties):
    host = f"{name}.example.com"
    return {"properties": {"hostName": host, **properties}}


def route(lab, group=GROUP, **properties):
    return {"properties": {"originGroup": {"id": f"{lab.subscription}{group}"}, **properties}}


def arm_path(url):
    return urllib.parse.urlsplit(url).path


def test_a_front_door_is_built_with_its_defaults(front_door):
    """The documents carry what Azure fills in."""
    endpoint = front_door.get(ENDPOINT)["properties"]
    assert endpoint["hostName"].startswith("shop-")
    assert endpoint["hostName"].endswith(".z01.azurefd.net")
    assert endpoint["deploymentStatus"] == "NotStarted"
    group = front_door.get(GROUP)["properties"]
    assert group["healthProbeSettings"]["probeRequestType"] == "HEAD"
    assert group["loadBalancingSettings"]["sampleSize"] == 4
    found = front_door.get(f"{GROUP}/origins/westus2")["properties"]
    assert (found["priority"], found["weight"], found["enabledState"]) == (2, 50, "Enabled")
    assert found["originGroupName"] == "og"


def test_the_first_answer_is_202_with_the_document_in_progress(front_door):
    """CDN answers writes with 202, a body and both polling headers."""
    response = front_door.raw("PUT", f"{GROUP}/origins/third", origin("third"))
    assert response.status_code == 202
    assert response.json()["properties"]["provisioningState"] == "Creating"
    status = arm_path(response.headers["Azure-AsyncOperation"])
    assert front_door.get(status)["status"] == "Succeeded"


def test_a_patch_can_be_followed_by_its_location(front_door):
    """Location answers the finished document."""
    body = {"properties": {"weight": 7}}
    response = front_door.raw("PATCH", f"{GROUP}/origins/eastus", body)
    found = front_door.get(arm_path(response.headers["Location"]))
    assert (found["properties"]["weight"], found["properties"]["provisioningState"]) == (
        7,
        "Succeeded",
    )


def test_a_patch_drains_an_origin_and_keeps_the_rest(front_door):
    """Only what is sent changes."""
    path = f"{GROUP}/origins/eastus"
    body = {"properties": {"enabledState": "Disabled"}}
    found = front_door.begin("PATCH", path, body).result(20)["properties"]
    assert (found["enabledState"], found["hostName"]) == ("Disabled", "eastus.example.com")
    assert front_door.get(path)["properties"]["provisioningState"] == "Succeeded"


def test_an_endpoint_created_again_keeps_its_host_name(front_door):
    """The host name depends on tenant and name only."""
    before = front_door.get(ENDPOINT)["properties"]["hostName"]
    front_door.delete(ENDPOINT)
    again = front_door.put(ENDPOINT, {"location": "Global", "properties": {}})
    assert again["properties"]["hostName"] == before


def test_the_last_origin_stays_while_a_route_uses_the_group(front_door):
    """The first of two may go, the last may not, nor the group; without the route both may."""
    front_door.delete(f"{GROUP}/origins/eastus")
    for path in (f"{GROUP}/origins/westus2", GROUP):
        with pytest.raises(ResourceExistsError, match="associated with route 'all'"):
            front_door.begin("DELETE", path)
    front_door.delete(ROUTE)
    front_door.delete(GROUP)
    assert front_door.get(f"{PROFILE}/originGroups")["value"] == []


def test_a_route_needs_an_enabled_origin(lab, front_door):
    """An empty origin group is refused in Azure's words."""
    front_door.put(f"{PROFILE}/originGroups/empty", {"properties": {}})
    with pytest.raises(HttpResponseError, match="at least one enabled origin"):
        front_door.raw(
            "PUT",
            f"{ENDPOINT}/routes/other",
            route(lab, f"{PROFILE}/originGroups/empty", patternsToMatch=["/x"]),
        )


def test_a_purge_takes_its_time_and_wants_paths(front_door):
    """An operation of its own; without paths there is nothing to purge."""
    poller = front_door.begin("POST", f"{ENDPOINT}/purge", {"contentPaths": ["/static/*"]})
    poller.result(20)
    assert poller.status() == "Succeeded"
    with pytest.raises(HttpResponseError, match="expected paths"):
        front_door.raw("POST", f"{ENDPOINT}/purge", {"contentPaths": ["static"]})


def test_two_routes_cannot_share_a_pattern(lab, front_door):
    """The second route with the same pattern is a conflict."""
    with pytest.raises(ResourceExistsError, match="already used by route 'all'"):
        front_door.raw("PUT", f"{ENDPOINT}/routes/other", route(lab))


@pytest.mark.parametrize(
    ("path", "properties", "target"),
    [
        (GROUP, {"healthProbeSettings": {"probeIntervalInSeconds": 0}}, "probeInterval"),
        (GROUP, {"healthProbeSettings": {"probeIntervalInSeconds": 256}}, "probeInterval"),
        (GROUP, {"loadBalancingSettings": {"sampleSize": 256}}, "sampleSize"),
        (GROUP, {"loadBalancingSettings": {"sampleSize": 2}}, "successfulSamplesRequired"),
        (GROUP, {"healthProbeSettings": {"probeRequestType": "POST"}}, "probeRequestType"),
        (f"{GROUP}/origins/bad", {"hostName": "a.b", "priority": 6}, "priority"),
        (f"{GROUP}/origins/bad", {"hostName": "a.b", "weight": 1001}, "weight"),
        (f"{GROUP}/origins/bad", {"hostName": "a.b", "httpPort": 0}, "httpPort"),
        (f"{GROUP}/origins/bad", {"hostName": "not a host"}, "hostName"),
        (f"{GROUP}/origins/bad", {}, "hostName"),
        (ENDPOINT, {"enabledState": "Perhaps"}, "enabledState"),
        (PROFILE, {"originResponseTimeoutSeconds": 15}, "originResponseTimeoutSeconds"),
    ],
)
def test_a_value_out_of_range_is_named(front_door, path, properties, target):
    """The refusal names property, value and what was expected."""
    extra = {"location": "Global", "sku": {"name": "Standard_AzureFrontDoor"}}
    with pytest.raises(HttpResponseError, match=target) as refused:
        front_door.raw("PUT", path, {"properties": properties, **extra})
    assert refused.value.status_code == 400
    assert "expected" in refused.value.error.message


def test_what_is_not_emulated_says_so_and_where_to_add_it(front_door):
    """Rule sets answer 404 with the file to add a Route to."""
    with pytest.raises(HttpResponseError) as missing:
        front_door.raw("PUT", f"{PROFILE}/ruleSets/one", {})
    assert missing.value.status_code == 404
    assert missing.value.error.message == (
        "PUT Microsoft.Cdn/profiles/ruleSets is not emulated. Emulated operations: "
        "azrunbook/sandbox/arm/providers/cdn.py; add a Route there."
    )


@pytest.mark.usefixtures("front_door")
def test_the_store_lists_what_the_edge_needs(lab):
    """The host reads documents by type."""
    kind = "microsoft.cdn/profiles/origingroups/origins"
    found = lab.call(lab.server.store.list_by_type, kind)
    assert [document["name"] for document in found] == ["eastus", "westus2"]

"""Front Door's private links: asked for with an origin, decided by the owner, gone with either."""

import pytest
from azure.core.exceptions import HttpResponseError

from azrunbook.sandbox.arm import paths
from azrunbook.sandbox.arm.providers import private_links

PROFILE = "/resourceGroups/rg/providers/Microsoft.Cdn/profiles/fd"
ORIGIN = f"{PROFILE}/originGroups/og/origins/eastus"
ACCOUNT = "/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stlinks"
SERVICE = "/resourceGroups/MC_rg/providers/Microsoft.Network/privateLinkServices/pls"


@pytest.fixture
def front_door(arm_client):
    """A Premium profile with an empty origin group, and both kinds of things to lead to."""
    lab = arm_client.lab
    arm_client.put(PROFILE, {"location": "Global", "sku": {"name": "Premium_AzureFrontDoor"}})
    arm_client.put(f"{PROFILE}/originGroups/og", {"properties": {}})
    arm_client.put(ACCOUNT, {"location": "eastus", "sku": {"name": "Standard_LRS"}})
    private_links.ensure_service(
        lab.server.store, paths.parse(f"{lab.subscription}{SERVICE}"),
        location="eastus", tags={}, frontend="a1", subnet="",
    )  # fmt: skip
    return arm_client


def put_origin(client, target, **link):
    shared = {
        "privateLink": {"id": f"{client.lab.subscription}{target}"},
        "privateLinkLocation": "eastus",
        "requestMessage": "let me in",
        **link,
    }
    body = {"hostName": "east.example.com", "sharedPrivateLinkResource": shared}
    return client.put(ORIGIN, {"properties": body})


def read_status(client):
    return client.get(ORIGIN)["properties"]["sharedPrivateLinkResource"]["status"]


def decide(client, target, status):
    (asked,) = client.get(f"{target}/privateEndpointConnections")["value"]
    state = {**asked["properties"]["privateLinkServiceConnectionState"], "status": status}
    asked["properties"]["privateLinkServiceConnectionState"] = state
    return client.raw("PUT", asked["id"], asked).json()


@pytest.mark.parametrize(("target", "link"), [(SERVICE, {}), (ACCOUNT, {"groupId": "blob"})])
def test_an_origin_waits_for_approval(front_door, target, link):
    """The owner sees the request, and what it says to it shows in the origin, whatever is put."""
    assert put_origin(front_door, target, **link)["properties"]["provisioningState"] == "Succeeded"
    assert read_status(front_door) == "Pending"
    (asked,) = front_door.get(target)["properties"]["privateEndpointConnections"]
    state = asked["properties"]["privateLinkServiceConnectionState"]
    assert (state["status"], state["description"]) == ("Pending", "let me in")
    assert "eafd-Prod-eastus" in asked["properties"]["privateEndpoint"]["id"]
    for status in ("Approved", "Rejected", "Approved"):
        decide(front_door, target, status)
        put_origin(front_door, target, **link)
        assert read_status(front_door) == status
    front_door.delete(ORIGIN)
    assert front_door.get(target)["properties"]["privateEndpointConnections"] == []


def test_a_link_that_its_owner_removes_is_disconnected(front_door):
    """Deleting the connection leaves an origin that leads nowhere."""
    put_origin(front_door, SERVICE)
    (asked,) = front_door.get(f"{SERVICE}/privateEndpointConnections")["value"]
    front_door.raw("DELETE", asked["id"])
    assert read_status(front_door) == "Disconnected"


def test_an_origin_to_nothing_fails(front_door):
    """Front Door's endpoint cannot be made before what it leads to is there."""
    with pytest.raises(HttpResponseError, match="PrivateEndpointProvisioning Failed"):
        put_origin(front_door, SERVICE.replace("pls", "later"))
    assert front_door.get(ORIGIN)["properties"]["provisioningState"] == "Failed"


def test_only_decisions_are_taken(front_door):
    """Nobody can be put back among those who wait."""
    put_origin(front_door, SERVICE)
    with pytest.raises(HttpResponseError, match="expected one of Approved, Rejected"):
        decide(front_door, SERVICE, "Pending")

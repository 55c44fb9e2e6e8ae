"""The activity log: who wrote what, as the specification of Microsoft.Insights has it."""

import datetime as dt

import pytest
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from azrunbook.sandbox.arm import faults, settings

LOG = "/providers/Microsoft.Insights/eventtypes/management/values"
GROUP = "/resourceGroups/rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet"
BODY = {
    "location": "eastus",
    "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
}
OTHER = settings.Principal("11111111-2222-3333-4444-555555555555", "another-planted-secret")


@pytest.fixture
def lab(make_lab):
    return make_lab(colleagues=(OTHER,), page_size=2)


def stamp(**ago):
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**ago)).isoformat().replace("+00:00", "Z")


def read(client, scope="", *, select=""):
    """All pages, the oldest first."""
    text = f"eventTimestamp ge '{stamp(hours=1)}'" + (f" and {scope}" if scope else "")
    params = {"$filter": text} | ({"$select": select} if select else {})
    page = client.get(LOG, api="2015-04-01", params=params)
    found = page["value"]
    while link := page.get("nextLink"):
        page = client.client.send_request(HttpRequest("GET", link)).json()
        found += page["value"]
    return found[::-1]


def of(client, path):
    return f"resourceUri eq '{client.lab.subscription}{path}'"


def words(event):
    return event["operationName"]["value"], event["status"]["value"]


def test_a_long_write_is_started_accepted_and_succeeded(arm_client):
    """Three events of one operation and one correlation; reads leave none."""
    arm_client.put(NETWORK, BODY)
    arm_client.get(NETWORK)
    events = read(arm_client, of(arm_client, NETWORK))
    write = "Microsoft.Network/virtualNetworks/write"
    assert [words(one) for one in events] == [
        (write, "Started"), (write, "Accepted"), (write, "Succeeded"),
    ]  # fmt: skip
    assert len({(one["operationId"], one["correlationId"]) for one in events}) == 1
    assert events[1]["subStatus"]["localizedValue"] == "Created (HTTP Status Code: 201)"
    assert [one["eventName"]["value"] for one in events[:2]] == ["BeginRequest", "EndRequest"]
    assert words(read(arm_client)[0])[0] == "Microsoft.Resources/subscriptions/resourceGroups/write"


def test_each_identity_is_told_by_its_claims(arm_client, make_arm):
    """Two applications, two callers; a deletion is one's, the creation the other's."""
    lab = arm_client.lab
    credential = lab.credential(client_id=OTHER.client_id, client_secret=OTHER.client_secret)
    arm_client.put(NETWORK, BODY)
    make_arm(lab, credential=credential).delete(NETWORK)
    events = read(arm_client, of(arm_client, NETWORK))
    by = [(words(one)[0].rpartition("/")[2], one["claims"]["appid"]) for one in events]
    assert set(by) == {("write", lab.settings.client_id), ("delete", OTHER.client_id)}
    assert len({one["caller"] for one in events}) == 2


def test_what_was_refused_or_broke_has_failed(lab, arm_client):
    """At once with the status it was answered, or later with the operation's error."""
    with pytest.raises(HttpResponseError):
        arm_client.put(f"{GROUP}/providers/Microsoft.Network/virtualNetworks/bad", {})
    lab.call(lab.server.faults.add, faults.FaultRule(path="*/vnet", code="Broken"))
    with pytest.raises(HttpResponseError):
        arm_client.put(NETWORK, BODY)
    failed = [one for one in read(arm_client) if one["status"]["value"] == "Failed"]
    assert [one["level"] for one in failed] == ["Error", "Error"]
    assert failed[0]["subStatus"]["localizedValue"] == "Bad Request (HTTP Status Code: 400)"
    assert "Broken" in failed[1]["properties"]["statusMessage"]


def test_filters_and_selections(arm_client):
    """A group, a provider, a correlation in any letter case; some properties only."""
    arm_client.put(NETWORK, BODY)
    rows = read(arm_client, "resourceGroupName eq 'RG'", select="eventTimestamp, status")
    assert {tuple(one) for one in rows} == {("eventTimestamp", "status")}
    found = read(arm_client, "resourceProvider eq 'microsoft.network'")
    assert len(found) == 3
    same = read(arm_client, f"correlationId eq '{found[0]['correlationId']}'")
    assert same == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resourceGroupName eq 'rg'",
        "eventTimestamp ge 'yesterday'",
        "eventTimestamp ge '{day}' and status eq 'Failed'",
        "eventTimestamp ge '{day}' or resourceGroupName eq 'rg'",
        "eventTimestamp ge '{day}' and resourceGroupName eq 'a' and resourceUri eq 'b'",
        "eventTimestamp ge '{old}'",
    ],
)
def test_other_filters_are_refused(arm_client, text):
    """No start, one before what is kept, or a pattern that the specification does not list."""
    asked = text.format(day=stamp(days=1), old=stamp(days=91))
    with pytest.raises(HttpResponseError) as refused:
        arm_client.get(LOG, api="2015-04-01", params={"$filter": asked})
    assert refused.value.status_code == 400


def test_a_late_log_does_not_tell_yet(lab, arm_client):
    """Azure tells minutes later; until then the write is not to be seen."""
    lab.server.activity.delay_seconds = 600
    arm_client.put(NETWORK, BODY)
    assert read(arm_client, of(arm_client, NETWORK)) == []

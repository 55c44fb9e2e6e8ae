"""What stands before the providers: tokens, versions, headers, faults, throttling."""

import pytest
import requests
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from azrunbook.sandbox import arm

RG = "/resourceGroups/rg"


def test_a_wrong_secret_is_refused_with_its_number(lab):
    """AADSTS7000215, as Entra says it."""
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        lab.credential(client_secret="wrong").get_token(f"{lab.server.url}/.default")


def test_an_unknown_client_is_refused(lab):
    """AADSTS700016 for an application that does not exist."""
    with pytest.raises(ClientAuthenticationError, match="AADSTS700016"):
        lab.credential(client_id="nobody").get_token(f"{lab.server.url}/.default")


@pytest.mark.parametrize(
    ("header", "code"),
    [({}, "AuthenticationFailed"), ({"Authorization": "Bearer x"}, "InvalidAuthenticationToken")],
)
def test_a_call_without_a_valid_token_is_401(lab, header, code):
    """With a challenge that names the authority."""
    url = f"{lab.server.url}{lab.subscription}?api-version=2022-12-01"
    answer = requests.get(url, headers=header, verify=lab.ca_file, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert lab.settings.tenant_id in answer.headers["WWW-Authenticate"]


def test_an_expired_token_is_401(make_lab):
    """The lifetime is checked on each call."""
    lab = make_lab(token_lifetime_seconds=0)
    token = lab.credential().get_token(f"{lab.server.url}/.default").token
    url = f"{lab.server.url}{lab.subscription}?api-version=2022-12-01"
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.get(url, headers=headers, verify=lab.ca_file, timeout=10)
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"


def test_the_cloud_describes_itself(lab):
    """The metadata azurerm reads names this server for everything it asks."""
    url = f"{lab.server.url}/metadata/endpoints?api-version=2022-09-01"
    found = requests.get(url, verify=lab.ca_file, timeout=10).json()
    assert found["resourceManager"] == lab.server.url
    assert found["authentication"]["loginEndpoint"] == lab.server.url
    assert found["name"]
    assert found["microsoftGraphResourceId"]


def test_an_api_version_is_needed_and_checked(lab, arm_client):
    """An unknown one is refused with the list of those accepted."""
    with pytest.raises(HttpResponseError, match="2025-04-01") as refused:
        arm_client.get(RG, api="1999-01-01")
    assert refused.value.error.code == "InvalidApiVersionParameter"
    token = lab.credential().get_token(f"{lab.server.url}/.default").token
    answer = requests.get(
        f"{lab.server.url}{lab.subscription}",
        headers={"Authorization": f"Bearer {token}"},
        verify=lab.ca_file,
        timeout=10,
    )
    assert answer.json()["error"]["code"] == "MissingApiVersionParameter"


def test_every_answer_can_be_traced_and_counted(arm_client):
    """Request ids and what is left of the budget."""
    first, second = (arm_client.raw("GET", RG).headers for _ in range(2))
    assert first["x-ms-request-id"] != second["x-ms-request-id"]
    key = "x-ms-ratelimit-remaining-subscription-reads"
    assert int(first[key]) > 0


def test_another_subscription_does_not_exist(arm_client):
    """404 SubscriptionNotFound."""
    with pytest.raises(ResourceNotFoundError) as missing:
        arm_client.get("/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg")
    assert missing.value.error.code == "SubscriptionNotFound"


def test_a_throttled_answer_is_repeated_by_the_sdk(lab, arm_client):
    """Two 429 with a wait, then the answer; the rule is used up."""
    rule = arm.FaultRule(
        path="*/resourcegroups/rg",
        method="GET",
        status=429,
        code="TooManyRequests",
        retry_after_seconds=0.01,
        times=2,
    )
    lab.call(lab.server.faults.add, rule)
    assert arm_client.get(RG)["name"] == "rg"
    assert lab.server.faults.list() == {}


def test_an_unavailable_service_answers_503(lab, make_arm):
    """Without retries the fault is seen as it is, and clearing it ends it."""
    client = make_arm(lab, retry_total=0)
    rule = arm.FaultRule(path="*", status=503, code="ServiceUnavailable", times=99)
    id_ = lab.call(lab.server.faults.add, rule)
    with pytest.raises(HttpResponseError) as failed:
        client.get("/resourceGroups")
    assert (failed.value.status_code, failed.value.error.code) == (503, "ServiceUnavailable")
    lab.call(lab.server.faults.clear, id_)
    assert client.get("/resourceGroups")["value"] == []


def test_the_next_operation_can_be_made_to_fail(lab, aks, cluster_body):
    """A rule without a status fails a long-running operation with its code; then all is well."""
    rule = arm.FaultRule(
        path="*/managedClusters/*",
        method="create",
        code="OutOfCapacity",
        message="No capacity in this zone.",
    )
    lab.call(lab.server.faults.add, rule)
    with pytest.raises(HttpResponseError, match="No capacity") as failed:
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    assert failed.value.error.code == "OutOfCapacity"
    assert aks.managed_clusters.get("rg", "one").properties.provisioning_state == "Failed"
    found = aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    assert found.properties.provisioning_state == "Succeeded"


def test_a_bucket_of_a_cluster_empties(make_lab, make_arm, make_aks, cluster_body):
    """AKS answers 429 Throttled with whole seconds when a cluster is put too often."""
    lab = make_lab(throttling_scale=0.1)
    make_arm(lab).put(RG, {"location": "eastus"})
    aks = make_aks(lab, retry_total=0)
    for _ in range(2):
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).wait(20)
    with pytest.raises(HttpResponseError) as throttled:
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body())
    assert (throttled.value.status_code, throttled.value.error.code) == (429, "Throttled")
    assert int(throttled.value.response.headers["Retry-After"]) >= 1


def test_timed_operations_take_their_scaled_time(make_lab, make_arm):
    """Poll hints below a second are milliseconds, and the operation ends by itself."""
    timing = arm.Timing(by_type={"Microsoft.Resources/resourceGroups": 15.0}, factor=0.01)
    client = make_arm(make_lab(timing=timing))
    client.put(RG, {"location": "eastus"})
    answer = client.raw("DELETE", RG)
    assert answer.status_code == 202
    assert "Retry-After" not in answer.headers
    assert int(answer.headers["retry-after-ms"]) == 20
    client.delete(RG)
    with pytest.raises(ResourceNotFoundError):
        client.get(RG)


def test_a_malformed_body_is_refused(lab):
    """400 InvalidRequestContent, not a crash."""
    token = lab.credential().get_token(f"{lab.server.url}/.default").token
    answer = requests.put(
        f"{lab.server.url}{lab.subscription}{RG}?api-version=2025-04-01",
        data=b"{not json",
        headers={"Authorization": f"Bearer {token}"},
        verify=lab.ca_file,
        timeout=10,
    )
    assert answer.json()["error"]["code"] == "InvalidRequestContent"

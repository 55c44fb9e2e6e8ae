"""Azure's credential that expires, is revoked or loses its role while an operation runs."""

import pytest
from azure.identity import ClientSecretCredential

from azrunbook import arm as arm_adapter, errors
from azrunbook.sandbox import arm

GROUP_VERSION = "2025-04-01"
BY_HAND = arm.Timing(by_type={"Microsoft.Resources/resourceGroups:delete": "manual"})


def sign_in(azure):
    """A client as another process would make it, with no token yet."""
    credential = ClientSecretCredential(
        azure.settings.tenant_id, azure.settings.client_id, azure.settings.client_secret,
        authority=azure.server.url, disable_instance_discovery=True,
        connection_verify=str(azure.ca_bundle),
    )  # fmt: skip
    return arm_adapter.ArmClient(
        credential, azure.server.url, ca_bundle=azure.ca_bundle, polling_interval_seconds=0.05
    )


@pytest.fixture
def begin(make_azure):
    """Start an operation that ends when it is told to; returns Azure, the group and the poller."""

    def start(**settings):
        azure = make_azure(timing=BY_HAND, **settings)
        group = f"/subscriptions/{azure.subscription}/resourceGroups/rg-a"
        made = azure.arm.begin_put(group, GROUP_VERSION, {"location": "eastus"})
        azure.arm.wait(made, what="put group", timeout=20)
        return azure, group, azure.arm.begin_delete(group, GROUP_VERSION)

    return start


def test_a_token_that_expires_during_an_operation_is_renewed_silently(begin):
    """The operation goes on past the first token's end, and nobody is told."""
    azure, group, poller = begin(token_lifetime_seconds=1)
    issued, told = azure.server.identity._issued, []
    first = next(iter(issued))

    def wait(seconds):
        azure.arm.wait(poller, what="delete group", timeout=seconds, progress=told.append)

    is_valid = True
    while is_valid:  # one look more when it has expired
        is_valid = azure.call(azure.server.identity.is_valid, first)
        with pytest.raises(errors.WaitTimeoutError, match="InProgress"):
            wait(0.3)
    azure.call(azure.server.operations.advance)
    wait(20)
    assert azure.arm.find(group, GROUP_VERSION) is None
    assert azure.aks.find("rg-a", "nowhere") is None  # the typed client has the same credential
    assert len(issued) > 1
    assert {one.rpartition(": ")[2] for one in told} <= {"InProgress", "Succeeded"}


def test_a_credential_revoked_during_an_operation_is_said_and_nothing_is_lost(begin):
    """The error says what to do; who signs in later finds that the operation has gone on."""
    azure, group, poller = begin()
    azure.call(azure.server.identity.revoke)
    said = r"delete group: Azure refuses the credential .*Expected one that is valid.*run it again"
    with pytest.raises(errors.ConnectError, match=said):
        azure.arm.wait(poller, what="delete group", timeout=20)
    later = sign_in(azure)
    with pytest.raises(errors.ConnectError, match="AADSTS7000215"):
        later.get(group, GROUP_VERSION)
    azure.call(lambda: azure.server.identity.revoke(is_revoked=False))
    again = later.begin_delete(group, GROUP_VERSION)
    azure.call(azure.server.operations.advance)
    later.wait(again, what="delete group", timeout=20)
    assert later.find(group, GROUP_VERSION) is None
    later.close()


@pytest.mark.parametrize(
    ("code", "advice"),
    [("AuthorizationFailed", True), ("LinkedAuthorizationFailed", True),
     ("RequestDisallowedByPolicy", False)],
)  # fmt: skip
def test_a_role_that_is_taken_away_is_asked_for(begin, code, advice):
    """While polling, too; what a policy forbids is another matter."""
    azure, _, poller = begin()
    azure.call(
        azure.server.faults.add, arm.FaultRule("*", "GET", 403, code, "not for you.", times=9)
    )
    with pytest.raises(errors.StepError, match=f"delete group: {code}: not for you") as caught:
        azure.arm.wait(poller, what="delete group", timeout=20)
    assert ("Expected a role" in str(caught.value)) == advice

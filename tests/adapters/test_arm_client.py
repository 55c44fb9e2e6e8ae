"""The ARM client and the AKS client against the ARM server: real requests, real pollers."""

import pytest
from azure.identity import ClientSecretCredential

from azrunbook import arm as arm_adapter, errors, resources
from azrunbook.resources import model
from azrunbook.sandbox import arm, tls

GROUP_VERSION = "2025-04-01"


@pytest.fixture
def group(azure):
    """A resource group's id and body."""
    return f"/subscriptions/{azure.subscription}/resourceGroups/rg-a", {"location": "eastus"}


def test_what_was_put_can_be_read_and_deleted(azure, group):
    """The poller's result is the resource; after its deletion it is not found."""
    resource_id, body = group
    poller = azure.arm.begin_put(resource_id, GROUP_VERSION, body)
    made = azure.arm.wait(poller, what="put group", timeout=10)
    assert (made["name"], azure.arm.get(resource_id, GROUP_VERSION)["location"]) == (
        "rg-a",
        "eastus",
    )
    gone = azure.arm.begin_delete(resource_id, GROUP_VERSION)
    assert azure.arm.wait(gone, what="delete group", timeout=10) is None
    assert azure.arm.find(resource_id, GROUP_VERSION) is None


def test_getting_what_is_not_there_says_what_is_missing(azure, group):
    """Get raises, with ARM's own code and message."""
    with pytest.raises(errors.NotFoundError, match=r"ResourceGroupNotFound.*rg-a"):
        azure.arm.get(group[0], GROUP_VERSION)


def test_a_wrong_credential_is_a_connection_problem(azure, group):
    """The error says to sign in again and does not tell the secret."""
    with pytest.raises(errors.ConnectError, match="refuses the credential") as caught:
        azure.bad.get(group[0], GROUP_VERSION)
    assert "planted-secret" not in str(caught.value)


def test_a_refused_request_carries_azures_code_and_message(provisioned, dv):
    """An unsupported version is a 400 that no repetition cures."""
    made = _find_cluster(provisioned, dv)
    properties = {**made.body["properties"], "kubernetesVersion": "1.10"}
    with pytest.raises(errors.StepError, match="K8sVersionNotSupported"):
        provisioned.aks.begin_create_or_update(
            "rg-aks-primary-eastus", made.name, {**made.body, "properties": properties}
        )


def test_the_whole_estate_comes_to_be_and_then_nothing_is_left_to_do(provisioned, dv):
    """A plan made from what Azure answers after applying is empty."""
    desired = resources.desired_resources(dv, provisioned.subscription)
    actual = {one.id: provisioned.arm.find(one.id, one.api_version) for one in desired}
    changes = resources.plan_changes(desired, actual)
    assert [change for change in changes if change.action != "no_change"] == []


def test_a_group_lists_what_it_holds(make_azure, dv):
    """Listing follows pages and returns every resource of the group."""
    azure = make_azure(page_size=2)
    _provision(azure, dv)
    path = f"/subscriptions/{azure.subscription}/resourceGroups/rg-aks-primary-eastus"
    names = [one["name"] for one in azure.arm.list(f"{path}/resources", GROUP_VERSION)]
    assert sorted(names) == [
        "aks-multiregion-cluster",
        "id-aks-multiregion-cluster-eastus",
        "id-aks-multiregion-cluster-kubelet-eastus",
        "id-hello-world-eastus",
        "nsg-snet-endpoints",
        "nsg-snet-nodes",
        "vnet-eastus",
    ]


def test_a_cluster_stops_and_starts_and_tells_its_state(provisioned, dv):
    """Stopping waits for the operation; the power state is Azure's, not a guess."""
    told = []
    where = ("rg-aks-primary-eastus", dv.cluster.name)
    provisioned.aks.stop(*where, timeout=20, progress=told.append)
    assert provisioned.aks.get(*where).power == "Stopped"
    provisioned.aks.start(*where, timeout=20)
    assert provisioned.aks.get(*where).power == "Running"


def test_a_busy_cluster_is_waited_for(make_azure, dv):
    """A second request during an operation is repeated until the first has ended."""
    slow = arm.Timing(by_type={"Microsoft.ContainerService/managedClusters:stop": 0.5})
    azure = make_azure(timing=slow)
    _provision(azure, dv)
    where = ("rg-aks-primary-eastus", dv.cluster.name)
    told = []
    stopping = azure.aks.begin_stop(*where)
    starting = azure.aks.begin_start(*where, progress=told.append)
    azure.aks.wait(stopping, what="stop", timeout=20)
    azure.aks.wait(starting, what="start", timeout=20)
    assert any("OperationNotAllowed" in one and "in progress" in one for one in told)
    assert azure.aks.get(*where).power == "Running"


def test_a_busy_cluster_is_not_waited_for_longer_than_asked(make_azure, dv):
    """After its patience the refusal counts, with what was last seen."""
    azure = make_azure(
        timing=arm.Timing(by_type={"Microsoft.ContainerService/managedClusters:stop": "manual"})
    )
    _provision(azure, dv)
    where = ("rg-aks-primary-eastus", dv.cluster.name)
    azure.aks.begin_stop(*where)
    with pytest.raises(errors.WaitTimeoutError, match="OperationNotAllowed"):
        azure.aks.begin_start(*where, patience=0.2)


def test_an_operation_past_its_deadline_says_how_far_it_got(make_azure, dv):
    """The wait ends, the operation goes on, and the state is told."""
    azure = make_azure(
        timing=arm.Timing(by_type={"Microsoft.ContainerService/managedClusters:stop": "manual"})
    )
    _provision(azure, dv)
    with pytest.raises(errors.WaitTimeoutError, match="InProgress"):
        azure.aks.stop("rg-aks-primary-eastus", dv.cluster.name, timeout=0.5)


def test_versions_come_newest_first_with_their_plans(azure):
    """The long-term-support plan shows where standard support has ended."""
    versions = azure.aks.list_kubernetes_versions("eastus")
    by_name = {one.version: one.support_plans for one in versions}
    assert "KubernetesOfficial" in by_name["1.36"]
    assert by_name["1.32"] == ("AKSLongTermSupport",)
    assert versions[0].version > versions[-1].version


def test_credentials_are_the_clusters_own_kubeconfig(provisioned, dv):
    """The kubeconfig arrives decoded."""
    text = provisioned.aks.get_credentials("rg-aks-secondary-westus2", dv.cluster.name)
    assert "current-context" in text
    assert "rg-aks-secondary-westus2" in text


def test_a_cluster_that_is_not_there_is_none_or_an_error(provisioned):
    """Find and get keep their promises."""
    assert provisioned.aks.find("rg-aks-primary-eastus", "nowhere") is None
    with pytest.raises(errors.NotFoundError, match="nowhere"):
        provisioned.aks.get("rg-aks-primary-eastus", "nowhere")


def _provision(azure, dv):
    """The primary's group, network and cluster."""
    for one in resources.desired_resources(dv, azure.subscription):
        is_peering = one.type == model.PEERING  # needs the other region's network
        if "/rg-aks-primary-eastus" in one.id and not is_peering:
            azure.put(one)


@pytest.mark.parametrize(
    ("status", "code"), [(429, "TooManyRequests"), (503, "ServiceUnavailable"), (409, "Busy")]
)
def test_a_passing_refusal_is_not_an_error(azure, group, status, code):
    """Throttling, an outage of seconds and another operation are waited out."""
    azure.call(
        azure.server.faults.add,
        arm.FaultRule("*/rg-a", "PUT", status, code, "An operation is in progress.", 0.05, times=2),
    )
    poller = azure.arm.begin_put(group[0], GROUP_VERSION, group[1])
    assert azure.arm.wait(poller, what="put group", timeout=10)["name"] == "rg-a"


def test_a_failed_operation_carries_its_own_error(azure, dv):
    """The operation's answer is 200; what it says is the error."""
    _provision(azure, dv)
    azure.call(
        azure.server.faults.add,
        arm.FaultRule("*", "stop", code="ControlPlaneStopFailed", message="no quorum"),
    )
    with pytest.raises(errors.StepError, match=r"stop cluster .*ControlPlaneStopFailed: no quorum"):
        azure.aks.stop("rg-aks-primary-eastus", dv.cluster.name, timeout=20)


def _find_cluster(azure, dv):
    return azure.aks.get("rg-aks-primary-eastus", dv.cluster.name)


def test_a_wrong_authority_is_named_as_such_and_not_as_a_refused_credential(azure, tmp_path):
    """azure-identity calls it a failed authentication; signing in again would not help."""
    bundle = tmp_path / "other.pem"
    bundle.write_bytes(tls.Authority().certificate_pem)
    credential = ClientSecretCredential(
        azure.settings.tenant_id,
        azure.settings.client_id,
        "planted-secret",
        authority=azure.server.url,
        disable_instance_discovery=True,
        connection_verify=str(bundle),
        retry_total=0,
    )
    client = arm_adapter.ArmClient(
        credential, azure.server.url, ca_bundle=bundle, polling_interval_seconds=1
    )
    said = (
        r"127\.0\.0\.1:\d+ does not prove to be 127\.0\.0\.1: unable to get local issuer.* It "
        r"presented a certificate for .*127\.0\.0\.1.*expected one for 127\.0\.0\.1.*ca_bundle"
    )
    with pytest.raises(errors.ConnectError, match=said):
        client.get(f"/subscriptions/{azure.subscription}", "2022-12-01")
    client.close()

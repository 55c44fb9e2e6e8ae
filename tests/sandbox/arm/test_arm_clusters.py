"""Managed clusters through the typed AKS client."""

import base64

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from azrunbook.sandbox import arm


@pytest.fixture
def cluster(aks, cluster_body):
    """A cluster that exists."""
    return aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)


def test_a_created_cluster_has_what_azure_fills_in(cluster):
    """The finished document carries the read-only fields."""
    properties = cluster.properties
    assert properties.provisioning_state == "Succeeded"
    assert properties.current_kubernetes_version == "1.36.2"
    assert properties.power_state.code == "Running"
    assert properties.node_resource_group == "MC_rg_one_eastus"
    assert properties.fqdn.endswith(".hcp.eastus.azmk8s.io")
    assert properties.agent_pool_profiles[0].node_image_version.startswith("AKSUbuntu")


def test_the_first_answer_is_201_with_creating_and_no_address(arm_client, cluster_body):
    """The document of a cluster in progress says so and knows no fqdn."""
    path = "/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/one"
    response = arm_client.raw("PUT", path, cluster_body())
    body = response.json()
    assert response.status_code == 201
    assert body["properties"]["provisioningState"] == "Creating"
    assert body["properties"]["agentPoolProfiles"][0]["provisioningState"] == "Creating"
    assert "fqdn" not in body["properties"]
    assert "/locations/eastus/operations/" in response.headers["Azure-AsyncOperation"]


@pytest.mark.usefixtures("cluster")
def test_the_backend_gets_the_declared_cluster(lab):
    """The request names version, pools and counts."""
    wanted = lab.clusters.ensured[-1]
    assert (wanted.name, wanted.location, wanted.kubernetes_version) == ("one", "eastus", "1.36.2")
    assert [(p.name, p.count, p.vm_size, p.mode) for p in wanted.pools] == [
        ("systempool", 3, "Standard_D2s_v3", "System")
    ]


def test_an_identical_put_converges(aks, cluster, cluster_body):
    """The same PUT again ends in the same document, apart from its version tag."""
    again = aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    assert _plain(again) == _plain(cluster)


def test_a_cluster_can_be_listed_and_found_in_any_letter_case(aks, cluster):
    """Lists show it; ids match without regard to case and answer with the case of creation."""
    assert [found.name for found in aks.managed_clusters.list()] == ["one"]
    assert [found.name for found in aks.managed_clusters.list_by_resource_group("RG")] == ["one"]
    assert aks.managed_clusters.get("RG", "ONE").id == cluster.id


@pytest.mark.usefixtures("cluster")
def test_delete_removes_the_cluster_and_its_backend(lab, aks):
    """After the delete the cluster is gone; a second delete has nothing to do."""
    aks.managed_clusters.begin_delete("rg", "one").result(20)
    with pytest.raises(ResourceNotFoundError) as missing:
        aks.managed_clusters.get("rg", "one")
    assert missing.value.error.code == "ResourceNotFound"
    assert ("delete", "one") in lab.clusters.calls
    aks.managed_clusters.begin_delete("rg", "one").result(20)


def test_tags_are_patched(aks, cluster):
    """PATCH replaces the tags and nothing else."""
    found = aks.managed_clusters.begin_update_tags("rg", "one", {"tags": {"a": "b"}}).result(20)
    assert found.tags == {"a": "b"}
    assert found.properties.fqdn == cluster.properties.fqdn


@pytest.mark.usefixtures("cluster")
def test_a_stopped_cluster_only_starts_or_goes(lab, aks, cluster_body):
    """Stop changes the power state; writes are refused until the start."""
    aks.managed_clusters.begin_stop("rg", "one").result(20)
    assert aks.managed_clusters.get("rg", "one").properties.power_state.code == "Stopped"
    with pytest.raises(ResourceExistsError, match="stopped") as refused:
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body())
    assert refused.value.error.code == "OperationNotAllowed"
    aks.managed_clusters.begin_start("rg", "one").result(20)
    assert aks.managed_clusters.get("rg", "one").properties.power_state.code == "Running"
    assert [verb for verb, _ in lab.clusters.calls] == ["ensure", "stop", "start"]


@pytest.mark.usefixtures("cluster")
def test_stopping_a_stopped_cluster_has_nothing_to_do(lab, aks):
    """The second stop answers at once and asks nothing of the backend."""
    for _ in range(2):
        aks.managed_clusters.begin_stop("rg", "one").result(20)
    assert [verb for verb, _ in lab.clusters.calls] == ["ensure", "stop"]


@pytest.mark.usefixtures("cluster")
def test_credentials_are_the_backends_kubeconfig(aks):
    """Both kinds of credential carry a kubeconfig in base64."""
    user = aks.managed_clusters.list_cluster_user_credentials("rg", "one").kubeconfigs[0]
    admin = aks.managed_clusters.list_cluster_admin_credentials("rg", "one").kubeconfigs[0]
    assert (user.name, admin.name) == ("clusterUser", "clusterAdmin")
    assert b"clusterAdmin of" in bytes(admin.value) or b"clusterAdmin of" in base64.b64decode(
        admin.value
    )


def test_admin_credentials_are_refused_without_local_accounts(aks, cluster_body):
    """Setting disableLocalAccounts closes the admin kubeconfig, not the user's."""
    body = cluster_body(disableLocalAccounts=True)
    aks.managed_clusters.begin_create_or_update("rg", "two", body).result(20)
    with pytest.raises(HttpResponseError, match="local accounts"):
        aks.managed_clusters.list_cluster_admin_credentials("rg", "two")
    assert aks.managed_clusters.list_cluster_user_credentials("rg", "two").kubeconfigs


@pytest.mark.usefixtures("cluster")
def test_versions_and_upgrades_are_listed(aks):
    """The list of versions has its odd shape; the newest version has no upgrade."""
    found = {
        v.version: v
        for v in aks.managed_clusters.list_kubernetes_versions("eastus").values_property
    }
    assert found["1.36"].is_default
    assert found["1.32"].capabilities.support_plan == ["AKSLongTermSupport"]
    assert list(found["1.35"].patch_versions["1.35.6"].upgrades) == ["1.36.2"]
    profile = aks.managed_clusters.get_upgrade_profile("rg", "one").properties
    assert profile.control_plane_profile.kubernetes_version == "1.36.2"
    assert not profile.control_plane_profile.upgrades


@pytest.mark.parametrize(
    ("changes", "sku", "code"),
    [
        ({"kubernetesVersion": "1.99"}, {}, "K8sVersionNotSupported"),
        ({"kubernetesVersion": "1.32"}, {}, "K8sVersionNotSupported"),
        ({"kubernetesVersion": "1.32"}, {"tier": "Premium"}, "K8sVersionNotSupported"),
        ({"supportPlan": "AKSLongTermSupport"}, {"tier": "Standard"}, "BadRequest"),
        ({"agentPoolProfiles": []}, {}, "InvalidParameter"),
    ],
)
def test_a_cluster_azure_would_refuse_is_refused(aks, cluster_body, changes, sku, code):
    """Versions, support plans and missing system pools are judged before anything is stored."""
    body = cluster_body(**changes)
    body["sku"] |= sku
    with pytest.raises(HttpResponseError) as refused:
        aks.managed_clusters.begin_create_or_update("rg", "bad", body)
    assert (refused.value.status_code, refused.value.error.code) == (400, code)
    assert list(aks.managed_clusters.list()) == []


def test_a_long_term_version_is_accepted_with_long_term_support(aks, cluster_body):
    """1.32 runs on tier Premium with the LTS plan."""
    body = cluster_body(kubernetesVersion="1.32", supportPlan="AKSLongTermSupport")
    body["sku"] = {"name": "Base", "tier": "Premium"}
    found = aks.managed_clusters.begin_create_or_update("rg", "lts", body).result(20)
    assert found.properties.current_kubernetes_version == "1.32.11"


@pytest.mark.usefixtures("cluster")
def test_an_immutable_property_cannot_change(aks, cluster_body):
    """A new dnsPrefix is refused, by name."""
    with pytest.raises(HttpResponseError, match="dnsPrefix") as refused:
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body(dnsPrefix="other"))
    assert refused.value.error.code == "PropertyChangeNotAllowed"


@pytest.mark.usefixtures("cluster")
def test_a_stale_etag_is_refused(aks, cluster_body):
    """If-Match with an old tag answers 412."""
    with pytest.raises(ResourceModifiedError):
        aks.managed_clusters.begin_create_or_update(
            "rg", "one", cluster_body(), etag="old", match_condition=MatchConditions.IfNotModified
        )
    tag = aks.managed_clusters.get("rg", "one").e_tag
    aks.managed_clusters.begin_create_or_update(
        "rg", "one", cluster_body(), etag=tag, match_condition=MatchConditions.IfNotModified
    ).result(20)


def test_a_second_write_waits_for_the_first(make_lab, make_arm, make_aks, cluster_body):
    """While one operation runs, another answers 409 and names it; then it is allowed."""
    lab = make_lab(
        timing=arm.Timing(by_type={"Microsoft.ContainerService/managedClusters": "manual"})
    )
    make_arm(lab).put("/resourceGroups/rg", {"location": "eastus"})
    aks = make_aks(lab)
    poller = aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body())
    with pytest.raises(ResourceExistsError, match="in progress create managed cluster") as refused:
        aks.managed_clusters.begin_stop("rg", "one")
    assert refused.value.error.code == "OperationNotAllowed"
    assert not poller.done()
    assert lab.call(lab.server.operations.advance) == 1
    assert poller.result(20).properties.provisioning_state == "Succeeded"


def test_an_aborted_create_ends_canceled(make_lab, make_arm, make_aks, cluster_body):
    """Abort cancels the running operation and leaves the cluster in Canceled."""
    lab = make_lab(
        timing=arm.Timing(by_type={"Microsoft.ContainerService/managedClusters:create": "manual"})
    )
    make_arm(lab).put("/resourceGroups/rg", {"location": "eastus"})
    aks = make_aks(lab)
    poller = aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body())
    aks.managed_clusters.begin_abort_latest_operation("rg", "one").result(20)
    with pytest.raises(HttpResponseError, match="Canceled"):
        poller.result(20)
    assert aks.managed_clusters.get("rg", "one").properties.provisioning_state == "Canceled"
    with pytest.raises(ResourceExistsError, match="no operation in progress"):
        aks.managed_clusters.begin_abort_latest_operation("rg", "one")


def test_a_failing_backend_fails_the_operation_and_a_retry_heals(lab, aks, cluster_body):
    """The operation carries the backend's code; the cluster is Failed until the next PUT."""
    lab.clusters.failure = arm.BackendError("NodesNotReady", "no node came up")
    with pytest.raises(HttpResponseError, match="no node came up") as failed:
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    assert failed.value.error.code == "NodesNotReady"
    assert aks.managed_clusters.get("rg", "one").properties.provisioning_state == "Failed"
    lab.clusters.failure = None
    found = aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    assert found.properties.provisioning_state == "Succeeded"


@pytest.mark.usefixtures("cluster")
def test_a_failed_stop_leaves_the_cluster_running(lab, aks):
    """The power state changes only when the backend has done it."""
    lab.clusters.failure = arm.BackendError("StopFailed", "a node does not answer")
    with pytest.raises(HttpResponseError, match="a node does not answer"):
        aks.managed_clusters.begin_stop("rg", "one").result(20)
    found = aks.managed_clusters.get("rg", "one").properties
    assert (found.power_state.code, found.provisioning_state) == ("Running", "Failed")


def test_an_upgrade_goes_one_minor_at_a_time(aks, cluster_body):
    """1.34 to 1.36 is refused and names the way; 1.35 is accepted."""
    body = cluster_body(kubernetesVersion="1.34")
    aks.managed_clusters.begin_create_or_update("rg", "one", body).result(20)
    with pytest.raises(HttpResponseError, match=r"Available upgrades: \[1.35.6\]"):
        aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body())
    body = cluster_body(kubernetesVersion="1.35")
    found = aks.managed_clusters.begin_create_or_update("rg", "one", body).result(20)
    assert found.properties.current_kubernetes_version == "1.35.6"


def _plain(cluster):
    body = cluster.as_dict()
    body.pop("eTag")
    for pool in body["properties"]["agentPoolProfiles"]:
        pool.pop("eTag")
    return body

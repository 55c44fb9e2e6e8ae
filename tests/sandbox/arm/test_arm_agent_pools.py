"""Node pools through the typed AKS client: scaling, rules, quota, subnets."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from azrunbook.sandbox import arm

VNET = "/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet"
USAGES = "/providers/Microsoft.Compute/locations/eastus/usages"


@pytest.fixture
def pools(aks, cluster_body):
    """The pool operations of a cluster that exists."""
    aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    return aks.agent_pools


def pool(**properties):
    return {"properties": {"count": 2, "vmSize": "Standard_F8s_v2", "mode": "User", **properties}}


def put(pools, name, body):
    return pools.begin_create_or_update("rg", "one", name, body).result(20)


def test_a_pool_is_added_scaled_and_removed(lab, pools):
    """Each step reaches the backend with all pools of the cluster."""
    created = put(pools, "cpu", pool(nodeLabels={"a": "b"}, availabilityZones=["1", "2"]))
    assert created.properties.provisioning_state == "Succeeded"
    assert put(pools, "cpu", pool(count=4)).properties.count == 4
    assert [(p.name, p.count) for p in lab.clusters.ensured[-1].pools] == [
        ("systempool", 3),
        ("cpu", 4),
    ]
    assert lab.clusters.ensured[-1].pools[1].labels == {"a": "b"}
    assert lab.clusters.ensured[-1].pools[1].zones == ("1", "2")
    pools.begin_delete("rg", "one", "cpu").result(20)
    assert [p.name for p in lab.clusters.ensured[-1].pools] == ["systempool"]
    assert [p.name for p in pools.list("rg", "one")] == ["systempool"]


def test_the_cluster_shows_its_pools(aks, pools):
    """The list agentPoolProfiles follows the pools."""
    put(pools, "cpu", pool())
    profiles = aks.managed_clusters.get("rg", "one").properties.agent_pool_profiles
    assert [(p.name, p.count) for p in profiles] == [("systempool", 3), ("cpu", 2)]


def test_a_pool_being_scaled_says_so(make_lab, make_arm, make_aks, cluster_body):
    """A pool in progress is Scaling; it and its cluster refuse a write, other pools take one."""
    kind = "Microsoft.ContainerService/managedClusters/agentPools"
    lab = make_lab(timing=arm.Timing(by_type={kind: "manual"}))
    make_arm(lab).put("/resourceGroups/rg", {"location": "eastus"})
    aks = make_aks(lab)
    aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()).result(20)
    body = pool(count=5, vmSize="Standard_D2s_v3", mode="System")
    poller = aks.agent_pools.begin_create_or_update("rg", "one", "systempool", body)
    assert aks.agent_pools.get("rg", "one", "systempool").properties.provisioning_state == "Scaling"
    refused = [
        lambda: aks.agent_pools.begin_create_or_update("rg", "one", "systempool", body),
        lambda: aks.managed_clusters.begin_create_or_update("rg", "one", cluster_body()),
    ]
    for write in refused:
        with pytest.raises(ResourceExistsError, match="agent pool systempool"):
            write()
    other = aks.agent_pools.begin_create_or_update("rg", "one", "other", pool())
    lab.call(lab.server.operations.advance)
    assert poller.result(20).properties.count == 5
    assert other.result(20).properties.provisioning_state == "Succeeded"


@pytest.mark.parametrize(
    ("name", "properties", "code"),
    [
        ("Cpu", {}, "InvalidParameter"),
        ("averyverylongname", {}, "InvalidParameter"),
        ("cpu", {"count": 1001}, "InvalidParameter"),
        ("cpu", {"count": -1}, "InvalidParameter"),
        ("sys", {"count": 0, "mode": "System"}, "InvalidParameter"),
        ("sys", {"vmSize": "Standard_B4ms", "mode": "System"}, "InvalidParameter"),
        ("sys", {"vmSize": "Standard_D1s_v5", "mode": "System"}, "SystemPoolSkuTooLow"),
        ("cpu", {"vmSize": "Standard_Nope"}, "BadRequest"),
        ("cpu", {"maxPods": 251}, "InvalidParameter"),
        ("cpu", {"orchestratorVersion": "1.99"}, "AgentPoolK8sVersionNotSupported"),
        ("cpu", {"orchestratorVersion": "1.32"}, "NodePoolMcVersionIncompatible"),
        ("cpu", {"enableAutoScaling": True}, "InvalidParameter"),
        ("cpu", {"count": 13}, "ErrCode_InsufficientVCPUQuota"),
        ("cpu", {"vnetSubnetID": "/subscriptions/s/nowhere"}, "InvalidParameter"),
    ],
)
def test_a_pool_azure_would_refuse_is_refused(pools, name, properties, code):
    """Names, counts, sizes, versions and quota are judged before anything is stored."""
    with pytest.raises(HttpResponseError) as refused:
        pools.begin_create_or_update("rg", "one", name, pool(**properties))
    assert (refused.value.status_code, refused.value.error.code) == (400, code)
    assert [p.name for p in pools.list("rg", "one")] == ["systempool"]


def test_a_user_pool_may_be_empty(pools):
    """Zero nodes are fine outside system pools."""
    assert put(pools, "cpu", pool(count=0)).properties.count == 0


def test_the_vm_size_cannot_change(pools):
    """Another size needs another pool."""
    put(pools, "cpu", pool())
    with pytest.raises(HttpResponseError, match="vmSize") as refused:
        put(pools, "cpu", pool(vmSize="Standard_F4s_v2"))
    assert refused.value.error.code == "PropertyChangeNotAllowed"


def test_the_last_system_pool_stays(pools):
    """Neither deletion nor a change of mode leaves a cluster without a system pool."""
    with pytest.raises(HttpResponseError, match="at least one system agent pool"):
        pools.begin_delete("rg", "one", "systempool")
    with pytest.raises(HttpResponseError, match="at least one system agent pool"):
        put(pools, "systempool", pool(vmSize="Standard_D2s_v3", mode="User"))


def test_quota_counts_what_clusters_use(arm_client, pools):
    """The usage list shows the same figures the refusal is made from."""
    put(pools, "cpu", pool(count=12))
    usage = {u["name"]["value"]: u for u in arm_client.get(USAGES)["value"]}
    assert usage["standardFSv2Family"]["currentValue"] == 96
    assert usage["standardDSv3Family"]["currentValue"] == 6
    with pytest.raises(HttpResponseError, match="requested 8, remaining 4 for family standardFSv2"):
        put(pools, "cpu", pool(count=13))


def test_a_quota_can_be_set_per_region_and_family(make_lab, make_arm, make_aks, cluster_body):
    """The settings' exceptions win over the common limit."""
    lab = make_lab(core_quotas={("eastus", "standarddsv3family"): 4})
    make_arm(lab).put("/resourceGroups/rg", {"location": "eastus"})
    with pytest.raises(HttpResponseError, match="requested 6, remaining 4"):
        make_aks(lab).managed_clusters.begin_create_or_update("rg", "one", cluster_body())


def test_a_subnet_with_a_pool_cannot_be_deleted(lab, arm_client, pools):
    """The refusal is Azure's, also when a PUT of the network leaves the subnet out."""
    space = {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}}
    subnet = {"name": "nodes", "properties": {"addressPrefix": "10.1.1.0/24"}}
    network = {"location": "eastus", "properties": {**space, "subnets": [subnet]}}
    arm_client.put(VNET, network)
    put(pools, "cpu", pool(vnetSubnetID=f"{lab.subscription}{VNET}/subnets/nodes"))
    without = {"location": "eastus", "properties": {**space, "subnets": []}}
    for method, path, body in [
        ("DELETE", f"{VNET}/subnets/nodes", None),
        ("DELETE", VNET, None),
        ("PUT", VNET, without),
    ]:
        with pytest.raises(HttpResponseError, match="in use by") as refused:
            arm_client.raw(method, path, body)
        assert refused.value.error.code == "InUseSubnetCannotBeDeleted"


def test_a_missing_pool_is_404_and_deletes_as_204(pools):
    """The usual answers of what is not there."""
    with pytest.raises(ResourceNotFoundError):
        pools.get("rg", "one", "nope")
    pools.begin_delete("rg", "one", "nope").result(20)


def test_the_pools_upgrade_is_the_control_planes_version(pools):
    """A pool already on it has no upgrade."""
    profile = pools.get_upgrade_profile("rg", "one", "systempool").properties
    assert (profile.kubernetes_version, profile.upgrades) == ("1.36.2", [])

"""Node pools through the typed AKS client against the ARM emulator."""

import pytest

from azrunbook import errors

CLUSTER = "aks-multiregion-cluster"


@pytest.fixture
def where(provisioned, dv):
    """The provisioned subscription, and the primary region's cluster."""
    return provisioned.aks, dv.regions["primary"].resource_group


def test_a_pool_is_given_more_nodes_and_keeps_all_else(where):
    """Only the count changes; asking for what is there asks for nothing."""
    aks, group = where
    before = aks.get_pool(group, CLUSTER, "cpuopt")
    aks.scale_pool(group, CLUSTER, "cpuopt", before.count + 1, timeout=20)
    after = aks.get_pool(group, CLUSTER, "cpuopt")
    assert (after.count, after.vm_size) == (before.count + 1, before.vm_size)
    volatile = {"count", "provisioningState", "eTag"}
    kept = [
        {key: value for key, value in one.body["properties"].items() if key not in volatile}
        for one in (before, after)
    ]
    assert kept[0] == kept[1]
    told = []
    aks.scale_pool(group, CLUSTER, "cpuopt", after.count, timeout=20, progress=told.append)
    assert told == []


def test_a_pool_that_is_not_there_is_named(where):
    """Reading and scaling say which pool and cluster."""
    aks, group = where
    with pytest.raises(errors.NotFoundError, match="node pool nosuch"):
        aks.scale_pool(group, CLUSTER, "nosuch", 3, timeout=5)


def test_more_nodes_than_the_quota_allows_are_refused(where):
    """Azure's own words reach the operator, and the pool keeps its size."""
    aks, group = where
    before = aks.get_pool(group, CLUSTER, "cpuopt").count
    with pytest.raises(errors.StepError, match=r"(?i)quota"):
        aks.scale_pool(group, CLUSTER, "cpuopt", 900, timeout=20)
    assert aks.get_pool(group, CLUSTER, "cpuopt").count == before

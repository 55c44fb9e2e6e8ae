"""Nodes of a pool as AKS names, labels and sizes them."""

import pytest

from azrunbook.sandbox.arm import backends
from azrunbook.sandbox.host import machines

CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"


def pool(**changes):
    given = {"name": "memopt", "count": 3, "vm_size": "Standard_E4s_v3", "mode": "User"}
    return backends.PoolRequest(**{**given, **changes})


def test_names_are_those_of_a_scale_set():
    """Pool, eight digits of the cluster, and the instance in base 36."""
    names = [one.name for one in machines.list_machines(CLUSTER, "eastus", pool(count=37))]
    assert names[0].startswith("aks-memopt-")
    assert names[0].endswith("-vmss000000")
    assert [name[-2:] for name in (names[9], names[10], names[35], names[36])] == [
        "09", "0a", "0z", "10",
    ]  # fmt: skip
    assert len(set(names)) == 37


def test_names_stay_when_a_pool_grows_and_differ_between_clusters():
    """Scaling adds nodes at the end; another cluster has other names."""
    two = machines.list_machines(CLUSTER, "eastus", pool(count=2))
    three = machines.list_machines(CLUSTER.upper(), "eastus", pool(count=3))
    assert [one.name for one in two] == [one.name for one in three[:2]]
    assert machines.list_machines(CLUSTER + "2", "eastus", pool())[0].name != two[0].name


def test_zones_take_turns():
    """Three nodes over two zones."""
    found = machines.list_machines(CLUSTER, "eastus", pool(zones=("1", "2")))
    zones = [one.labels["topology.kubernetes.io/zone"] for one in found]
    assert zones == ["eastus-1", "eastus-2", "eastus-1"]


def test_capacity_is_that_of_the_vm_size():
    """What the scheduler counts with."""
    capacity = machines.list_machines(CLUSTER, "eastus", pool(max_pods=30))[0].capacity
    assert (capacity["cpu"], capacity["memory"], capacity["pods"]) == ("4", "32Gi", "30")


@pytest.mark.parametrize(
    ("text", "taint"),
    [
        (
            "CriticalAddonsOnly=true:NoSchedule",
            {"key": "CriticalAddonsOnly", "value": "true", "effect": "NoSchedule"},
        ),
        ("gpu:NoExecute", {"key": "gpu", "effect": "NoExecute"}),
    ],
)
def test_taints_are_read_as_azure_writes_them(text, taint):
    """With and without a value."""
    assert machines.list_machines(CLUSTER, "eastus", pool(taints=(text,)))[0].taints == [taint]


def test_labels_of_the_pool_are_added():
    """Azure's own stay."""
    labels = machines.list_machines(CLUSTER, "eastus", pool(labels={"team": "a"}))[0].labels
    assert labels["team"] == "a"
    assert labels["kubernetes.azure.com/agentpool"] == "memopt"
    assert labels["node.kubernetes.io/instance-type"] == "Standard_E4s_v3"

"""Who may pull what: decided by the documents of the ARM store alone."""

import pytest

from azrunbook.sandbox.arm import paths, store
from azrunbook.sandbox.host import pull_rights
from azrunbook.sandbox.node import image as images

GROUP = "/subscriptions/s/resourceGroups/rg-shared"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/crdemo"
CLUSTER = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/c"
)
ROLES = {
    "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
    "Network Contributor": "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Contributor": "b24988ac-6180-42a0-ab88-20f7382dd24c",
}


def put(stored, id_, **properties):
    resource = paths.parse(id_)
    stored.put(resource, resource.type, {"properties": properties})


@pytest.fixture
def stored():
    """A registry and a cluster whose kubelets are the principal ``kubelet``."""
    found = store.Store()
    put(found, REGISTRY, loginServer="crdemo.azurecr.io")
    put(found, CLUSTER, identityProfile={"kubeletidentity": {"objectId": "kubelet"}})
    return found


def pull(stored, text="crdemo.azurecr.io/app:1", cluster=CLUSTER):
    """What the node is told; nothing when it may pull."""
    try:
        pull_rights.check(stored, cluster, images.parse_reference(text))
    except images.ImagePullError as error:
        return f"{'simulated, or ' if images.is_unrunnable(error) else ''}{error}"
    return ""


@pytest.mark.parametrize(
    ("scope", "role", "principal", "may"),
    [
        (REGISTRY, "AcrPull", "kubelet", True),
        (REGISTRY.upper(), "AcrPull", "kubelet", True),
        (GROUP, "AcrPull", "kubelet", True),
        ("/subscriptions/s", "Contributor", "kubelet", True),
        (REGISTRY, "Network Contributor", "kubelet", False),
        (REGISTRY, "AcrPull", "somebody", False),
        (f"{REGISTRY}other", "AcrPull", "kubelet", False),
        (f"{GROUP}-2", "AcrPull", "kubelet", False),
    ],
)
def test_a_role_on_the_registry_or_above_it_lets_a_cluster_pull(
    stored, scope, role, principal, may
):
    """Its kubelets' own role, one that reads, on this registry, its group or the subscription."""
    put(
        stored,
        f"{scope}/providers/Microsoft.Authorization/roleAssignments/one",
        scope=scope,
        principalId=principal,
        roleDefinitionId=f"/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}",
    )
    assert (pull(stored) == "") is may


def test_a_refused_pull_is_told_in_containerd_s_words(stored):
    """401 of the token service without a role, no such host without a registry.

    Only the second may be simulated: what is refused is there.
    """
    assert pull(stored).endswith(
        "GET request to https://crdemo.azurecr.io/oauth2/token?scope=repository%3Aapp%3Apull"
        "&service=crdemo.azurecr.io: 401 Unauthorized"
    )
    other = pull(stored, "crother.azurecr.io/app:1")
    assert "lookup crother.azurecr.io" in other
    assert "401" in pull(stored, cluster=f"{CLUSTER}-gone")
    simulated = [one.startswith("simulated") for one in (pull(stored), other)]
    assert simulated == [False, True]


def test_other_registries_are_not_azure_s_to_guard():
    """What Docker Hub or anybody else serves is no matter of roles."""
    hosts = ("crdemo.azurecr.io", "docker.io", "registry.example")
    assert [pull_rights.is_guarded(host) for host in hosts] == [True, False, False]

"""The preflight of provisioning against an ARM server: each obstacle is found, and named."""

import shutil
from pathlib import Path

import pytest
import yaml

from azrunbook import checks, connect, connection, errors
from azrunbook.procedures import preflights

ROOT = Path(__file__).parents[2]
NETWORK = "Microsoft.Network/virtualNetworks"


@pytest.fixture
def make_clients(make_azure, tmp_path):
    """Clients of an ARM server with settings and an estate file of the test's choice."""
    made = []

    def make(edit=None, **settings):
        azure = make_azure(**settings)
        project = tmp_path / "project"
        for folder in ("infra/dv", "kubernetes-config/dv"):
            shutil.copytree(ROOT / folder, project / folder)
        file = project / "infra/dv/estate.yaml"
        content = yaml.safe_load(file.read_text())
        if edit:
            edit(content)
        file.write_text(yaml.safe_dump(content))
        secret = tmp_path / "secret"
        secret.write_text(azure.settings.client_secret)
        target = connection.Connection(
            name="lab",
            subscription_id=azure.subscription,
            tenant_id=azure.settings.tenant_id,
            resource_manager=azure.server.url,
            authority=azure.server.url,
            credential=connection.Credential(
                client_id=azure.settings.client_id, client_secret_file=secret
            ),
            ca_bundle=azure.ca_bundle,
            polling_interval_seconds=0.02,
        )
        clients = connect.Clients(project, "dv", target)
        made.append(clients)
        return clients

    yield make
    for clients in made:
        clients.arm.close()
        clients.clusters.close()


def put(clients, path, body, api):
    """Make something in the subscription, as somebody else might have."""
    poller = clients.arm.begin_put(f"/subscriptions/{clients.subscription_id}{path}", api, body)
    clients.arm.wait(poller, what=path, timeout=20)


def put_network(clients, group, prefix):
    body = {"location": "westus2", "properties": {"addressSpace": {"addressPrefixes": [prefix]}}}
    put(clients, f"/resourceGroups/{group}/providers/{NETWORK}/theirs", body, "2025-01-01")


def failed(clients):
    return {one.name: one for one in preflights.check_all(clients) if not one.passed}


def test_an_empty_subscription_is_fit(make_clients):
    """Nothing is in the way, and what ages is said: five checks, and five of each region."""
    found = checks.CheckTable(preflights.check_all(make_clients()))
    assert found.passed, str(found)
    assert len(found) == 15
    sizes = next(one for one in found if one.name == "machine sizes in eastus")
    assert "Standard_F8s_v2 retires 2028-11-15" in sizes.found
    quota = next(one for one in found if one.name == "vCPU quota in eastus")
    # Seven nodes are 30 cores; each pool's upgrade adds one node.
    assert "44 cores" in quota.criterion


def nowhere(content):
    content["secondary"]["location"] = "marsnorth"


def old_version(content):
    content["cluster"]["kubernetes_version"] = "1.31"


def long_term_without_asking(content):
    content["cluster"]["kubernetes_version"] = "1.32"


def odd_size(content):
    content["node_pools"][2]["vm_size"] = "Standard_Z9s_v9"


@pytest.mark.parametrize(
    ("edit", "settings", "name", "said"),
    [
        (nowhere, {}, "region marsnorth", "no such region"),
        (old_version, {}, "Kubernetes version in eastus", "1.31: not offered"),
        (long_term_without_asking, {}, "Kubernetes version in westus2", "1.32: AKSLongTermSupport"),
        (odd_size, {}, "machine sizes in eastus", "Standard_Z9s_v9 not offered"),
        (None, {"core_quotas": {("westus2", "standardfsv2family"): 20}}, "vCPU quota in westus2",
         "standardFSv2Family needs 24, has 20 of 20"),
        (None, {"taken_names": frozenset({"stazrdveastus"})}, "names", "taken: stazrdveastus"),
        (None, {"taken_names": frozenset({"azrunbookdv"})}, "names", "taken: azrunbookdv"),
        (None, {"caller_role": "Contributor"}, "rights of the caller", "roleAssignments/write"),
        (None, {"unregistered": frozenset({"Microsoft.Cache"})}, "resource providers",
         "not registered: Microsoft.Cache"),
    ],
)  # fmt: skip
def test_an_obstacle_is_found_and_says_what_to_do(make_clients, edit, settings, name, said):
    """One thing is wrong: its check fails with what was found, and with advice."""
    found = failed(make_clients(edit, **settings))
    assert said in found[name].found
    assert found[name].advice


def test_names_that_are_ours_already_are_no_obstacle(make_clients):
    """A second run is not stopped by what the first one made."""
    clients = make_clients()
    put(clients, "/resourceGroups/rg-aks-global", {"location": "eastus"}, "2025-04-01")
    path = "/resourceGroups/rg-aks-global/providers/Microsoft.ContainerRegistry/registries"
    body = {"location": "eastus", "sku": {"name": "Premium"}}
    put(clients, f"{path}/azrunbookdv", body, "2025-11-01")
    assert failed(clients) == {}


def test_a_network_with_our_addresses_is_an_obstacle(make_clients):
    """It is named with its group."""
    clients = make_clients()
    put(clients, "/resourceGroups/rg-other", {"location": "eastus"}, "2025-04-01")
    put_network(clients, "rg-other", "10.2.3.0/24")
    assert failed(clients)["address ranges"].found == "theirs in rg-other"


@pytest.mark.parametrize("scope", ["", "/resourceGroups/rg-aks-global"])
def test_a_lock_against_changes_is_an_obstacle(make_clients, scope):
    """On the subscription or on a group of ours."""
    clients = make_clients()
    put(clients, "/resourceGroups/rg-aks-global", {"location": "eastus"}, "2025-04-01")
    lock = f"{scope}/providers/Microsoft.Authorization/locks/audit"
    put(clients, lock, {"properties": {"level": "ReadOnly"}}, "2020-05-01")
    assert lock in failed(clients)["locks"].found


def disable_the_second_region(content):
    content["secondary_enabled"] = False


def test_a_strange_resource_in_a_region_that_is_to_go_is_an_obstacle(make_clients):
    """A group is deleted whole, so it may hold only what is ours."""
    clients = make_clients(disable_the_second_region)
    group = "/resourceGroups/rg-aks-secondary-westus2"
    put(clients, group, {"location": "westus2"}, "2025-04-01")
    assert failed(clients) == {}
    put_network(clients, "rg-aks-secondary-westus2", "10.9.0.0/16")
    assert failed(clients)["what is removed is ours"].found == "theirs"


def test_a_region_that_does_not_answer_does_not_hide_the_others(make_clients):
    """Where Azure refuses to answer, that check fails with Azure's words; all others are made."""
    found = preflights.check_all(make_clients(nowhere))
    assert len(found) == 15
    refused = next(one for one in found if one.name == "vCPU quota in marsnorth")
    assert not refused.passed
    with pytest.raises(errors.PreflightError, match="no such region"):
        checks.require(found)

"""From the name of a target to clients: a connection file, Azure, and what is missing."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from azrunbook import binaries, connect, errors, secrets
from azrunbook.resources import model, network

HEAVY = {"azure", "kubernetes", "pyhelm3", "pandas", "matplotlib", "httpx", "azrunbook.sandbox"}
GROUP_VERSION = model.get_api_version(model.GROUP)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A state folder of this test's own, and nothing of the machine's Azure."""
    monkeypatch.setenv("AZRUNBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    return tmp_path / "home"


@pytest.fixture
def connection_file(azure, tmp_path):
    """What a sandbox writes, for the emulated Azure of this test."""
    secret = tmp_path / "secret"
    secret.write_text(azure.settings.client_secret)
    path = tmp_path / "connection.json"
    path.write_text(
        json.dumps(
            {
                "name": "here",
                "subscription_id": azure.subscription,
                "tenant_id": azure.settings.tenant_id,
                "resource_manager": azure.server.url,
                "authority": azure.server.url,
                "credential": {
                    "client_id": azure.settings.client_id,
                    "client_secret_file": str(secret),
                },
                "ca_bundle": str(azure.ca_bundle),
                "polling_interval_seconds": 0.05,
                "public_connect_to": "127.0.0.1:9",
                "chart_mirrors": {},
            }
        )
    )
    return str(path)


@pytest.fixture
def clients(connection_file):
    found = connect.connect("dv", connection_file)
    yield found
    found.arm.close()


def test_importing_the_seam_loads_no_sdk():
    """A command line has to answer before the SDKs are loaded."""
    program = "import sys, azrunbook.connect; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert HEAVY & set(done.stdout.split()) == set()


def test_without_a_sandbox_the_error_says_how_to_start_one():
    """The default target is not there yet."""
    with pytest.raises(errors.ConnectError, match="azrunbook sandbox up"):
        connect.connect("dv")


def test_azure_needs_a_subscription():
    """The error names the variable and where its value comes from."""
    with pytest.raises(errors.ConnectError, match=r"AZURE_SUBSCRIPTION_ID.*az account show"):
        connect.connect("dv", "azure")


def test_the_summary_tells_where_this_leads_and_no_secret(clients):
    """Target, subscription and identity were confirmed by Azure itself."""
    summary = clients.summary()
    assert summary.as_dict()["target"] == "here"
    assert clients.subscription_id in str(summary)
    for text in (str(summary), summary._repr_html_()):
        assert "planted-secret" not in text


def test_a_put_keeps_what_others_decided_and_a_delete_may_be_repeated(clients, dv):
    """A foreign tag stays; what is gone is as good as deleted."""
    (group, *_) = network.list_groups(dv, clients.subscription_id)
    clients.put(group.id, group.api_version, {**group.body, "tags": {"owner": "somebody"}})
    clients.put(group.id, group.api_version, group.body)
    tags = clients.arm.get(group.id, GROUP_VERSION)["tags"]
    assert tags == {**dv.tags, "owner": "somebody"}
    clients.delete(group.id, group.api_version)
    clients.delete(group.id, group.api_version)
    assert clients.arm.find(group.id, GROUP_VERSION) is None


@pytest.mark.usefixtures("provisioned")
def test_a_regions_credentials_stay_private(clients, home, monkeypatch):
    """The kubeconfig is readable by its owner only, and its token is a known secret."""
    monkeypatch.setenv("AZRUNBOOK_HELM", str(binaries.install("helm", "4.3.1").path))
    region = clients.region("eastus")
    assert stat.S_IMODE(region.kubeconfig.stat().st_mode) == 0o600
    assert region.kubeconfig.is_relative_to(home)
    assert clients.region("primary") is region
    assert secrets.scrub("it is planted-cluster-token") == "it is ***"


def test_a_region_without_a_cluster_is_said_to_have_none(clients):
    """Asking before provisioning names the cluster."""
    with pytest.raises(errors.NotFoundError, match="aks-multiregion-cluster"):
        clients.region("secondary")


def test_results_for_regions_come_in_their_order(clients):
    """Whoever is faster, the order is that of the question."""
    assert clients.for_each(str.upper, ["primary", "secondary"]) == ["PRIMARY", "SECONDARY"]

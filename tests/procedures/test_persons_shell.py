"""What a person types while the estate is up: kubectl and helm on the sandbox's kubeconfig."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EAST = "aks-multiregion-cluster-eastus"
WEST = "aks-multiregion-cluster-westus2"


def test_there_is_a_context_for_each_cluster_and_the_primary_is_current(estate):
    """Kubectl config says so."""
    names = estate.shell("kubectl", "config", "get-contexts", "-o", "name").stdout.split()
    assert names == sorted([EAST, WEST])
    assert estate.shell("kubectl", "config", "current-context").stdout.strip() == EAST


@pytest.mark.parametrize("context", [EAST, WEST])
def test_nodes_and_pods_are_listed(estate, context):
    """Three ready nodes, and the pods of ingress and application running on them."""
    said = estate.shell("kubectl", "get", "nodes,pods", "-A", "--context", context).stdout
    lines = said.splitlines()
    nodes = [line.split() for line in lines if "node/" in line]
    assert [node[1] for node in nodes if node[0].startswith("node/aks-")] == ["Ready"] * 3
    pods = [line.split() for line in lines if "pod/" in line]
    assert {(pod[0], pod[2], pod[3]) for pod in pods} == {
        ("hello-world", "1/1", "Running"),
        ("traefik", "1/1", "Running"),
    }


def test_the_system_pool_takes_no_application_pods(estate):
    """Its taint keeps them away, as on AKS."""
    pods = json.loads(estate.shell("kubectl", "get", "pods", "-A", "-o", "json").stdout)["items"]
    assert [pod["spec"]["nodeName"] for pod in pods if "system" in pod["spec"]["nodeName"]] == []


def test_a_rollout_is_waited_for(estate):
    """Kubectl rollout status says that it is done."""
    said = estate.shell(
        "kubectl", "rollout", "status", "deployment/hello-world", "-n", "hello-world"
    ).stdout
    assert "successfully rolled out" in said


def test_logs_come_from_the_process_itself(estate):
    """Gunicorn's own lines, by way of the API server and the node."""
    said = estate.shell(
        "kubectl", "logs", "deployment/hello-world", "-n", "hello-world", "--context", WEST
    ).stdout
    assert "gunicorn" in said.lower()


def test_a_service_of_the_ingress_has_an_address(estate):
    """The load balancer's address is in the wide listing."""
    said = estate.shell("kubectl", "get", "service", "-n", "traefik", "--no-headers").stdout
    assert "LoadBalancer" in said
    assert said.split()[3].startswith("127.")


def test_pods_are_described_with_their_events(estate):
    """Kubectl describe finds labels, node and events."""
    said = estate.shell("kubectl", "describe", "pods", "-n", "hello-world").stdout
    assert "Status:           Running" in said
    assert "Started container" in said or "Started" in said


@pytest.mark.parametrize("context", [EAST, WEST])
def test_helm_lists_both_releases(estate, context):
    """Helm list -A, in either region."""
    found = json.loads(
        estate.shell("helm", "list", "-A", "--kube-context", context, "-o", "json").stdout
    )
    assert {(one["name"], one["status"]) for one in found} == {
        ("hello-world", "deployed"),
        ("traefik", "deployed"),
    }


def test_helm_history_ends_with_what_is_deployed(estate):
    """Helm history of the ingress, in words."""
    said = estate.shell("helm", "history", "traefik", "-n", "traefik").stdout
    assert said.splitlines()[-1].split()[0].isdigit()
    assert "deployed" in said.splitlines()[-1]


def test_a_name_that_is_not_there_is_said_so(estate):
    """Kubectl's own words for a mistake."""
    done = estate.shell("kubectl", "get", "pod", "nobody", "-n", "hello-world", check=False)
    assert done.returncode == 1
    assert 'pods "nobody" not found' in done.stderr


def test_a_state_folder_may_be_given_from_the_current_one(estate):
    """The kernel works in another folder, and finds the same sandbox."""
    done = subprocess.run(
        [Path(sys.executable).with_name("azrunbook"), "run", "01_provision_estate"],
        env={**os.environ, "AZRUNBOOK_HOME": os.path.relpath(estate.home)},
        check=False,
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "planned" in done.stdout

"""One estate, provisioned once, on which runners are killed and stopped; each test mends it again.

The moment of a kill is taken from the journal or from Helm, so that it is the same one on every
machine. All of it is in one module because the estate takes most of a minute to make.
"""

import base64
import gzip
import json
import os
import re
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
import yaml
from crash_shell import assert_as_declared, assert_interrupted

from azrunbook import binaries
from azrunbook.sandbox import lifecycle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RELEASE, FAILOVER = "03_release_app", "06_fail_over_region"
EVERYWHERE = {"eastus": "Running", "westus2": "Running"}
_CREDENTIALS = {"client-key-data", "token", "password"}
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")  # a JSON web token


def list_statuses(shell):
    """Helm's word for the application's release in every region."""
    statuses = []
    kubeconfig = lifecycle.kubeconfig_path(shell.home)
    for context in yaml.safe_load(kubeconfig.read_text())["contexts"]:
        command = [binaries.require("helm").path, "list", "--all-namespaces", "--output=json"]
        where = ["--kubeconfig", kubeconfig, "--kube-context", context["name"]]
        found = json.loads(subprocess.check_output([*command, *where, "--filter=hello-world"]))
        statuses += [one["status"] for one in found]
    return statuses


def start_failover(shell, kind):
    """Start 06 and wait until the region is being stopped (step_started) or gone (step_done)."""
    run = shell.count_runs(FAILOVER) + 1
    process = shell.start("run", FAILOVER, "-p", "apply=true")
    shell.wait_for_entry(FAILOVER, kind, run=run, step="stop ")
    return process


def ask_clusters(shell, *arguments):
    """What kubectl finds in each cluster, as JSON."""
    kubeconfig = lifecycle.kubeconfig_path(shell.home)
    command = [binaries.require("kubectl").path, "--kubeconfig", kubeconfig, "get", "-o", "json"]
    environment = {**os.environ, "KUBECACHEDIR": str(shell.root / "kubectl")}
    return [
        json.loads(
            subprocess.check_output(
                [*command, *arguments, "--context", context["name"]], env=environment
            )
        )
        for context in yaml.safe_load(kubeconfig.read_text())["contexts"]
    ]


def list_secrets(shell):
    """Every credential of the sandbox: to sign in to Azure, to its clusters, and to its data."""
    connection = json.loads((shell.home / "sandbox" / "connection.json").read_text())
    found = [Path(connection["credential"]["client_secret_file"]).read_text().strip()]
    for file in (shell.home / "sandbox" / "kubeconfig", *(shell.home / "kube").glob("*.yaml")):
        users = [one["user"] for one in yaml.safe_load(file.read_text())["users"]]
        found += [user[name] for user in users for name in user.keys() & _CREDENTIALS]
    return [*found, *list_data_secrets(shell)]


def list_data_secrets(shell):
    """The connection strings of both regions, and the passwords and keys in them."""
    held = ask_clusters(shell, "secret", "hello-world-data", "-n", "hello-world")
    urls = [base64.b64decode(value).decode() for one in held for value in one["data"].values()]
    return [*urls, *(unquote(urlsplit(url).password) for url in urls)]


def list_forms(secret):
    """A secret as it is, decoded, line by line, in base64 at each offset, and quoted."""
    forms = {secret.encode(), quote(secret, safe="").encode()}
    for padding in range(3):
        encoded = base64.b64encode(b" " * padding + secret.encode())
        forms.add(encoded[4:-4])  # the ends depend on the neighbours
    if "BEGIN" in (decoded := _decode(secret)):
        forms |= {line.encode() for line in decoded.splitlines() if len(line) > 40}
        forms.add(json.dumps(decoded)[1:-1].encode())
    return forms


def _decode(secret):
    try:
        return base64.b64decode(secret, validate=True).decode()
    except ValueError:
        return ""


def list_files(*folders, pattern="*"):
    return [file for folder in folders for file in folder.rglob(pattern) if file.is_file()]


def find_holding(files, forms):
    """Files in which a secret stands, in any form."""
    contents = ((file, file.read_bytes()) for file in files)
    return [file for file, content in contents if any(form in content for form in forms)]


def test_the_second_run_changes_nothing(estate):
    """01, 02 and 03 again: every plan is all no_change, and no step is left to run."""
    procedures = ("01_provision_estate", "02_roll_out_ingress", RELEASE)
    done = estate.apply(*procedures)
    assert done.code == 0, done.said
    for name in procedures:
        result = estate.result(name)
        assert (result["verdict"], result["steps"]) == ("passed", []), name
        assert {k for k, count in result["plan_changes"].items() if count} == {"no_change"}, name


def test_a_release_killed_half_way_is_repaired_by_the_next_run(estate):
    """03 is killed while helm upgrades to another version; the next run brings the declared one."""
    process = estate.start("run", RELEASE, "-p", "apply=true", "-p", "version=9.9.9")
    estate.wait_for(lambda: "pending-upgrade" in list_statuses(estate), what="a pending upgrade")
    estate.kill(process)
    assert_interrupted(estate, RELEASE)
    assert "pending-upgrade" in list_statuses(estate)
    done = estate.apply(RELEASE)
    assert done.code == 0, done.said
    assert estate.result(RELEASE)["resumes"] == estate.find_folder(RELEASE, -2).name
    assert "left in pending-upgrade" in str(estate.result(RELEASE)["steps"])
    assert list_statuses(estate) == ["deployed", "deployed"]


def test_a_failover_is_undone_from_another_shell_after_a_kill(estate):
    """06 is killed when data and traffic are gone; undo brings both back and says undone."""
    estate.kill(start_failover(estate, "step_done"))
    assert_interrupted(estate, FAILOVER)
    assert estate.power() == {"eastus": "Stopped", "westus2": "Running"}
    done = estate.run("undo", FAILOVER)
    assert done.code == 0, done.said
    assert estate.power() == EVERYWHERE
    assert estate.result(FAILOVER)["verdict"] == "undone"
    undone = [
        one.data["step"].split()[0] for one in estate.read(FAILOVER) if one.kind == "undo_done"
    ]
    assert undone == ["stop", "promote", "promote"]  # it follows again, then it takes over
    assert estate.run("verify", FAILOVER).code == 0
    assert_as_declared(estate)


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGTERM, "step_started"), (signal.SIGINT, "step_done")]
)
def test_a_stopped_failover_starts_the_region_again(estate, number, kind):
    """06 is stopped while the region goes, and when it is gone: the runner brings it back."""
    process = start_failover(estate, kind)
    process.send_signal(number)
    done = estate.finish(process)
    assert (done.code, estate.result(FAILOVER)["verdict"]) == (1, "undone"), done.said
    assert estate.power() == EVERYWHERE
    told = [one.kind for one in estate.read(FAILOVER)]
    ending = ["failure", "undo_started", "undo_done", "end", "executed", "sealed"]
    # Several undos, of the data and of the region, one after the other.
    assert list(dict.fromkeys(kind for kind in told if kind in ending)) == ending
    assert estate.run("verify", FAILOVER).code == 0
    estate.wait_until_alone()


def test_a_missing_binary_fails_the_run_and_says_so(estate):
    """02 with a helm that is not there: failed, and the record names the variable."""
    done = estate.run("run", "02_roll_out_ingress", AZRUNBOOK_HELM="/nowhere/helm")
    assert (done.code, estate.result("02_roll_out_ingress")["verdict"]) == (1, "failed")
    assert "AZRUNBOOK_HELM" in str(estate.result("02_roll_out_ingress")["reasons"])


def test_no_secret_is_in_the_reports_or_the_logs(estate):
    """Client secret, keys and tokens: nowhere under reports/, nowhere in a log, in no form."""
    secrets = list_secrets(estate)
    forms = {form for secret in secrets for form in list_forms(secret)}
    files = [*list_files(estate.reports), *list_files(estate.home, pattern="*.log")]
    assert len(secrets) >= 11
    assert len(files) > 15
    assert estate.home / "sandbox" / "sandbox.log" in files
    assert find_holding(files, forms) == []
    assert [file for file in files if _TOKEN.search(file.read_bytes())] == []


def test_no_secret_is_on_a_command_line_or_in_a_tools_environment(estate):
    """All processes of the machine were looked at while the estate was made, helm among them."""
    seen = [*estate.watch.command_lines, *estate.watch.environments["helm"]]
    secrets = list_secrets(estate)
    forms = {form for secret in secrets for form in list_forms(secret)}
    assert any(b"azrunbook.notebooks.kernel" in line for line in seen)
    assert [line for line in seen if any(form in line for form in forms)] == []
    assert [line for line in seen if _TOKEN.search(line)] == []


def test_the_clusters_keep_the_connection_strings_in_one_secret_only(estate):
    """In no release, which Helm keeps packed, no ConfigMap, no pod, and no other object."""
    forms = {form for secret in list_data_secrets(estate) for form in list_forms(secret)}
    kinds = "configmaps,deployments,replicasets,pods,services,events,ingresses,jobs"
    for found in ask_clusters(estate, kinds, "--all-namespaces"):
        assert {"Deployment", "Pod", "ConfigMap"} <= {one["kind"] for one in found["items"]}
        assert not any(form in json.dumps(found).encode() for form in forms)
    for found in ask_clusters(estate, "secrets", "--all-namespaces"):
        holding, unpacked = set(), 0
        for one in found["items"]:
            content = [base64.b64decode(value) for value in (one.get("data") or {}).values()]
            if one["type"] == "helm.sh/release.v1":
                content = [gzip.decompress(base64.b64decode(part)) for part in content]
                unpacked += 1
            if any(form in part for form in forms for part in content):
                holding.add(one["metadata"]["name"])
        assert (holding, unpacked >= 2) == ({"hello-world-data"}, True)


def test_credentials_are_for_their_user_only(estate):
    """The files that do hold a secret are found by the same search, and nobody else reads them."""
    forms = {form for secret in list_secrets(estate) for form in list_forms(secret)}
    holding = find_holding(list_files(estate.home), forms)
    assert {file.name for file in holding} >= {"client-secret", "kubeconfig"}
    assert [file.name for file in holding if file.stat().st_mode & 0o077] == []


def test_a_killed_sandbox_takes_its_pods_along(estate):
    """The last test here: Traefik and the application end with the sandbox that ran them."""
    running = " ".join(estate.list_processes())
    assert ("traefik" in running, "gunicorn" in running) == (True, True)
    os.kill(estate.status()["pid"], signal.SIGKILL)
    estate.wait_until_alone(sandbox=True)

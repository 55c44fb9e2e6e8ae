"""What runs leave behind: nothing to do the second time, and no secret anywhere."""

import base64
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

pytestmark = pytest.mark.slow

_CREDENTIALS = {"client-key-data", "token", "password"}
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")  # a JSON web token


def list_secrets(shell):
    """Every credential of the sandbox: its client secret, and what is in its kubeconfigs."""
    connection = json.loads((shell.home / "sandbox" / "connection.json").read_text())
    found = [Path(connection["credential"]["client_secret_file"]).read_text().strip()]
    for file in (shell.home / "sandbox" / "kubeconfig", *(shell.home / "kube").glob("*.yaml")):
        users = [one["user"] for one in yaml.safe_load(file.read_text())["users"]]
        found += [user[name] for user in users for name in user.keys() & _CREDENTIALS]
    return found


def list_forms(secret):
    """A secret as it is, decoded, line by line, in base64 at each offset, and quoted."""
    forms = {secret.encode(), quote(secret, safe="").encode()}
    for padding in range(3):
        # Without the ends, which depend on the neighbours.
        encoded = base64.b64encode(b" " * padding + secret.encode())
        forms.add(encoded[4:-4])
    if "BEGIN" in (decoded := _decode(secret)):
        forms |= {line.encode() for line in decoded.splitlines() if len(line) > 40}
        forms.add(json.dumps(decoded)[1:-1].encode())
    return forms


def _decode(secret):
    try:
        return base64.b64decode(secret, validate=True).decode()
    except ValueError:
        return ""


def find_leaks(files, forms):
    """Files in which a secret stands, in any form, or a token of any kind."""
    leaks = []
    for file in files:
        content = file.read_bytes()
        if any(form in content for form in forms) or _TOKEN.search(content):
            leaks.append(file.name)
    return leaks


def test_the_second_run_changes_nothing(estate):
    """01, 02 and 03 again: every plan is all no_change, and no step is left to run."""
    procedures = ("01_provision_estate", "02_roll_out_ingress", "03_release_app")
    done = estate.apply(*procedures)
    assert done.code == 0, done.said
    for name in procedures:
        result = estate.result(name)
        assert (result["verdict"], result["steps"]) == ("passed", []), name
        assert {k for k, count in result["plan_changes"].items() if count} == {"no_change"}, name


def test_no_secret_is_in_the_reports_or_the_logs(estate):
    """Client secret, keys and tokens: nowhere under reports/, nowhere in a log, in no form."""
    secrets = list_secrets(estate)
    forms = {form for secret in secrets for form in list_forms(secret)}
    reports = [file for file in estate.reports.rglob("*") if file.is_file()]
    logs = [file for file in estate.home.rglob("*.log") if file.is_file()]
    assert len(secrets) >= 3
    assert len(reports) > 12
    assert estate.home / "sandbox" / "sandbox.log" in logs
    assert find_leaks([*reports, *logs], forms) == []
    kept = [estate.home / "sandbox" / "client-secret", estate.home / "sandbox" / "kubeconfig"]
    assert find_leaks(kept, forms) == ["client-secret", "kubeconfig"]  # the search does find


def test_credentials_are_for_their_user_only(estate):
    """Files with a secret in them are readable by nobody else."""
    forms = {form for secret in list_secrets(estate) for form in list_forms(secret)}
    files = [file for file in estate.home.rglob("*") if file.is_file()]
    leaking = [file for file in files if find_leaks([file], forms)]
    assert {file.name for file in leaking if file.stat().st_mode & 0o077} == set()

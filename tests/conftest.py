"""What holds for every test: an environment without anybody's settings, terraform, loud skips."""

import os
from collections import Counter

import pytest
import stand_in_mirror

from azrunbook import binaries

# Settings of a person or a CI system that would lead a client elsewhere than the test means.
_PREFIXES = ("AZURE_", "ARM_", "HELM_", "KUBE", "OTEL_")
_NAMES = ("AZRUNBOOK_RUN", "AZRUNBOOK_HOME", "AZRUNBOOK_SECRETS", "JUPYTER_RUNTIME_DIR")


@pytest.fixture(scope="session", autouse=True)
def clean_environment():
    """Nothing of the caller's Azure, Kubernetes, Helm or proxy settings reaches a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_PREFIXES) or name in _NAMES or name.upper().endswith("_PROXY"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def terraform_binary():
    """The terraform or tofu of this machine."""
    found = binaries.find("terraform")
    if found is None:
        pytest.skip("the Terraform engine: neither terraform nor tofu is on this machine")
    return found.path


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    """The variables with which terraform finds stand-ins of the providers; no cloud is named."""
    found = stand_in_mirror.make(tmp_path_factory.mktemp("mirror"))
    return {**found, "ARM_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555"}


def pytest_terminal_summary(terminalreporter):
    """Say at the end what was not tested: a green run must not hide an untested half."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in skipped
    )
    if reasons:
        terminalreporter.section("NOT TESTED", red=True, bold=True)
        for reason, count in reasons.most_common():
            terminalreporter.line(f"{count} x {reason.removeprefix('Skipped: ')}", red=True)

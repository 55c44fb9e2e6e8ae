"""What holds for every test: an environment without anybody's settings, and loud skips."""

import os
from collections import Counter

import pytest

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

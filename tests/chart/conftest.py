"""Charts rendered by the real helm, without a cluster."""

import pathlib
import re
import subprocess

import pytest
import yaml

from azrunbook import binaries

APP_CHART = pathlib.Path(__file__).parents[2] / "app"


@pytest.fixture(scope="session")
def helm():
    """Run helm on a chart; returns the finished process, whatever its exit status."""
    path = binaries.require("helm").path

    def run(*arguments):
        return subprocess.run(
            [path, *arguments], capture_output=True, text=True, check=False, timeout=60
        )

    return run


@pytest.fixture(scope="session")
def render(helm):
    """Render the application's chart: `--set` expressions in, objects by kind out."""

    def build(*expressions, values=()):
        done = helm(*_template(expressions, values))
        assert done.returncode == 0, done.stderr
        return {one["kind"]: one for one in yaml.safe_load_all(done.stdout) if one}

    return build


@pytest.fixture(scope="session")
def refuse(helm):
    """Render the application's chart, which must fail; returns the reason, without its place."""

    def build(*expressions, values=()):
        done = helm(*_template(expressions, values))
        assert done.returncode != 0, done.stdout
        found = re.search(r"requirements\.yaml:\d+:\d+\): (.*)", done.stderr)
        return found[1] if found else done.stderr

    return build


def _template(expressions, values):
    command = ["template", "shop", str(APP_CHART), "--namespace", "demo"]
    for name in values:
        command += ["--values", str(APP_CHART / name)]
    for expression in expressions:
        command += ["--set", expression]
    return command

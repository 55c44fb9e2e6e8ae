"""Files that state the same fact must agree, and none may name a package registry."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_yml_lists_what_pyproject_declares(project):
    """Conda users get the versions that pip users get."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    declared = [*project["dependencies"]]
    for extra in ("sandbox", "dev"):
        declared += project["optional-dependencies"][extra]
    assert sorted(listed) == sorted([*declared, "--editable ."])


def test_every_declared_package_is_locked_with_hashes(project):
    """The lock covers what is declared, and nothing in it can be swapped unnoticed."""
    locked = {}
    for block in (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines():
        name, _, rest = block.partition("==")
        locked[name.lower().replace("_", "-")] = rest
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    declared = [name for group in groups for name in group]
    names = {name.split(">")[0].split("=")[0].lower().replace("_", "-") for name in declared}
    assert names <= locked.keys()
    assert all("--hash=sha256:" in rest for rest in locked.values())


def test_no_file_names_a_registry():
    """Where packages come from is the machine's business."""
    patterns = ["--index-url", "--extra-index-url", r"https\?://[^ ]*/simple"]
    command = ["git", "grep", "-lE", "|".join(patterns), "--", ".", ":!tests/project"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [line for line in found.stdout.splitlines() if "Makefile" not in line]
    assert lines == []

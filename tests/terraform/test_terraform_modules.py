"""terraform test of every module, by terraform itself with stand-ins of the providers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.needs_terraform
ROOT = Path(__file__).parents[2]
MODULES = sorted(
    path.parents[1]
    for layer in ("infra", "kubernetes-config")
    for path in (ROOT / layer).rglob("*.tftest.hcl")
)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_passes_its_own_tests(module, terraform_binary, stand_ins, tmp_path):
    """Its .tftest.hcl files; nothing is written beside them."""
    layer = module.relative_to(ROOT).parts[0]
    shutil.copytree(ROOT / layer, tmp_path / layer)
    folder = tmp_path / module.relative_to(ROOT)

    def run(*arguments):
        return subprocess.run(
            [terraform_binary, f"-chdir={folder}", *arguments, "-no-color"],
            env={**os.environ, **stand_ins}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    started = run("init", "-input=false")
    assert started.returncode == 0, started.stderr
    tested = run("test")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "Success!" in tested.stdout
    assert " 0 passed" not in tested.stdout

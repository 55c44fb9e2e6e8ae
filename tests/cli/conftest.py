"""The command line as a person starts it: a process of its own, in a copy of the project."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@dataclass
class CommandLine:
    """Runs ``azrunbook`` in a folder; its state and reports stay there."""

    root: Path

    def __call__(self, *arguments, timeout=120, **environment):
        return subprocess.run(
            [Path(sys.executable).with_name("azrunbook"), *arguments],
            check=False,
            cwd=self.root,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **environment},
            text=True,
            capture_output=True,
            timeout=timeout,
        )


@pytest.fixture(scope="session")
def master_copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    for folder in ("infra", "kubernetes-config", "notebooks", "app"):
        shutil.copytree(PROJECT / folder, root / folder)
    return root


@pytest.fixture
def azrunbook(master_copy, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(master_copy, root)
    return CommandLine(root)

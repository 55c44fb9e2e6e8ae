"""Root modules that need no provider from anywhere, and the binary that runs them."""

from pathlib import Path

import pytest

from azrunbook import binaries, terraform

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def terraform_binary():
    """The terraform or tofu of this machine."""
    found = binaries.find("terraform")
    if found is None:
        pytest.skip("the Terraform engine: neither terraform nor tofu is on this machine")
    return found.path


@pytest.fixture
def make_module(tmp_path, terraform_binary):
    """A root module of the given text, initialized unless it is told not to be."""

    def make(text, *, name="module", initialize=True, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "main.tf").write_text(text)
        made = terraform.Terraform(
            folder, terraform_binary, data=tmp_path / f"{name}-data", **options
        )
        if initialize:
            made.init()
        return made

    return make

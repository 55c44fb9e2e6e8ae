"""Root modules that need no provider from anywhere."""

from pathlib import Path

import pytest

from azrunbook import terraform

ROOT = Path(__file__).parents[2]


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

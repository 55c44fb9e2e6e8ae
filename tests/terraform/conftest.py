"""Root modules that need no provider from anywhere, and the binary that runs them."""

import itertools
import platform
import shlex
import sys
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


# Under whose name terraform and tofu look for a provider; nothing is asked there.
REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
VERSIONS = {"azurerm": "5.2.0", "helm": "3.1.2", "kubernetes": "3.1.0"}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
PLATFORM = f"{platform.system()}_{_MACHINES[platform.machine()]}"


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    """The variables with which terraform finds stand-ins of the providers (stand_in.py)."""
    folder = tmp_path_factory.mktemp("mirror")
    here = Path(__file__).parent
    for host, (name, version) in itertools.product(REGISTRIES, VERSIONS.items()):
        place = folder / f"{host}/hashicorp/{name}/{version}/{PLATFORM.lower()}"
        place.mkdir(parents=True)
        program = place / f"terraform-provider-{name}_v{version}"
        command = shlex.join(
            [sys.executable, str(here / "stand_in.py"), str(here / "schemas" / f"{name}.json")]
        )
        program.write_text(f"#!/bin/sh\nexec {command}\n")
        program.chmod(0o755)
    settings = folder / "cli.tfrc"
    settings.write_text(
        f'provider_installation {{\n  filesystem_mirror {{ path = "{folder}" }}\n}}\n'
    )
    return {
        "TF_CLI_CONFIG_FILE": str(settings),
        "TF_DISABLE_PLUGIN_TLS": "1",  # the channel is a socket in a folder of this user
        "ARM_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
    }

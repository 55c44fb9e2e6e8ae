"""A mirror of providers, all of them stand-ins (stand_in.py), as terraform and tofu look for it."""

import itertools
import platform
import shlex
import sys
from pathlib import Path

# Under whose name terraform and tofu look for a provider; nothing is asked there.
REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
VERSIONS = {"azurerm": "5.2.0", "helm": "3.1.2", "kubernetes": "3.1.0"}
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
PLATFORM = f"{platform.system()}_{_MACHINES[platform.machine()]}"


def make(folder):
    """Write it; returns the variables with which terraform finds it."""
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
    }

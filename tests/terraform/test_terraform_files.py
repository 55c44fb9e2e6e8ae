"""The Terraform files as they stand: formatted, complete, alike in every environment, with help."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from azrunbook import estate

ROOT = Path(__file__).parents[2]
LAYERS = ("infra", "kubernetes-config")
FILES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.tf"))
MODULES = sorted({path.parent for path in FILES})
VARIABLE = re.compile(r'^variable "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)
# What Terraform has nothing to do with: how a region is called, what the release procedures put on
# the clusters, and what a drill is judged by.
NOT_TERRAFORMS = {"display_name", "image", "version_of_app", "replicas", "objectives",
                  "recovery_time_seconds", "recovery_point_seconds",
                  "steady_availability_percent"}  # fmt: skip


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.needs_terraform
def test_everything_is_formatted(terraform_binary):
    """By terraform fmt, which also reads every file."""
    command = [terraform_binary, "fmt", "-check", "-diff", "-recursive", "-no-color"]
    for layer in LAYERS:
        done = subprocess.run(
            command, cwd=ROOT / layer, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("layer", LAYERS)
def test_environments_differ_in_data_only(layer):
    """What an environment is stands in its YAML; copies of code would drift."""
    first, *others = [
        {path.name: path.read_text() for path in (ROOT / layer / name).glob("*.tf")}
        for name in estate.ENVIRONMENTS
    ]
    assert first.keys() >= {"main.tf", "versions.tf", "outputs.tf"}
    assert all(other == first for other in others)


def list_keys(value):
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from list_keys(part) if key != "tags" else ()
    elif isinstance(value, list):
        for part in value:
            yield from list_keys(part)


@pytest.mark.parametrize("environment", estate.ENVIRONMENTS)
def test_every_key_of_an_estate_is_used(environment):
    """A key that Terraform does not read would be a promise that only one engine keeps."""
    declared = yaml.safe_load((ROOT / "infra" / environment / "estate.yaml").read_text())
    text = "\n".join(path.read_text() for path in FILES)
    unused = {key for key in list_keys(declared) if not re.search(rf"\.{key}\b|\b{key} +=", text)}
    assert unused <= NOT_TERRAFORMS


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_variables_are_few_and_say_what_they_are(module):
    """Fifteen at most; each with type and description, and an example in every refusal."""
    text = "".join(path.read_text() for path in sorted(module.glob("variables.tf")))
    variables = dict(VARIABLE.findall(text))
    assert len(variables) == text.count('variable "') <= 15
    for name, body in variables.items():
        assert "  type " in body, name
        assert "  description " in body, name
        messages = re.findall(r'error_message = "(.*)"\n', body)
        assert len(messages) == body.count("validation {")
        assert all("for example" in message for message in messages), name


def test_only_roots_configure_providers():
    """A module that brings a provider cannot be used by count or for_each, nor removed."""
    holding = {
        path.parent for path in FILES if re.search('^provider "', path.read_text(), re.MULTILINE)
    }
    roots = {ROOT / layer / name for layer in LAYERS for name in estate.ENVIRONMENTS}
    assert holding == roots


def test_every_module_has_tests():
    """Of each folder below modules/, beside what it tests."""
    modules = {path for path in MODULES if "modules" in path.parts}
    assert {path for path in modules if not list((path / "tests").glob("*.tftest.hcl"))} == set()


def test_nothing_of_the_ingress_is_made_twice():
    """Helm makes no namespace and Terraform no class: the second creation would fail."""
    text = "".join(path.read_text() for path in FILES if "kubernetes-config" in path.parts)
    assert "create_namespace = false" in text
    assert "kubernetes_ingress_class" not in text
    values = yaml.safe_load(
        (ROOT / "kubernetes-config/helm-charts/traefik/values.yaml").read_text()
    )
    assert values["ingressClass"]["enabled"] is True


def test_passwords_are_ephemeral_and_written_only():
    """So that they are in no plan and in no state."""
    text = "".join(path.read_text() for path in FILES)
    for name, body in VARIABLE.findall(text):
        if name.endswith("password"):
            assert "ephemeral   = true" in body
    said = r"\n *(\w*password\w*) += +(?:nonsensitive\()?var\.postgres_password\)?\n"
    used = re.findall(said, text)
    assert set(used) == {"administrator_password_wo", "postgres_password"}
    assert used.count("administrator_password_wo") == 1

"""The ingress layer's root modules say to Helm what the library's roll-out says."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from azrunbook import errors, estate, terraform
from azrunbook.procedures import ingress_rollout

pytestmark = pytest.mark.needs_terraform
ROOT = Path(__file__).parents[2]


@pytest.fixture
def make_root(tmp_path, terraform_binary, stand_ins):
    """The ingress layer of an environment, in a copy of the project."""
    for layer in ("infra", "kubernetes-config"):
        shutil.copytree(ROOT / layer, tmp_path / layer)

    def make(environment):
        root = tmp_path / "kubernetes-config" / environment
        made = terraform.Terraform(
            root, terraform_binary, data=tmp_path / "data", environment=stand_ins
        )
        made.init()
        return made

    return make


@pytest.fixture
def kubeconfigs(tmp_path):
    """Two files; nobody reads them here, and that there are two is checked."""
    paths = {role: tmp_path / f"{role}.yaml" for role in ("primary", "secondary")}
    for path in paths.values():
        path.write_text("apiVersion: v1\nkind: Config\n")
    return {"kubeconfigs": json.dumps({role: str(path) for role, path in paths.items()})}


@pytest.mark.parametrize("environment", estate.ENVIRONMENTS)
def test_both_engines_release_the_same_ingress(
    make_root, kubeconfigs, environment, tmp_path, terraform_binary, stand_ins
):
    """Chart, version, place and values, in each region; made once, with its namespace."""
    module = make_root(environment)
    module.validate()
    saved = module.plan("Roll out the ingress", variables=kubeconfigs)
    done = subprocess.run(
        [terraform_binary, f"-chdir={tmp_path}/kubernetes-config/{environment}", "show", "-json",
         tmp_path / "data" / "plans" / saved.file.name],
        env={**os.environ, **stand_ins, "TF_DATA_DIR": str(tmp_path / "data" / "data")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    planned = [
        (one["type"], one["change"]["after"]) for one in json.loads(done.stdout)["resource_changes"]
    ]
    declared, ingress = estate.load(environment), estate.load_ingress(environment)
    releases = [one for kind, one in planned if kind == "helm_release"]
    assert len(releases) == len(declared.regions)
    assert [kind for kind, _ in planned].count("kubernetes_namespace_v1") == len(releases)
    base = yaml.safe_load(
        (ROOT / "kubernetes-config" / "helm-charts" / "traefik" / "values.yaml").read_text()
    )
    for one in releases:
        assert (one["repository"], one["chart"], one["version"], one["name"], one["namespace"]) == (
            ingress.repository, ingress.chart, ingress.version, ingress.release, ingress.namespace,
        )  # fmt: skip
        below, over = map(yaml.safe_load, one["values"])
        wanted = ingress_rollout.plan_values(ingress, declared.front_door)
        assert (below, over) == (base, wanted)


def test_a_kubeconfig_that_is_not_there_is_refused_with_an_example(make_root):
    """Before a provider is asked to read it."""
    missing = {"kubeconfigs": json.dumps({"primary": "/nowhere/primary.yaml"})}
    with pytest.raises(errors.PlanError, match=r"paths of files, for example"):
        make_root("dv").plan("Roll out the ingress", variables=missing)

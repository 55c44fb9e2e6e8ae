"""Charts of the size and with the kinds that platform teams install, with each helm."""

import pytest
import yaml


def make_definition(number, *, kilobytes):
    """A definition as an operator's: so large because every field is described."""
    fields = {
        f"field{index}": {"type": "string", "description": "what it is for " * 65}
        for index in range(kilobytes)
    }
    name = f"Thing{number}"
    plural = name.lower() + "s"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.large.example"},
        "spec": {
            "group": "large.example",
            "scope": "Namespaced",
            "names": {
                "kind": name, "listKind": f"{name}List", "plural": plural, "singular": name.lower()
            },
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }  # fmt: skip


@pytest.fixture
def large_chart(tmp_path):
    """Thirty definitions, the first larger than an annotation may be, and 900 kB of dashboards."""
    chart = tmp_path / "large"
    for folder in ("crds", "templates"):
        (chart / folder).mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: large\nversion: 1.0.0\n")
    made = [make_definition(n, kilobytes=300 if n == 0 else 5) for n in range(30)]
    (chart / "crds" / "all.yaml").write_text(yaml.safe_dump_all(made))
    objects = [
        {
            "apiVersion": "large.example/v1",
            "kind": one["spec"]["names"]["kind"],
            "metadata": {"name": "one"},
            "spec": {"field1": "said"},
        }
        for one in made
    ]
    dashboards = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "dashboards"},
        "data": {"all.json": "x" * 900_000},
    }
    (chart / "templates" / "all.yaml").write_text(yaml.safe_dump_all([*objects, dashboards]))
    return chart


def test_a_platform_is_installed_and_removed(shell, charts):
    """Volumes, webhooks, policies, aggregated roles, API services, hooks: all ready, then gone."""
    name = "platform-" + shell.version.replace(".", "-")
    shell.helm(
        "install", name, charts / "platform", "--create-namespace", "--wait", "--timeout", "90s"
    )
    phases = {shell.find("pvc", one)["status"]["phase"] for one in ("files", "data-db-0")}
    assert phases == {"Bound"}
    assert shell.find("statefulset", "db")["status"]["readyReplicas"] == 2
    assert {"ca.crt", "namespace", "token"} == set(shell.find("secret", "platform-token")["data"])
    edit = shell.find("clusterrole", "edit")["rules"]
    assert ["platform.example"] in [rule.get("apiGroups") for rule in edit]
    api = shell.find("apiservice", f"v1.{name}.example")["status"]["conditions"][0]
    assert (api["type"], api["status"]) == ("Available", "False")
    shell.helm("uninstall", name, "--wait", "--timeout", "90s")
    shell.kubectl("wait", "--for=delete", "pvc", "--all", "--timeout=60s")
    assert shell.names("pod,pvc,statefulset,service,ingress,cronjob,hpa") == set()


def test_large_definitions_and_maps_are_installed(shell, large_chart):
    """What is too large for client-side apply passes helm, replace and server-side apply."""
    shell.helm("install", "large", large_chart, "--create-namespace", "--wait")
    assert shell.find("thing29.large.example", "one")["spec"] == {"field1": "said"}
    shell.helm("upgrade", "large", large_chart)
    definition = (large_chart / "crds" / "all.yaml").read_text().partition("\n---\n")[0]
    shell.kubectl("replace", "--dry-run=server", "-f", "-", text=definition)
    annotated = shell.try_kubectl("apply", "-f", "-", text=definition)
    assert "metadata.annotations: Too long" in annotated.stderr
    shell.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=definition)
    shell.helm("uninstall", "large", "--wait")

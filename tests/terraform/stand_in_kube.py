"""The helm and kubernetes providers' part for kubernetes-config, by helm and kubectl themselves.

Of a release: installed or upgraded with the values it is given and waited for, found again, taken
away. Of a namespace: made with its labels, read, deleted. It emulates what the providers do with
the arguments that this project uses; it is not their code. The binaries are named by
``STAND_IN_HELM`` and ``STAND_IN_KUBECTL``, the cluster by the provider's own configuration.
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

_cluster = {}


def configure(config):
    _cluster["path"] = (config.get("kubernetes") or config)["config_path"]


def run(tool, *arguments, stdin=None):
    """A tool on this provider's cluster; what it printed, or None where there is no such thing."""
    command = [os.environ[f"STAND_IN_{tool.upper()}"], "--kubeconfig", _cluster["path"], *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode and "not found" in done.stderr.lower():
        return None
    if done.returncode:
        raise RuntimeError(f"{tool} {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def complete(_kind, _prior, wanted):
    return wanted


def list_replacing(kind, prior, planned):
    if kind == "helm_release":
        return [name for name in ("name", "namespace") if prior[name] != planned[name]]
    return ["metadata"] if prior["metadata"][0]["name"] != planned["metadata"][0]["name"] else []


def apply(kind, _block, prior, planned, _config):
    if kind == "helm_release":
        return install(planned) if planned else uninstall(prior)
    if planned is None:
        run("kubectl", "delete", "namespace", prior["metadata"][0]["name"])
        return None
    (metadata,) = planned["metadata"]
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    run("kubectl", "apply", "-f", "-", stdin=json.dumps(body))
    return {**planned, "id": metadata["name"]}


def install(planned):
    with tempfile.TemporaryDirectory() as folder:
        options = []
        for number, text in enumerate(planned["values"]):
            path = Path(folder) / f"{number}.yaml"
            path.write_text(text)
            options += ["--values", str(path)]
        run(
            "helm", "upgrade", planned["name"], planned["chart"], "--install", "--wait",
            "--repo", planned["repository"], "--version", planned["version"],
            "--namespace", planned["namespace"], "--timeout", f"{planned['timeout']}s",
            "--history-max", str(planned["max_history"]), *options,
        )  # fmt: skip
    return {**planned, "id": planned["name"]}


def uninstall(prior):
    run("helm", "uninstall", prior["name"], "--namespace", prior["namespace"], "--wait")


def read(kind, _block, state):
    if kind == "helm_release":
        found = run("helm", "get", "metadata", state["name"], "--namespace", state["namespace"],
                    "--output", "json")  # fmt: skip
        # What follows a plus is no other version, and only a mirror adds it.
        return found and {**state, "version": json.loads(found)["version"].partition("+")[0]}
    (metadata,) = state["metadata"]
    found = run("kubectl", "get", "namespace", metadata["name"], "--output", "json")
    if found is None:
        return None
    labels = json.loads(found)["metadata"]["labels"]
    kept = {name: labels.get(name) for name in metadata["labels"] if name in labels}
    return {**state, "metadata": [{**metadata, "labels": kept}]}

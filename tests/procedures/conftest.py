"""A rehearsal: a copy of the project, a sandbox of its own, and the masters' cells run in process.

The estate is the declared one made small (a node per pool, one ingress pod) and quick (a probe
every two seconds), so that a whole chain takes half a minute. What is performed is the code of the
masters, cell by cell, without a kernel.
"""

import contextlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from azrunbook import binaries, connect, errors, journal
from azrunbook.procedures import actions, app_release, drills, records
from azrunbook.sandbox import lifecycle

PROJECT = Path(__file__).parents[2]
SECONDS = {
    (drills, "_STEADY_SECONDS"): 1.0,
    (drills, "_AFTERWARDS_SECONDS"): 3.0,
    (app_release, "_PROOF_SECONDS"): 1.0,
}


@dataclass
class Performed:
    """One run of a master: how it ended, its record, and the names its cells defined."""

    folder: Path
    cells: dict[str, Any]
    error: errors.AzrunbookError | None

    @property
    def entries(self):
        return journal.read(self.folder)

    @property
    def verdict(self):
        return records.judge(self.entries).verdict

    @property
    def plan(self):
        return self.list("plan")[-1]

    @property
    def actions(self):
        """How often the plan says what: ``{"create": 14}``."""
        actions = [change["action"] for change in self.plan["changes"]]
        return {action: actions.count(action) for action in actions}

    @property
    def said(self):
        """Everything its steps told."""
        return [entry["message"] for entry in self.list("progress")]

    @property
    def started(self):
        return [entry["step"] for entry in self.list("step_started")]

    def list(self, kind):
        return [entry.data for entry in self.entries if entry.kind == kind]


@dataclass
class Rehearsal:
    """A project, one environment of it, and the sandbox it is rehearsed on."""

    root: Path
    environment: str = "dv"
    first: dict[str, Performed] = field(default_factory=dict)

    @property
    def home(self):
        return self.root / "home"

    @property
    def project(self):
        return self.root / "project"

    @contextlib.contextmanager
    def inside(self):
        """As a person who changed into the project."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AZRUNBOOK_HOME", str(self.home))
            patch.chdir(self.project)
            for (module, name), seconds in SECONDS.items():
                patch.setattr(module, name, seconds)
            yield self

    def perform(self, stem, *, apply=True, **parameters):
        """Run a master's cells; an error of ours ends it, as it would end a notebook."""
        master = json.loads((self.project / f"notebooks/{stem}.ipynb").read_text())
        cells, error = {}, None
        try:
            for number, cell in enumerate(master["cells"]):
                if cell["cell_type"] == "code":
                    code = compile("".join(cell["source"]), f"{stem}[{number}]", "exec")
                    exec(code, cells)  # noqa: S102 - a notebook's cells are what is tested
                if "parameters" in cell["metadata"].get("tags", []):
                    cells.update(env=self.environment, apply=apply, **parameters)
        except errors.AzrunbookError as failure:
            error = failure
        run = cells["run"]
        if run._lock is not None:  # a kernel would have ended, and its lock with it
            os.close(run._lock)
        return Performed(run.folder, cells, error)

    def clients(self):
        return connect.connect(self.environment)

    def inject(self, kind, **fault):
        return lifecycle.inject(self.home, {"kind": kind, **fault})

    def status(self):
        return lifecycle.status(self.home)

    @contextlib.contextmanager
    def edited(self, path, change):
        """Change a YAML file of the project for a while."""
        file = self.project / path
        before = file.read_text()
        content = yaml.safe_load(before)
        change(content)
        file.write_text(yaml.safe_dump(content))
        try:
            yield
        finally:
            file.write_text(before)

    def shell(self, tool, *arguments, check=True):
        """What a person types, with the kubeconfig that the sandbox offers to people."""
        return subprocess.run(
            [binaries.require(tool).path, *arguments],
            env={
                **os.environ,
                "KUBECONFIG": str(lifecycle.kubeconfig_path(self.home)),
                "KUBECACHEDIR": str(self.root / "kubectl"),
            },
            check=check,
            text=True,
            capture_output=True,
            timeout=60,
        )

    def list_revisions(self, name="hello-world", *, context="aks-multiregion-cluster-eastus"):
        """History of a release in one region, oldest first."""
        found = self.shell(
            "helm", "history", name, "--namespace", name, "--kube-context", context, "-o", "json"
        )
        return json.loads(found.stdout)


def make_rehearsal(root, environment="dv"):
    """Copy the project and make the copy small and quick."""
    rehearsal = Rehearsal(root, environment)
    for folder in ("infra", "kubernetes-config", "notebooks", "app"):
        shutil.copytree(PROJECT / folder, rehearsal.project / folder)
    for path, change in {
        f"infra/{environment}/estate.yaml": _shrink_estate,
        f"kubernetes-config/{environment}/traefik.yaml": lambda ingress: ingress.update(replicas=1),
        f"app/values-{environment}.yaml": _hurry_app,
    }.items():
        file = rehearsal.project / path
        content = yaml.safe_load(file.read_text())
        change(content)
        file.write_text(yaml.safe_dump(content))
    return rehearsal


def _shrink_estate(estate):
    for pool in estate["node_pools"]:
        pool.update(count=1, autoscale=None)
    estate["app"]["replicas"] = min(estate["app"]["replicas"], 2)
    # Not less: a drill is judged by one interval of slack, and this machine may be busy.
    estate["front_door"]["health_probe"]["interval_seconds"] = 2


def _hurry_app(values):
    values["readinessProbe"] = {"periodSeconds": 1}
    values["rollout"] = {"minReadySeconds": 0}
    values["shutdown"] = {
        "preStopSeconds": 1, "drainSeconds": 1, "finishSeconds": 5, "graceSeconds": 10,
    }  # fmt: skip


@contextlib.contextmanager
def running(rehearsal, timing):
    """The sandbox, for as long as this lasts."""
    lifecycle.start(rehearsal.home, owner_pid=os.getpid(), timing=timing)
    try:
        yield rehearsal
    finally:
        lifecycle.stop(rehearsal.home)


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory):
    """The small estate, provisioned and released once; its first runs are kept."""
    rehearsal = make_rehearsal(tmp_path_factory.mktemp("rehearsal"))
    with running(rehearsal, "seconds"):
        with rehearsal.inside():
            for stem in ("01_provision_estate", "02_roll_out_ingress", "03_release_app"):
                rehearsal.first[stem] = done = rehearsal.perform(stem)
                if done.error:
                    raise done.error
        yield rehearsal


@pytest.fixture
def estate(rehearsed):
    """The estate as declared, with both regions serving; leave it so."""
    with rehearsed.inside():
        yield rehearsed


@pytest.fixture
def bare(tmp_path):
    """A subscription with nothing in it, whose operations take no time."""
    rehearsal = make_rehearsal(tmp_path)
    with running(rehearsal, "immediate"), rehearsal.inside():
        yield rehearsal


@pytest.fixture
def private(tmp_path):
    """The same of staging, whose ingress is reached by private link only."""
    rehearsal = make_rehearsal(tmp_path, "staging")
    with running(rehearsal, "immediate"), rehearsal.inside():
        yield rehearsal


@pytest.fixture
def clients(estate):
    return estate.clients()


@pytest.fixture
def tell():
    """A progress that keeps what it was told, for actions called without a run."""
    told = []
    progress = actions.Progress(told.append, timeout_seconds=60)
    progress.told = told
    return progress

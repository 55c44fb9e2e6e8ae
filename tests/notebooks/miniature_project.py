"""A small project: fixture notebooks, fixture actions, and a driver that runs them.

The world that the fixture procedure changes is a folder of files, so that a test sees what was
done and undone, also by processes that were killed.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

from azrunbook import errors, journal

FIXTURE_ACTIONS = '''
"""Actions on a folder of files: each part of the estate is a file."""
import logging, os, subprocess, sys, time
from pathlib import Path
from types import SimpleNamespace
from azrunbook import checks, plan, secrets
from azrunbook.procedures import actions

CANARY = "canary-7f3a+Zq/91=="


def connect(environment, target):
    world = Path(os.environ["WORLD"])
    return SimpleNamespace(
        world=world, estate=SimpleNamespace(environment=environment),
        connection=SimpleNamespace(name=target), summary=lambda: "a folder of files",
    )


@actions.action("make")
def make(clients, progress, *, name, seconds=0.0, child=False):
    (clients.world / f"{name}.started").touch()
    progress(f"making {name}")
    if child:
        subprocess.Popen(["sleep", "60"]); (clients.world / "child").touch()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.02)
        progress(f"{deadline - time.monotonic():.0f} s left")
    (clients.world / name).write_text("made")
    return f"{name} is there"


@actions.action("remove")
def remove(clients, progress, *, name, seconds=0.0):
    (clients.world / f"{name}.undoing").touch()
    time.sleep(seconds)
    (clients.world / name).unlink(missing_ok=True)
    (clients.world / f"{name}.started").unlink(missing_ok=True)
    (clients.world / f"{name}.undoing").unlink()


@actions.action("break")
def break_(clients, progress):
    raise RuntimeError("it does not work")


def plan_two(*, seconds=0.0, breaks=False, child=False, timeout=60.0, undo_seconds=0.0):
    steps = [
        plan.Step(
            name=f"make {name}", group=group, action="make", timeout_seconds=timeout,
            arguments={"name": name, "seconds": seconds if group == "second" else 0.0,
                       "child": child and group == "second"},
            undo=(plan.Undo("remove", {"name": name, "seconds": undo_seconds}),),
        )
        for name, group in (("a", "first"), ("b", "second"))
    ]
    if breaks:
        steps.append(plan.Step(name="break it", group="third", action="break"))
    changes = tuple(plan.Change("create", "file", step.name, "here") for step in steps)
    return plan.Plan("Make two files", changes=changes, steps=tuple(steps))


def verify(clients):
    found = sorted(path.name for path in clients.world.iterdir() if "." not in path.name)
    return [checks.CheckResult("files", found[:2] == ["a", "b"], "a and b", str(found))]


def fit(passed=True):
    return [checks.CheckResult("folder", passed, "a folder", "one")]
'''

DRIVER = """
import sys
from pathlib import Path
import fixture_actions
from azrunbook import errors
from azrunbook.notebooks import runner
given = dict(one.split("=", 1) for one in sys.argv[2:])
deadline = float(given.pop("deadline", 60))
try:
    outcome = runner.run(
        Path("notebooks") / f"{sys.argv[1]}.ipynb", given, environment="dv", target="here",
        reports=Path("reports"), connect=fixture_actions.connect, deadline_seconds=deadline,
        tell=lambda entry: print(entry.kind, entry.data.get("step", ""), flush=True),
    )
except errors.ParameterError as error:
    print(error); sys.exit(2)
print(outcome.judgement)
sys.exit(0 if outcome.succeeded else 1)
"""

HEAD = ["import fixture_actions as f\nfrom azrunbook.procedures import runs"]
PARAMETERS = """env: str = "dv"  # environment {dv, staging, prod}
target: str = "here"  # a folder
apply: bool = False  # False: change nothing
seconds: float = 0.0  # how long the second step takes, in seconds [0..60]
note: str = ""  # any text"""


def default_cells(*, plan="seconds=seconds", policy=""):
    """The cells of a procedure: two groups with one step each."""
    return [
        "clients = f.connect(env, target)",
        f'run = runs.begin("01_make_files", clients, apply=apply{policy})',
        "run.preflight(f.fit())",
        f"plan = run.show(f.plan_two({plan}))\nplan",
        'run.act("first")',
        'run.act("second")',
        'run.act("third")',
        "run.verify(f.verify(clients))",
        "run.finish()",
    ]


@dataclass
class Project:
    """A folder with notebooks/, reports/ and a world that is changed."""

    root: Path
    started: list = field(default_factory=list)

    @property
    def world(self):
        return self.root / "world"

    @property
    def environment(self):
        path = os.pathsep.join([str(self.root), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "PYTHONPATH": path, "WORLD": str(self.world)}

    def write(self, cells, *, name="01_make_files", parameters=PARAMETERS):
        book = nbformat.v4.new_notebook()
        book.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "P"}
        book.cells = [
            nbformat.v4.new_markdown_cell("# 01 — Make two files\n\nMakes `a`, then `b`."),
            nbformat.v4.new_code_cell(HEAD[0]),
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        ]
        tags = {
            "plan = run.show": ["plan"], "run.audit": ["audit"], "run.finish()": ["result"],
        }  # fmt: skip
        for cell in cells:
            metadata = {
                "tags": next((t for start, t in tags.items() if cell.startswith(start)), [])
            }
            book.cells.append(nbformat.v4.new_markdown_cell("Next."))
            book.cells.append(nbformat.v4.new_code_cell(cell, metadata=metadata))
        nbformat.write(book, self.root / "notebooks" / f"{name}.ipynb")

    def start(self, *arguments, name="01_make_files"):
        command = [sys.executable, "driver.py", name, *arguments]
        process = subprocess.Popen(
            command, cwd=self.root, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *arguments, name="01_make_files"):
        process = self.start(*arguments, name=name)
        said, _ = process.communicate(timeout=90)
        return process.returncode, said

    def folders(self):
        return sorted((self.root / "reports").glob("*/2*"))

    def result(self, place=-1):
        return json.loads((self.folders()[place] / "result.json").read_text())

    def entries(self, place=-1):
        return journal.read(self.folders()[place])

    def wait_for(self, look, *, seconds=40.0):
        """Poll until a look shows something true; fails the test after the deadline."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if seen := look():
                    return seen
            except (IndexError, OSError, errors.JournalError):
                pass
            time.sleep(0.02)
        pytest.fail(f"not seen within {seconds} s")

    def wait_for_entry(self, kind, **data):
        def look():
            return [
                entry for entry in self.entries()
                if entry.kind == kind and data.items() <= entry.data.items()
            ]  # fmt: skip

        return self.wait_for(look)[0]

    def list_processes(self):
        """Living processes of this project, known by its folder in their environment."""
        mark = f"WORLD={self.world}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (
                    mark in (folder / "environ").read_bytes()
                    and b"\nState:\tZ" not in (folder / "status").read_bytes()
                ):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


def make(root):
    """Make a project in a folder."""
    made = Project(root)
    for folder in ("notebooks", "reports", "world", "infra"):
        (root / folder).mkdir()
    (root / "fixture_actions.py").write_text(FIXTURE_ACTIONS)
    (root / "driver.py").write_text(DRIVER)
    made.write(default_cells())
    return made

"""A person's shell with a state folder and a reports folder of its own, and what runs below it.

Everything goes through the command line, on real masters and a real sandbox. A process belongs to
a shell when its environment, its command line or its folder names the shell's: so does every
runner, kernel, helm, sandbox and pod, however it was started and whoever its parent is now.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from azrunbook import errors, journal
from azrunbook.procedures import records
from azrunbook.sandbox import lifecycle

AZRUNBOOK = Path(sys.executable).with_name("azrunbook")
PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    output: str
    said: str

    def json(self):
        return json.loads(self.output)


class Watch:
    """Every command line of the machine, and the environment of each tool, while a block runs.

    What is secret is known only afterwards, so everything is kept.
    """

    def __init__(self):
        self.command_lines, self.environments = set(), {}
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch processes")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self._left.set()
        self._thread.join()

    def _look(self):
        looks = {}
        while not self._left.wait(0.05):
            present = [one for one in os.listdir("/proc") if one.isdigit()]  # noqa: PTH208 - quick
            # Read a few times, because a process has its parent's until it starts its program.
            looks = {one: looks.get(one, 0) + 1 for one in present}
            for process in (Path("/proc", one) for one in present if looks[one] <= _LOOKS):
                try:
                    self.command_lines.add(line := (process / "cmdline").read_bytes())
                    tool = Path(line.partition(b"\0")[0].decode(errors="replace")).name
                    if tool in _TOOLS:
                        environment = (process / "environ").read_bytes()
                        self.environments.setdefault(tool, set()).add(environment)
                except OSError:
                    continue  # it has ended


@dataclass
class Shell:
    """Runs azrunbook with ``AZRUNBOOK_HOME`` and ``--reports`` below one folder."""

    root: Path
    variables: dict = field(default_factory=dict)
    started: list = field(default_factory=list)
    watch: Watch = field(default_factory=Watch)

    @property
    def home(self):
        return self.root / "home"

    @property
    def reports(self):
        return self.root / "reports"

    def start(self, *arguments, **variables):
        """Start a command as the leader of a group, as a shell does with a job."""
        reports = ["--reports", str(self.reports)] if arguments[0] in _REPORTING else []
        process = subprocess.Popen(
            [AZRUNBOOK, *map(str, arguments), *reports],
            cwd=PROJECT,
            env={**os.environ, "AZRUNBOOK_HOME": str(self.home), **self.variables, **variables},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments, **variables):
        return self.finish(self.start(*arguments, **variables))

    def apply(self, *notebooks):
        """Run notebooks for real."""
        return self.run("run", *notebooks, "-p", "apply=true")

    def finish(self, process, *, seconds=150):
        output, said = process.communicate(timeout=seconds)
        return Done(process.returncode, output, said)

    def find_folder(self, procedure, place=-1):
        return sorted((self.reports / procedure).glob("2*"))[place]

    def count_runs(self, procedure):
        return len(list((self.reports / procedure).glob("2*")))

    def read(self, procedure, place=-1):
        return journal.read(self.find_folder(procedure, place))

    def result(self, procedure, place=-1):
        return json.loads((self.find_folder(procedure, place) / "result.json").read_text())

    def wait_for_entry(self, procedure, kind, *, run, **data):
        """Wait for an entry in the journal of the run of this number, counted from 1."""

        def look():
            found = sorted((self.reports / procedure).glob("2*"))[run - 1]
            return [
                entry for entry in journal.read(found)
                if entry.kind == kind and _is_like(entry.data, data)
            ]  # fmt: skip

        return self.wait_for(look, what=f"{kind} {data} in {procedure}")[0]

    def wait_for(self, look, *, what, seconds=60.0):
        """Poll until a look shows something true; fails the test after the deadline."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if seen := look():
                    return seen
            except (IndexError, OSError, psutil.Error, errors.JournalError):
                pass
            time.sleep(0.02)
        said = [process.communicate()[1] for process in self.started if process.poll() is not None]
        pytest.fail(f"not seen within {seconds:g} s: {what}; {''.join(said[-1:])[-2000:]}")

    def list_processes(self, *, sandbox=True):
        """What lives of this shell; without the sandbox and its pods, if asked."""
        kept = set() if sandbox else self._list_sandbox()
        found = [one for one in psutil.process_iter() if one.pid not in kept]
        return [said for one in found if (said := self._describe_own(one))]

    def wait_until_alone(self, *, sandbox=False):
        """Wait a moment for what was killed to be gone; what stays fails the test."""
        deadline = time.monotonic() + 3
        while (left := self.list_processes(sandbox=sandbox)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []

    def kill(self, process):
        """Kill a runner as ``kill -9`` does, and see that nothing it started goes on."""
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.wait_until_alone()

    def status(self):
        return lifecycle.status(self.home)

    def power(self):
        """Power state of each cluster, by region."""
        return {one["location"]: one["power"] for one in self.status()["clusters"]}

    def close(self):
        """End everything that is left; in a test that passes that is the sandbox."""
        lifecycle.stop(self.home)
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            if not process.stdout.closed:
                process.communicate()
        for pid in [int(said.split()[0]) for said in self.list_processes()]:
            os.kill(pid, signal.SIGKILL)

    def _list_sandbox(self):
        found = self.status()
        if not found["running"]:
            return set()
        process = psutil.Process(found["pid"])
        return {process.pid, *(child.pid for child in process.children(recursive=True))}

    def _describe_own(self, process):
        """``pid command``, if it is alive and belongs to this shell; empty otherwise."""
        try:
            marks = [*process.environ().values(), *process.cmdline(), process.cwd()]
            is_own = process.status() != psutil.STATUS_ZOMBIE and any(
                str(self.root) in mark for mark in marks
            )
            return f"{process.pid} {' '.join(process.cmdline())}" if is_own else ""
        except (psutil.Error, OSError):
            return ""


_LOOKS = 5
_TOOLS = {"helm", "kubectl", "terraform", "tofu"}
_REPORTING = {"run", "undo", "verify", "demo"}


def _is_like(found, wanted):
    return all(str(found.get(name, "")).startswith(value) for name, value in wanted.items())


def assert_interrupted(shell, procedure):
    """The record of the newest run stops, says so, and is unbroken."""
    folder = shell.find_folder(procedure)
    assert records.judge(journal.read(folder)).verdict == "interrupted"
    done = shell.run("verify", procedure, "--json")
    assert (done.code, done.json()["passed"]) == (0, True), done.output


def assert_as_declared(shell):
    """A plan made now changes nothing of Azure; what runs on it is not what crashes here."""
    changes = shell.run("plan", "--json").json()["changes"]
    assert {change["action"] for change in changes if change["id"]} == {"no_change"}


@contextmanager
def open_shell(root):
    # What a killed runner leaves in TMPDIR goes as well; short, because sockets are put there.
    with tempfile.TemporaryDirectory(prefix="azr-", ignore_cleanup_errors=True) as scratch:
        made = Shell(root, {"TMPDIR": scratch})
        try:
            yield made
        finally:
            made.close()

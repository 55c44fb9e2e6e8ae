"""Child processes of the sandbox: each in a session of its own, none outlives the sandbox.

The law: whoever starts a process for longer than a moment starts it here. The reason: databases
and pods are real processes, and a sandbox that dies (also by ``kill -9``) must leave nothing
running. A process that dies of SIGKILL cannot clean up, so a second small process does: the
*reaper* holds the reading end of a pipe whose writing end only the sandbox has. When the kernel
closes it, the reaper kills every group it was told of and what those groups started (a PostgreSQL
server puts each session into a group of its own and overwrites its environment), then every
process that carries this supervisor's mark in its environment (one that left its group, or was not
yet registered).
"""

import asyncio
import contextlib
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

MARK = "AZRUNBOOK_SUPERVISOR"
_UMASK = 0o022
_KILL_ROUNDS = 20
_KILL_APART_SECONDS = 0.02

_REAPER = """
import os, signal, sys, time
for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(ignored, signal.SIG_IGN)
mark = sys.stdin.readline().strip().encode()
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
def parents():
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit():
            try:
                with open("/proc/" + entry + "/stat", "rb") as stat:
                    yield int(entry), int(stat.read().rpartition(b")")[2].split()[1])
            except OSError:
                pass
family, found, kin = set(groups), True, list(parents())
while found:
    found = {pid for pid, parent in kin if parent in family} - family
    family |= found
for kill, targets in ((os.killpg, groups), (os.kill, family - groups)):
    for target in targets:
        try:
            kill(target, signal.SIGKILL)
        except OSError:
            pass
def marked():
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open("/proc/" + entry + "/environ", "rb") as environ:
                    if mark in environ.read().split(b"\\0"):
                        yield int(entry)
            except OSError:
                pass
for _ in range(20):
    found = list(marked())
    if not found:
        break
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    time.sleep(0.02)
"""


def kill_marked(name: str, value: str) -> None:
    """Kill every process with this variable in its environment, also those they start meanwhile.

    For what left its group and lost its parent: a daemon. Takes milliseconds; only where there is
    a /proc. A process that was started with an environment without the variable is not found.
    """
    mark = f"{name}={value}".encode()
    for _ in range(_KILL_ROUNDS):
        found = [pid for pid in _list_pids() if mark in _read_environment(pid)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_KILL_APART_SECONDS)


def _set_limits(pid: int) -> None:
    """Give a process what a container runtime gives: no core dumps, all the open files there are.

    From outside, just after its start: in the child it would cost a slow kind of fork.
    """
    if hasattr(resource, "prlimit"):
        with contextlib.suppress(OSError):  # it has ended already
            resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
            most = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))


def _list_pids() -> list[int]:
    if not Path("/proc/self").exists():
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names only


def _read_environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


class Child:
    """A running (or ended) process, leader of its own process group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid: int = process.pid
        self._process = process
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def is_running(self) -> bool:
        return not self._exited.done()

    async def wait(self) -> int:
        """Wait for the end; the exit code, or the negated signal number that ended it."""
        return await asyncio.shield(self._exited)

    def send_signal(self, signum: int) -> None:
        """Send a signal to the leader alone, as a container runtime does to process 1."""
        if self.is_running:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signum)

    def terminate(self, signum: int = signal.SIGTERM) -> None:
        """Send a signal to the whole process group; nothing happens when it has ended."""
        if self.is_running:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signum)

    def kill(self) -> None:
        """End the whole group at once (SIGKILL)."""
        self.terminate(signal.SIGKILL)

    def collect(self) -> int:
        """Note the end. What the leader left in its group dies with it, as in a container.

        The group is signalled before the leader is reaped: until then nobody else can get its id.
        """
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        if not self._exited.done():
            self._exited.set_result(code)
        return code


class Supervisor:
    """Starts children that die with this process. Start it before the first spawn."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        self._children: dict[int, Child] = {}
        self._reaper: subprocess.Popen[bytes] | None = None
        self._watchers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start the reaper; starting twice is harmless."""
        if self._reaper is None:
            self._start_reaper()

    async def stop(self) -> None:
        """Kill every child and wait until all are gone; the supervisor can be started again."""
        children = list(self._children.values())
        for child in children:
            child.kill()
        await asyncio.gather(*(child.wait() for child in children))
        reaper, self._reaper = self._reaper, None
        if reaper is not None and reaper.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                reaper.stdin.close()
            await asyncio.to_thread(reaper.wait)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
    ) -> Child:
        """Start a process with exactly this environment (and the mark).

        Raises:
            OSError: the program cannot be executed, or the directory does not exist.
            RuntimeError: the supervisor was not started.
        """
        if self._reaper is None:
            raise RuntimeError("the supervisor is not started. This is a bug. Please report.")
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - returns at exec; argv is ours
            list(argv),
            env={**env, MARK: self._mark},
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            umask=_UMASK,  # not the one of whoever started the sandbox
        )
        _set_limits(process.pid)
        child = Child(process)
        self._children[child.pid] = child
        self._tell_reaper(f"+{child.pid}\n")
        self._watch(child)
        return child

    def list_children(self) -> list[Child]:
        """Return the children that still run."""
        return list(self._children.values())

    def _watch(self, child: Child) -> None:
        if not hasattr(os, "pidfd_open"):  # not Linux: one waiting thread for each child
            watcher = asyncio.create_task(self._wait_in_thread(child))
            self._watchers.add(watcher)
            watcher.add_done_callback(self._watchers.discard)
            return
        descriptor = os.pidfd_open(child.pid)
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            self._collect(child)

        loop.add_reader(descriptor, ended)

    async def _wait_in_thread(self, child: Child) -> None:
        await asyncio.to_thread(os.waitid, os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self._collect(child)

    def _collect(self, child: Child) -> None:
        child.collect()
        self._children.pop(child.pid, None)
        self._tell_reaper(f"-{child.pid}\n")

    def _start_reaper(self) -> None:
        self._reaper = subprocess.Popen(  # noqa: S603 - our own text, our own interpreter
            [sys.executable, "-I", "-S", "-c", _REAPER],
            env={"PATH": os.defpath},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        lines = [f"{MARK}={self._mark}\n", *(f"+{pid}\n" for pid in self._children)]
        self._write(self._reaper, "".join(lines))

    def _tell_reaper(self, line: str) -> None:
        if self._reaper is None:
            return
        try:
            self._write(self._reaper, line)
        except BrokenPipeError:  # somebody killed the reaper: children must not be left unguarded
            self._reaper.wait()
            self._start_reaper()

    @staticmethod
    def _write(reaper: subprocess.Popen[bytes], text: str) -> None:
        assert reaper.stdin is not None  # noqa: S101 - opened as a pipe above
        reaper.stdin.write(text.encode())
        reaper.stdin.flush()

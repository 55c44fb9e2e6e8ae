"""A process with its streams: a container's own, or one that ``kubectl exec`` starts beside it.

The latter has the container's environment, folder and translated paths, and ends with the
container, or when nobody is connected to it any more (a real node leaves it running then).
"""

import asyncio
import os
import subprocess
from dataclasses import dataclass

from azrunbook.sandbox import processes
from azrunbook.sandbox.node import launch, logs, pipes

_SIGNAL_BASE = 128


@dataclass(frozen=True)
class Streams:
    """Which streams are wanted."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


@dataclass
class Command:
    """A running command. With a terminal everything comes out of ``stdout``."""

    child: processes.Child
    stdin: asyncio.StreamWriter | None = None
    stdout: asyncio.StreamReader | None = None
    stderr: asyncio.StreamReader | None = None
    terminal: pipes.Terminal | None = None

    async def wait(self) -> int:
        """Wait for the end; 128 + n for a signal n."""
        code = await self.child.wait()
        return _SIGNAL_BASE - code if code < 0 else code

    def close(self) -> None:
        """End it if it has not ended, and let go of its streams."""
        self.child.kill()
        if self.stdin is not None:
            self.stdin.close()
        if self.terminal is not None:
            self.terminal.close()


async def start(
    supervisor: processes.Supervisor,
    planned: launch.Launch,
    streams: Streams,
    *,
    log: logs.LogFile | None = None,
) -> Command:
    """Start a command; with a log, its output goes there, both kinds in the order they come.

    Raises:
        OSError: it cannot be executed.
    """
    if streams.tty:
        return await _start_on_terminal(supervisor, planned, streams, log)
    ends = _Ends()
    stdin = ends.make_input() if streams.stdin else subprocess.DEVNULL
    stdout = ends.make_output() if streams.stdout else subprocess.DEVNULL
    if log is not None:
        stderr = stdout
    else:
        stderr = ends.make_output() if streams.stderr else subprocess.DEVNULL
    try:
        child = await supervisor.spawn(
            planned.argv,
            env=planned.env,
            cwd=planned.cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    except OSError:
        ends.close(ends.ours)
        raise
    finally:
        ends.close(ends.theirs)
    return await _connect(child, streams, ends, log)


class _Ends:
    """Pipes to a child: our ends, in the order stdin, stdout, stderr, and its own."""

    def __init__(self) -> None:
        self.ours: list[int] = []
        self.theirs: list[int] = []

    def make_input(self) -> int:
        reading, writing = os.pipe()
        self.ours.append(writing)
        self.theirs.append(reading)
        return reading

    def make_output(self) -> int:
        reading, writing = os.pipe()
        self.ours.append(reading)
        self.theirs.append(writing)
        return writing

    @staticmethod
    def close(descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)


async def _connect(
    child: processes.Child, streams: Streams, ends: _Ends, log: logs.LogFile | None
) -> Command:
    command, ours = Command(child), iter(ends.ours)
    if streams.stdin:
        command.stdin = await pipes.open_writing(next(ours))
    if log is not None:
        await logs.copy(next(ours), log)
        return command
    if streams.stdout:
        command.stdout = await pipes.open_reading(next(ours))
    if streams.stderr:
        command.stderr = await pipes.open_reading(next(ours))
    return command


async def _start_on_terminal(
    supervisor: processes.Supervisor,
    planned: launch.Launch,
    streams: Streams,
    log: logs.LogFile | None,
) -> Command:
    terminal, other = pipes.open_terminal()
    try:
        child = await supervisor.spawn(
            terminal.wrap(planned.argv),
            env={"TERM": "xterm", **planned.env},
            cwd=planned.cwd,
            stdin=other,
            stdout=other,
            stderr=other,
        )
    except OSError:
        terminal.close()
        raise
    finally:
        os.close(other)
    command = Command(child, terminal=terminal)
    if streams.stdin:
        command.stdin = await pipes.open_writing(os.dup(terminal.control))
    if log is None:
        command.stdout = await pipes.open_reading(os.dup(terminal.control))
    else:
        await logs.copy(os.dup(terminal.control), log)
    return command

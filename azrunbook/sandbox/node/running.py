"""One run of a container: its process, its log, commands in it, and its end."""

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from azrunbook.sandbox import processes
from azrunbook.sandbox.node import commands, config, image as images, launch, logs, pipes

SHORTEST_GRACE_SECONDS = 2.0
_OUTPUT_BYTES = 10 * 1024
_SIGNAL_BASE = 128

Hook = Callable[[], Awaitable[None]]


class Running(Protocol):
    """What runs as a container."""

    container_id: str
    started_at_seconds: float
    stdin: asyncio.StreamWriter | None
    terminal: pipes.Terminal | None

    @property
    def pid(self) -> int | None: ...

    async def wait(self) -> int: ...

    async def stop(self, grace_seconds: float, hook: Hook | None) -> None: ...

    def kill(self) -> None: ...


class ProcessRun:
    """A container that is a process."""

    def __init__(
        self,
        child: processes.Child,
        log: logs.LogFile,
        *,
        mark: str,
        stop_signal: int,
        stdin: asyncio.StreamWriter | None = None,
        terminal: pipes.Terminal | None = None,
    ) -> None:
        self.container_id = new_container_id()
        self.started_at_seconds = time.monotonic()
        self.log = log
        self.stdin = stdin
        self.terminal = terminal
        self._child = child
        self._mark = mark
        self._stop_signal = stop_signal

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child.is_running else None

    async def wait(self) -> int:
        """Wait for the end; 128 + n for a signal n, as runtimes report it.

        With process 1 ends all that it started, also what became a daemon.
        """
        code = await self._child.wait()
        if self.stdin is not None:
            self.stdin.close()
        await asyncio.to_thread(processes.kill_marked, launch.MARK, self._mark)
        return _SIGNAL_BASE - code if code < 0 else code

    async def stop(self, grace_seconds: float, hook: Hook | None) -> None:
        """Run the hook, send the stop signal to process 1, and kill the group after the grace."""
        deadline = time.monotonic() + grace_seconds
        if hook is not None and grace_seconds > 0:
            await self._run_hook(hook, grace_seconds)
        left = deadline - time.monotonic()
        if hook is not None and grace_seconds > 0:
            left = max(left, SHORTEST_GRACE_SECONDS)
        if left > 0:
            self._child.send_signal(self._stop_signal)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._child.wait()
        self._child.kill()
        await self.wait()

    async def _run_hook(self, hook: Hook, grace_seconds: float) -> None:
        """Wait for the hook, the grace, or the end of the process, whichever is first."""
        tasks = [asyncio.ensure_future(hook()), asyncio.ensure_future(self._child.wait())]
        try:
            await asyncio.wait(tasks, timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()


def new_container_id() -> str:
    """Return an id of the form that containerd gives."""
    return f"containerd://{secrets.token_hex(32)}"


def read_signal(image: images.Image, container: config.Object) -> int:
    """Return the number of the stop signal: the pod's, else the image's; SIGTERM if it is none."""
    name = str((container.get("lifecycle") or {}).get("stopSignal") or image.stop_signal).upper()
    if name.isdigit():
        return int(name)
    known = signal.Signals.__members__
    return known.get(name if name.startswith("SIG") else f"SIG{name}", signal.SIGTERM)


async def start_process(
    supervisor: processes.Supervisor,
    planned: launch.Launch,
    path: Path,
    container: config.Object,
    *,
    stop_signal: int,
) -> ProcessRun:
    """Start a container's process with its output in a log file.

    With ``stdin`` it has an input that ``kubectl attach`` reaches, with ``tty`` a terminal.

    Raises:
        StartError: the machine refuses to execute it.
    """
    log = logs.LogFile(path)
    streams = commands.Streams(
        stdin=bool(container.get("stdin")), stdout=True, tty=bool(container.get("tty"))
    )
    try:
        command = await commands.start(supervisor, planned, streams, log=log)
    except OSError as error:
        log.close()
        raise launch.StartError(f"failed to start container process: {error}") from error
    return ProcessRun(
        command.child,
        log,
        mark=planned.env[launch.MARK],
        stop_signal=stop_signal,
        stdin=command.stdin,
        terminal=command.terminal,
    )


async def run_command(
    supervisor: processes.Supervisor, planned: launch.Launch, timeout_seconds: float
) -> tuple[int, str]:
    """Run a command in a container's surroundings; its exit code and the start of its output.

    Raises:
        TimeoutError: it took longer; it is killed.
        OSError: it cannot be executed.
    """
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        try:
            child = await supervisor.spawn(
                planned.argv, env=planned.env, cwd=planned.cwd, stdout=writing, stderr=writing
            )
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(timeout_seconds):
                output = (await reader.read())[:_OUTPUT_BYTES]
                code = await child.wait()
        finally:
            child.kill()
    finally:
        transport.close()
    return (_SIGNAL_BASE - code if code < 0 else code), output.decode(errors="replace")

"""Start, stop and ask a sandbox that runs in the background; what a command line needs.

Files of one sandbox, in ``<home>/sandbox``: ``connection.json`` (what a client needs; there only
while the sandbox is ready), ``colleague.json`` (the same for a second identity), ``kubeconfig``,
``sandbox.log``, ``control.sock`` (a Unix socket, so that only this user can ask), ``ca.pem`` and
the client secrets; beside it ``sandbox.lock``, which is held while one is started. Synchronous,
and imports no server: the sandbox itself runs in a process of its own (``python -m
azrunbook.sandbox``).
"""

import contextlib
import fcntl
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from azrunbook import errors
from azrunbook.sandbox import sockets

_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0


def folder(home: Path) -> Path:
    return home / "sandbox"


def connection_path(home: Path) -> Path:
    return folder(home) / "connection.json"


def kubeconfig_path(home: Path) -> Path:
    return folder(home) / "kubeconfig"


def log_path(home: Path) -> Path:
    return folder(home) / "sandbox.log"


def start(
    home: Path,
    *,
    owner_pid: int | None = None,
    timing: str = "seconds",
    speed: float = 80,
    images: str = "fail",
) -> Path:
    """Start a sandbox and wait until it is ready; returns the path of its connection file.

    Args:
        home: the state folder; one sandbox per folder.
        owner_pid: the sandbox ends when this process does, however that ends. None: it stays
            until :func:`stop`.
        timing: how long operations of the emulated Azure take: ``immediate``, ``seconds`` (scaled
            down from real ones) or ``manual`` (a test moves them on).
        speed: of ``seconds``, as a multiple of Azure's; 80 makes a cluster in three seconds.
        images: what a pod does whose image cannot run here: ``fail`` to be pulled, as in a cluster
            whose registry lacks it, or ``simulate`` a container without a process.

    Raises:
        ConnectError: one is running already, or it did not become ready; says where its log is.
    """
    home = home.absolute()  # what is written into the connection file is read from anywhere
    with _starting(home):
        if is_running(home):
            raise errors.ConnectError(
                f"a sandbox is running already in {folder(home)}; "
                "use it, or stop it first: azrunbook sandbox down"
            )
        shutil.rmtree(folder(home), ignore_errors=True)
        folder(home).mkdir(parents=True, mode=0o700)
        settings = ["--timing", timing, "--speed", str(speed), "--images", images]
        process, reader = _spawn(home, owner_pid, settings)
        _wait_until_ready(home, process, reader)
    return connection_path(home)


@contextlib.contextmanager
def _starting(home: Path) -> Iterator[None]:
    """Let one process at a time start: a second one would clear the folder under the first."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "sandbox.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _spawn(
    home: Path, owner_pid: int | None, settings: list[str]
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the process; it writes into the pipe, whose reading end is returned, when ready."""
    reader, writer = os.pipe()
    command = [
        sys.executable, "-m", "azrunbook.sandbox",
        "--home", str(home), "--ready-fd", str(writer), *settings,
        "--began-at", str(time.monotonic()),
        *(["--owner-pid", str(owner_pid)] if owner_pid else []),
    ]  # fmt: skip
    with log_path(home).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
            start_new_session=True,
        )
    os.close(writer)
    return process, reader


def _wait_until_ready(home: Path, process: subprocess.Popen[bytes], reader: int) -> None:
    with os.fdopen(reader, "rb") as pipe:
        if select.select([pipe], [], [], _READY_SECONDS)[0] and pipe.read():
            process.returncode = 0  # it goes on without us: no warning about a running child
            return
    process.kill()
    process.wait()
    tail = "\n".join(log_path(home).read_text(errors="replace").splitlines()[-5:])
    raise errors.ConnectError(
        f"the sandbox did not become ready within {_READY_SECONDS:g} s; its last lines:\n{tail}\n"
        f"The whole log: {log_path(home)}"
    )


def stop(home: Path) -> bool:
    """Stop the sandbox and everything it started; False when none was running."""
    if not is_running(home):
        return False
    pid = int(_ask(home, "POST", "/shutdown")["pid"])
    _wait_for_exit(pid)
    return True


def _wait_for_exit(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(handle) as gone:
        if not select.select([gone], [], [], _STOP_SECONDS)[0]:
            raise errors.ConnectError(
                f"the sandbox (process {pid}) did not end within {_STOP_SECONDS:g} s; "
                f"end it by hand: kill {pid}"
            )
    with contextlib.suppress(ChildProcessError):  # it is our child only if we started it
        os.waitpid(pid, 0)


def is_running(home: Path) -> bool:
    """Whether a sandbox answers in this folder; a socket that a killed one left does not."""
    try:
        with socket.socket(socket.AF_UNIX) as probe, sockets.reach(_socket_path(home)) as name:
            probe.connect(name)
    except OSError:
        return False
    return True


def status(home: Path) -> dict[str, Any]:
    """What runs: pid, ready_seconds, memory_bytes, endpoints, clusters and the edge's origins.

    Returns ``{"running": False}`` when none does.
    """
    return _ask(home, "GET", "/status") if is_running(home) else {"running": False}


def inject(home: Path, fault: dict[str, Any]) -> dict[str, Any]:
    """Break something on purpose; the kinds are listed in :mod:`azrunbook.sandbox.faults`.

    Raises:
        ConnectError: no sandbox is running, or it does not know this kind of fault.
    """
    return _ask(home, "POST", "/faults", fault)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with sockets.reach(self._path) as name:
            self.sock.connect(name)


def _ask(home: Path, method: str, path: str, body: Any = None) -> dict[str, Any]:
    connection = _UnixConnection(_socket_path(home))
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
    except OSError as error:
        raise errors.ConnectError(
            f"no sandbox answers in {folder(home)} ({error}); start one: azrunbook sandbox up"
        ) from error
    finally:
        connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise errors.ConnectError(f"the sandbox refused {path}: {content.get('error')}")
    return content


def _socket_path(home: Path) -> Path:
    return folder(home) / "control.sock"

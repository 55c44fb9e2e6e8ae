"""Container images built on this machine by docker, podman or buildah, and pushed to a registry.

Starts one of them and follows what it prints. It is given a copy of what the registry would be
sent, so that files and modes are those whose digest was planned with. Its login is a token of some
hours in a file that only this user can read, gone when the push is done; no password is ever on a
command line. What was pushed is what the registry says afterwards.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from azrunbook import binaries, contexts, errors, login_server, secrets

Tell = Callable[[str], None]

# In order of preference, each with what it must answer to be of use: docker's client is nothing
# without an engine, podman and buildah need storage and a user namespace.
PROBES: Mapping[str, tuple[str, ...]] = {
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "podman": ("info", "--format", "{{.Version.Version}}"),
    "buildah": ("info",),
}
_ENGINE = ("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
_PLATFORM = "linux/amd64"  # the nodes'
_PROBE_SECONDS = 20
_LOG_LINES = 15
_WORTH_TELLING = 200  # characters of a line
# docker: "Step 3/9 : RUN …"; podman and buildah: "[1/2] STEP 3/4: RUN …".
_STEP = re.compile(r"(?:\[\d+/\d+\] )?(?:Step|STEP) \d+/\d+ ?: (.*)")
# Steps of BuildKit run side by side: "#8 [2/4] RUN …", and of one that failed "#8 ERROR: …".
_BUILDKIT_STEP = re.compile(r"(#\d+) \[[^\]]*\d+/\d+\] (.*)")
_BUILDKIT_ERROR = re.compile(r"(#\d+) ERROR")


@dataclass(frozen=True)
class Tool:
    """A builder on this machine; ``problem`` says why it is of no use, empty: it is."""

    name: str
    path: str
    version: str
    problem: str


def look(name: str) -> Tool:
    """Find a builder and see whether it can build."""
    path = shutil.which(name)
    if path is None:
        return Tool(name, "", "", "not on PATH")
    try:
        said = binaries.run([path, *PROBES[name]], timeout_seconds=_PROBE_SECONDS).strip()
    except errors.CommandError as error:
        lines = (error.stderr or error.stdout or str(error)).strip().splitlines()
        return Tool(name, path, "", lines[-1] if lines else "no answer")
    version = re.search(r"\d+\.\d+\.\d+", said if name != "buildah" else _read_version(path))
    return Tool(name, path, version[0] if version else "", "")


def find(name: str) -> Tool | None:
    """The builder of a name: ``registry`` (None), a program of this machine, or ``auto``.

    ``auto`` is the first program that can build here, and the registry when none can.

    Raises:
        PreflightError: the program cannot build here; says why not.
    """
    if name == "registry":
        return None
    return find_usable() if name == "auto" else require(name)


def find_usable() -> Tool | None:
    """The first builder that can build here."""
    return next((one for one in map(look, PROBES) if not one.problem), None)


def require(name: str) -> Tool:
    """The builder of a name.

    Raises:
        PreflightError: it cannot build here; says why not.
    """
    found = look(name)
    if not found.problem:
        return found
    raise errors.PreflightError(
        f"{name} cannot build an image ({found.problem}): expected it on PATH, docker with a "
        "running engine. Nothing was changed. Let the registry build it: -p builder=registry, or "
        "whatever can: -p builder=auto"
    )


def _read_version(path: str) -> str:
    return binaries.run([path, "--version"], timeout_seconds=_PROBE_SECONDS)


class LocalBuilds:
    """Builds by one tool, pushed to one registry."""

    def __init__(self, tool: Tool, registry: login_server.LoginServer) -> None:
        self._tool = tool
        self._registry = registry

    def __str__(self) -> str:
        return f"{self._tool.name} {self._tool.version}"

    def build(
        self,
        folder: Path,
        *,
        names: Sequence[str],
        arguments: Mapping[str, str],
        timeout: float,
        progress: Tell,
    ) -> str:
        """Build ``folder/Dockerfile``, push it under ``repository:tag`` names; the digest of it.

        ``arguments`` are the build's; ``timeout`` is in seconds, for build and push together.

        Raises:
            StepError: it failed; carries the step of the Dockerfile and the end of the log.
            ConnectError: the registry does not answer, or refuses the login.
        """
        ends_at = time.monotonic() + timeout
        places = [f"{self._registry.place}/{name}" for name in names]
        progress(f"{self} builds {names[0]}")
        with tempfile.TemporaryDirectory(prefix="azrunbook-build-") as scratch:
            contexts.copy(folder, Path(scratch))
            build = self._say_build(Path(scratch), places, arguments)
            self._run("build", build, ends_at, progress)
        with _logged_in(self._registry) as login:
            for place in places:
                progress(f"pushes {place}")
                self._run("push", self._say_push(place, login), ends_at, progress)
        return self._read_digest(names)

    def _say_build(
        self, context: Path, places: Sequence[str], arguments: Mapping[str, str]
    ) -> list[str]:
        command = [self._tool.path, "build", "--platform", _PLATFORM]
        if self._tool.name != "docker":
            command += ["--format", "docker"]  # OCI's has no HEALTHCHECK
        for place in places:
            command += ["--tag", place]
        for name, value in arguments.items():
            command += ["--build-arg", f"{name}={value}"]
        return [*command, "--file", str(context / contexts.DOCKERFILE), str(context)]

    def _say_push(self, place: str, login: Path) -> list[str]:
        if self._tool.name == "docker":
            # Another configuration has no contexts: the engine has to be named.
            engine = binaries.run([self._tool.path, *_ENGINE]).strip()
            return [self._tool.path, "--config", str(login), "--host", engine, "push", place]
        options = ["--authfile", str(login / "config.json"), "--cert-dir", str(login / "trust")]
        return [self._tool.path, "push", *options, place]

    def _run(self, what: str, command: Sequence[str], ends_at: float, progress: Tell) -> None:
        log: deque[str] = deque(maxlen=_LOG_LINES)
        steps: dict[str, str] = {}
        failed = current = ""
        with _started(command, max(0.0, ends_at - time.monotonic())) as process:
            for line in _read_lines(process):
                log.append(line)
                progress(line[:_WORTH_TELLING])
                if found := _STEP.match(line):
                    current = found[1]
                elif found := _BUILDKIT_STEP.match(line):
                    current = steps[found[1]] = found[2]
                elif found := _BUILDKIT_ERROR.match(line):
                    failed = steps.get(found[1], "")
        if process.returncode == 0:
            return
        where = f" at '{failed or current}'" if failed or current else ""
        how = "was ended at its deadline" if process.returncode < 0 else "failed"
        raise errors.StepError(
            f"{self._tool.name} {what} {how}{where}: expected it to end with status 0. The end of "
            "its log:\n" + "\n".join(log)
        )

    def _read_digest(self, names: Sequence[str]) -> str:
        digests = {name: self._registry.find_digest(name) for name in names}
        found = set(digests.values())
        if len(found) != 1 or not all(found):
            raise errors.StepError(
                f"{self._registry.host} has {digests} after the push: expected one digest. "
                "Somebody else pushed a tag of these meanwhile; run it again."
            )
        return found.pop()


@contextlib.contextmanager
def _started(command: Sequence[str], timeout: float) -> Iterator["subprocess.Popen[str]"]:
    """A process in a group of its own, which is killed at the deadline or when this is left."""
    try:
        process = subprocess.Popen(  # noqa: S603 - an argument list, never a shell line
            command,
            env={**os.environ, "BUILDKIT_PROGRESS": "plain"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            process_group=0,
        )
    except OSError as error:
        raise errors.CommandError(command, 127, "", str(error)) from error

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    deadline = threading.Timer(timeout, end)
    deadline.start()
    try:
        yield process
        process.wait()
    finally:
        deadline.cancel()
        if process.poll() is None:
            end()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _read_lines(process: "subprocess.Popen[str]") -> Iterator[str]:
    for line in process.stdout or ():
        if text := secrets.scrub(line.strip()):
            yield text


@contextlib.contextmanager
def _logged_in(registry: login_server.LoginServer) -> Iterator[Path]:
    """A folder with docker's configuration, which is podman's authfile too; gone afterwards."""
    password = registry.log_in().reveal()
    pair = base64.b64encode(f"{login_server.USER}:{password}".encode()).decode()
    with tempfile.TemporaryDirectory(prefix="azrunbook-login-") as folder:  # 0700
        path = Path(folder, "config.json")
        path.touch(mode=0o600)
        path.write_text(json.dumps({"auths": {registry.place: {"auth": pair}}}), encoding="utf-8")
        trust = Path(folder, "trust")
        trust.mkdir()
        if registry.ca_bundle is not None:
            shutil.copy(registry.ca_bundle, trust / "ca.crt")
        yield Path(folder)

"""``pip install`` of a Dockerfile, done by uv into a layer that is kept and found by its hash.

The law: this is the one place that may ask a package index, and only after uv's cache could not
answer. uv runs with the sandbox's own environment, because index, proxy and certificates are set
there; nothing of that reaches an image.
"""

import asyncio
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from azrunbook.sandbox.node import python

Log = Callable[[str], None]

_TAKEN = {
    "-r": "files",
    "--requirement": "files",
    "-c": "constraints",
    "--constraint": "constraints",
    "--prefix": "prefix",
    "-t": "target",
    "--target": "target",
}
# Options of pip with a value that say how to fetch, which is uv's business here.
_IGNORED_WITH_VALUE = {"--index-url", "-i", "--extra-index-url", "--find-links", "-f", "--timeout"}
_IGNORED_WITH_VALUE |= {"--trusted-host", "--cache-dir", "--retries", "--progress-bar"}
_KEPT = {"--no-deps", "--require-hashes", "--pre", "--no-binary", "--only-binary"}
_PART_OF_THE_BASE = {"pip", "setuptools", "wheel", "uv"}


class InstallError(Exception):
    """The requirements cannot be installed; carries the end of uv's output."""


@dataclass(frozen=True)
class Install:
    """One ``pip install``: files and names to install, and where to.

    ``prefix`` and ``target`` are absolute paths of the image; without both the packages go where
    the pip that was called belongs.
    """

    files: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    prefix: str = ""
    target: str = ""

    @property
    def is_empty(self) -> bool:
        return not self.files and not self.packages


def parse_install(words: Sequence[str], *, venv: str = "") -> Install | None:
    """Read a command line as ``pip install``, or None if it is something else. Pure.

    ``venv`` is the virtual environment that comes first on the PATH, if any.
    """
    words = list(words)
    program = words[0].rpartition("/")[2]
    if python.is_python(program) and words[1:3] == ["-m", "pip"]:
        words = [words[0], *words[3:]]
    elif program == "uv" and words[1:2] == ["pip"]:
        words = [words[0], *words[2:]]
    elif not program.startswith("pip"):
        return None
    if "install" not in words:
        return None
    folder = words[0].rpartition("/")[0]
    home = folder.removesuffix("/bin") if folder.endswith("/bin") else venv or "/usr/local"
    return _read_arguments(words[words.index("install") + 1 :], home)


def _read_arguments(words: list[str], home: str) -> Install:
    taken: dict[str, list[str]] = {name: [] for name in set(_TAKEN.values())}
    packages, options = [], []
    rest = iter(words)
    for word in rest:
        flag, has_value, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if flag in _TAKEN or flag in _IGNORED_WITH_VALUE:
            value = value if has_value else next(rest, "")
            taken.get(_TAKEN.get(flag, ""), []).append(value)
        elif flag == "--user":
            home = "/root/.local"
        elif flag in _KEPT:
            options.append(word)
        elif not word.startswith("-") and word.lower() not in _PART_OF_THE_BASE:
            packages.append(word)
    return Install(
        files=tuple(taken["files"]),
        constraints=tuple(taken["constraints"]),
        packages=tuple(packages),
        options=tuple(options),
        prefix=[home, *taken["prefix"]][-1],
        target=["", *taken["target"]][-1],
    )


class LayerStore:
    """Installed requirements, each set once; a layer is a ``--prefix`` of pip."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def ensure(self, install: Install, files: Sequence[Path], log: Log) -> Path:
        """Return the layer of an install whose files lie at ``files`` (constraints last).

        Raises:
            InstallError: uv could not install it.
        """
        layer = self._find_place(install, files)
        if layer.exists():
            log("  requirements unchanged: layer taken from the store")
            return layer
        fresh = Path(tempfile.mkdtemp(prefix=".layer-", dir=self._folder))
        try:
            await _install(install, files, fresh, log)
            _keep(fresh, layer)
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        return layer

    def _find_place(self, install: Install, files: Sequence[Path]) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / hash_install(install, [path.read_text() for path in files])


def _keep(fresh: Path, layer: Path) -> None:
    fresh.chmod(0o755)
    if not layer.exists():  # two builds may have installed the same
        fresh.rename(layer)


def hash_install(install: Install, contents: Sequence[str]) -> str:
    """Return the name of a layer: what is installed, for which Python and machine. Pure."""
    interpreter = [python.TAG, platform.machine(), str(python.find_interpreter())]
    content = [interpreter, list(install.packages), list(install.options), list(contents)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


async def _install(install: Install, files: Sequence[Path], prefix: Path, log: Log) -> None:
    import uv  # late: only a build needs it

    wanted = len(install.files)
    arguments = [
        *(word for path in files[:wanted] for word in ("-r", str(path))),
        *(word for path in files[wanted:] for word in ("-c", str(path))),
        *install.packages,
        *install.options,
    ]
    command = [uv.find_uv_bin(), "pip", "install", "--prefix", str(prefix)]
    command += ["--python", str(python.find_interpreter()), "--compile-bytecode", "--no-config"]
    code, output = await _run_uv([*command, "--offline", *arguments])
    if code:
        log("  not all in the cache; asking the package index")
        command.remove("--no-config")
        code, output = await _run_uv([*command, *arguments])
    for line in output.splitlines():
        if not line.startswith("Using "):  # which of this machine's Pythons, and where it is
            log(f"  {line}")
    if code:
        raise InstallError(
            f"uv pip install failed with exit code {code}: {output[-2000:].strip()}. Check the "
            "requirements and that a package index can be reached (UV_INDEX_URL)"
        )


async def _run_uv(command: Sequence[str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_LINK_MODE": "copy"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode(errors="replace")

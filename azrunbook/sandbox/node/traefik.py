"""Traefik's image: the real binary, with its entry points on the pod's address.

In a container ``:8000`` is the pod's own port 8000. Without a network namespace it would be every
address of the machine, and two pods would collide, so the address is put in front of the port.
Entry points that Traefik would add by itself are given explicitly for the same reason. Entry
points in a configuration file or in ``TRAEFIK_…`` variables are left as they are.
"""

import functools
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from azrunbook.sandbox.node import image as images

_ENTRY_POINT = re.compile(r"^--entrypoints\.([^.=]+)\.address=(.*)$", re.IGNORECASE)
_VERSION = re.compile(r"^Version:\s*v?(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_WANTED = re.compile(r"^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-.*)?$")
_INTERNAL_FLAGS = ("--ping", "--api", "--metrics", "--providers.rest")


def move_entry_points(argv: Sequence[str], address: str) -> list[str]:
    """Put a pod's address in front of the ports; every other argument stays. Pure."""
    moved, names = [], set()
    for argument in argv:
        match = _ENTRY_POINT.match(argument)
        if match:
            names.add(match[1].lower())
            flag, _, value = argument.partition("=")
            moved.append(f"{flag}={_on_address(value, address)}")
        else:
            moved.append(argument)
    if moved[1:2] == ["version"] or moved[1:2] == ["healthcheck"]:
        return moved
    if not names - {"traefik"}:
        moved.append(f"--entryPoints.http.address={address}:80")
    is_internal_used = any(argument.lower().startswith(_INTERNAL_FLAGS) for argument in argv)
    if "traefik" not in names and is_internal_used:
        moved.append(f"--entryPoints.traefik.address={address}:8080")
    return moved


def find_binary() -> Path | None:
    """Return the traefik program: beside this interpreter first, then on PATH."""
    beside = Path(sys.executable).parent / "traefik"
    found = str(beside) if beside.exists() else shutil.which("traefik")
    return Path(found) if found else None


def describe_image(reference: images.Reference, binary: Path) -> images.Image:
    """Return the image, if the binary is what its tag promises: same major, minor not older.

    Raises:
        ImagePullError: the tag names a version that the binary is not.
    """
    version = read_version(binary)
    if not is_satisfied(reference.tag, version):
        raise images.not_found(reference)
    stat = binary.stat()
    seed = f"traefik {version} {stat.st_size}"
    return images.Image(
        reference=str(reference),
        digest="sha256:" + hashlib.sha256(seed.encode()).hexdigest(),
        entrypoint=(str(binary),),
        search_path=(binary.parent,),
        user="65532",
        size_bytes=stat.st_size,
        adapt=move_entry_points,
    )


def is_satisfied(tag: str, version: tuple[int, ...]) -> bool:
    """Tell whether a binary of this version may stand for a tag: same major, not older. Pure."""
    if tag == "latest":
        return True
    wanted = _WANTED.match(tag)
    if wanted is None:
        return False
    parts = tuple(int(part) for part in wanted.groups() if part is not None)
    return parts[0] == version[0] and parts[:2] <= version[:2]


@functools.lru_cache(maxsize=4)
def read_version(binary: Path) -> tuple[int, ...]:
    """Ask a binary for its version; it takes a moment, once.

    Raises:
        ImagePullError: it does not answer as Traefik does.
    """
    answer = subprocess.run(  # noqa: S603 - the binary found above
        [binary, "version"], capture_output=True, text=True, timeout=30, check=False
    )
    match = _VERSION.search(answer.stdout)
    if match is None:
        raise images.ImagePullError(f"{binary} does not say which Traefik it is: {answer.stderr}")
    return tuple(int(part) for part in match.groups())


def _on_address(value: str, address: str) -> str:
    """``:8000/tcp`` becomes ``127.1.2.3:8000/tcp``; a given host other than any is kept."""
    host, colon, port = value.rpartition(":")
    if colon and host in {"", "0.0.0.0", "[::]"}:  # noqa: S104 - read, not bound
        return f"{address}:{port}"
    return value

"""What an image is built from: the files of a folder that a builder is sent, and their digest.

Reads files only. The archive is the same for the same content on every machine (sorted, no times,
no owners, two modes), so that its digest names the source an image was built from.
"""

import gzip
import hashlib
import io
import re
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

DOCKERFILE = "Dockerfile"
_EXECUTABLE, _PLAIN = 0o755, 0o644


def digest(folder: Path) -> str:
    """SHA-256 (hexadecimal) of what a build of the folder would be sent."""
    return hashlib.sha256(_pack(folder)).hexdigest()


def pack(folder: Path) -> bytes:
    """A tar.gz of a folder without what its ``.dockerignore`` names."""
    return gzip.compress(_pack(folder), mtime=0)


def list_files(folder: Path) -> tuple[PurePosixPath, ...]:
    """The files a build is sent, relative to the folder, sorted."""
    ignore = folder / ".dockerignore"
    rules = list(_read_rules(ignore.read_text(encoding="utf-8"))) if ignore.exists() else []
    files = (
        PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    )
    return tuple(
        sorted(
            path
            for path in files
            # Docker sends these two always; the builder needs them.
            if str(path) in {DOCKERFILE, ".dockerignore"} or not _is_ignored(path, rules)
        )
    )


def copy(folder: Path, target: Path) -> None:
    """Lay what a build is sent into another folder, with the modes of the archive."""
    for path in list_files(folder):
        for parent in reversed(path.parents[:-1]):
            (target / parent).mkdir(exist_ok=True)
            (target / parent).chmod(_EXECUTABLE)
        shutil.copyfile(folder / path, target / path)
        (target / path).chmod(_choose_mode(folder / path))


def _choose_mode(path: Path) -> int:
    """As git keeps modes: whatever the umask of this machine is, the image's user can read it."""
    return _EXECUTABLE if path.stat().st_mode & 0o100 else _PLAIN


def _pack(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in list_files(folder):
            source = folder / path
            entry = tarfile.TarInfo(str(path))
            entry.size = source.stat().st_size
            entry.mode = _choose_mode(source)
            with source.open("rb") as content:
                archive.addfile(entry, content)
    return buffer.getvalue()


def _read_rules(text: str) -> Iterator[tuple[bool, re.Pattern[str]]]:
    """Read .dockerignore lines as (excludes, pattern); the last that matches decides."""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        excludes = not line.startswith("!")
        yield excludes, _compile(line.lstrip("!").strip().strip("/").removeprefix("./"))


def _compile(rule: str) -> re.Pattern[str]:
    """Docker's pattern: ``*`` stays in a folder, ``**`` does not; a folder takes its content."""
    expression = ""
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", rule):
        expression += {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
            part, re.escape(part)
        )
    return re.compile(f"{expression}(/.*)?")


def _is_ignored(path: PurePosixPath, rules: Sequence[tuple[bool, re.Pattern[str]]]) -> bool:
    verdict = False
    for excludes, pattern in rules:
        if pattern.fullmatch(str(path)):
            verdict = excludes
    return verdict

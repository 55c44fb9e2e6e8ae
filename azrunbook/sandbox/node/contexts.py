"""Build contexts: a tar of files, unpacked, ignored and hashed as a builder does."""

import hashlib
import io
import re
import tarfile
from pathlib import Path, PurePosixPath


class ContextError(Exception):
    """The context cannot be read, or lacks a file that the Dockerfile copies."""


def unpack(content: bytes, folder: Path) -> None:
    """Unpack a tar (also gzipped) and drop what its ``.dockerignore`` names.

    Raises:
        ContextError: not a tar, or a member that would leave the folder.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as archive:
            _extract(archive, folder)
    except (tarfile.TarError, OSError) as error:
        raise ContextError(f"the build context is not a readable tar: {error}") from error
    ignore = folder / ".dockerignore"
    if ignore.exists():
        is_ignored = compile_ignore(ignore.read_text())
        for path in sorted(folder.rglob("*"), reverse=True):
            relative = path.relative_to(folder).as_posix()
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()) and is_ignored.matches(relative):
                    path.rmdir()
            elif is_ignored.matches(relative) and path.name not in {".dockerignore", "Dockerfile"}:
                path.unlink()


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
        return
    # Python before 3.11.4 has no filters: plain files and folders that stay inside, nothing else.
    for member in archive:
        is_inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not is_inside or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name} leaves the folder, or is no plain file")
        archive.extract(member, folder)


class IgnoreRules:
    """The patterns of a ``.dockerignore``; the last one that matches decides."""

    def __init__(self, rules: list[tuple[re.Pattern[str], bool]]) -> None:
        self._rules = rules

    def matches(self, path: str) -> bool:
        """Tell whether a path (or a folder above it) is left out."""
        parents = [path, *(str(p) for p in PurePosixPath(path).parents if str(p) != ".")]
        is_out = False
        for pattern, leaves_out in self._rules:
            if any(pattern.fullmatch(each) for each in parents):
                is_out = leaves_out
        return is_out


def compile_ignore(text: str) -> IgnoreRules:
    """Read a ``.dockerignore``. Pure."""
    rules = []
    for line in text.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        leaves_out = not pattern.startswith("!")
        pattern = pattern.lstrip("!").strip().strip("/").removeprefix("./")
        rules.append((re.compile(to_regex(pattern)), leaves_out))
    return IgnoreRules(rules)


def to_regex(pattern: str) -> str:
    """Translate a Go path pattern: ``*`` within a part, ``**`` across parts. Pure."""
    out = ""
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            out, position = out + "(?:.*/)?", position + 3
        elif rest.startswith("**"):
            out, position = out + ".*", position + 2
        elif rest[0] == "*":
            out, position = out + "[^/]*", position + 1
        elif rest[0] == "?":
            out, position = out + "[^/]", position + 1
        else:
            out, position = out + re.escape(rest[0]), position + 1
    return out


def hash_folder(folder: Path, *extra: str) -> str:
    """Return a digest of names, contents and executable bits; instants do not count."""
    digest = hashlib.sha256("\0".join(extra).encode())
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            digest.update(f"\0link {name} {path.readlink()}".encode())
        elif path.is_file():
            is_executable = bool(path.stat().st_mode & 0o100)
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"\0file {name} {is_executable} {content}".encode())
    return "sha256:" + digest.hexdigest()


def read_dockerfile(folder: Path, dockerfile: str) -> str:
    """Return the text of a Dockerfile: a file of the context, or the text itself.

    Raises:
        ContextError: no such file.
    """
    if "\n" in dockerfile:
        return dockerfile
    path = folder / (dockerfile or "Dockerfile")
    if not path.is_file():
        raise ContextError(f"failed to read dockerfile: open {dockerfile}: no such file")
    return path.read_text()

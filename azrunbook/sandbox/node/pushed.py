"""An image that was pushed, made into a tree that a node can run: Python programs, no others.

Layers are unpacked as a container runtime does, with whiteouts, and never through a link out of
the tree. Of the base only Python's packages stay: programs and libraries are the machine's own, as
for images that are built here. So what needs another Python than the sandbox's, or no Python at
all, is refused with the reason instead of half running.
"""

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from azrunbook.sandbox.node import builds, python

Locate = Callable[[str], Path]
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_MOST_LINKS = 40
_BASE = ("bin", "sbin", "lib", "lib64", "usr/bin", "usr/sbin", "usr/lib", "usr/share", "var")
_COMPILED = re.compile(r"\.cpython-(3)(\d+)-")
_PACKAGES = re.compile(r"(.*/)?python3(\.\d+)?/(site|dist)-packages(/.*)?")


class NotRunnableError(Exception):
    """Nothing here can run the image; says why, and what to do."""


def unpack(manifest: Mapping[str, Any], locate: Locate, root: Path) -> builds.StageState:
    """Unpack a manifest's layers into ``root``; ``locate`` finds a blob's file by its digest.

    Raises:
        NotRunnableError: not a Python program for the sandbox's Python, or layers of a kind that
            cannot be read.
    """
    root.mkdir(parents=True)
    config = json.loads(locate(manifest["config"]["digest"]).read_bytes()).get("config") or {}
    for layer in manifest["layers"]:
        _unpack_layer(locate(layer["digest"]), root)
    _check_python(root)
    _drop_base(root)
    state = builds.StageState(root)
    state.env.update(one.split("=", 1) for one in config.get("Env") or ())
    state.workdir = config.get("WorkingDir") or "/"
    state.user = config.get("User") or ""
    state.command = tuple(config.get("Cmd") or ())
    state.entrypoint = tuple(config.get("Entrypoint") or ())
    state.stop_signal = config.get("StopSignal") or "SIGTERM"
    return state


def _unpack_layer(path: Path, root: Path) -> None:
    try:
        with tarfile.open(path, mode="r:*") as archive:
            for member in archive:
                _unpack_member(archive, member, root)
    except tarfile.TarError as error:
        raise NotRunnableError(
            f"a layer cannot be read ({error}): expected tar or tar+gzip. Push it again with "
            "gzip compression"
        ) from error


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    path = PurePosixPath(member.name)
    target = _find_inside(root, path.parent) / path.name
    if path.name == _OPAQUE:
        for one in list(target.parent.iterdir()) if target.parent.is_dir() else ():
            _remove(one)
        return
    if path.name.startswith(_WHITEOUT):
        _remove(target.with_name(path.name.removeprefix(_WHITEOUT)))
        return
    if member.isdir():
        if not target.is_dir():
            _remove(target)
            target.mkdir(parents=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove(target)
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        linked = PurePosixPath(member.linkname)
        target.hardlink_to(_find_inside(root, linked.parent) / linked.name)
    elif content := archive.extractfile(member) if member.isfile() else None:
        with target.open("wb") as out:
            shutil.copyfileobj(content, out)
        target.chmod((member.mode & 0o755) | 0o600)


def _find_inside(root: Path, path: PurePosixPath) -> Path:
    """Where a folder of the image is, its links followed within the image only."""
    parts, found, links = [part for part in path.parts if part != "/"], root, 0
    while parts:
        part = parts.pop(0)
        if part == "..":
            found = found.parent if found != root else root
        elif (found / part).is_symlink() and links < _MOST_LINKS:
            links += 1
            link = PurePosixPath((found / part).readlink())
            found = root if link.is_absolute() else found
            parts = [one for one in link.parts if one != "/"] + parts
        elif part != ".":
            found /= part
    return found


def _check_python(root: Path) -> None:
    sites = [path for path in _walk(root) if _PACKAGES.fullmatch(path)]
    if not sites:
        raise NotRunnableError(
            "it was pushed without Python packages: the sandbox has no containers and runs Python "
            "programs only. Release it on Azure, or with sandbox up --images simulate"
        )
    others = sorted(
        {f"3.{found[2]}" for path in sites if (found := _COMPILED.search(path))}
        - {python.TAG.removeprefix("python")}
    )
    if others:
        raise NotRunnableError(
            f"it was pushed with packages compiled for Python {', '.join(others)}, the sandbox "
            f"runs {python.TAG.removeprefix('python')}: have it built by the registry, which "
            "installs them for this Python, or run the sandbox with the image's"
        )


def _drop_base(root: Path) -> None:
    """Take away programs and libraries of the base; Python's packages and what was added stay."""
    for name in _BASE:
        folder = root / name
        if folder.is_symlink():
            folder.unlink()
        for path in sorted(_walk(folder), reverse=True):
            one = folder / path
            if _PACKAGES.fullmatch(path):
                continue
            if not one.is_dir() or one.is_symlink():
                one.unlink()
            elif not any(one.iterdir()):
                one.rmdir()
    programs = root / "usr/local/bin"
    for one in list(programs.iterdir()) if programs.is_dir() else ():
        if python.is_python(one.name):
            one.unlink()
            one.symlink_to(python.find_interpreter())


def _walk(folder: Path) -> Iterator[str]:
    """Every path below a folder, relative to it; links are not followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118 - quick


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

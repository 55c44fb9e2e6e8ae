"""A volume's files, changed all at once, as the kubelet's AtomicWriter does it.

``<volume>/<name>`` is a link to ``..data/<name>``, and ``..data`` a link to a folder that is never
written again: a reader sees the old files or the new ones, and a program that watches ``..data``
(as many do) sees one change.
"""

import itertools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from azrunbook.sandbox.node import credentials

_DATA = "..data"


class File(NamedTuple):
    """What a file of a volume holds, and its mode."""

    content: bytes
    mode: int


def write(place: Path, files: Mapping[str, File], *, keeps_old: bool) -> None:
    """Make these the files of a volume.

    ``keeps_old``: what was there before stays where it was, for mounts of a single file
    (``subPath``), which a change must not reach.
    """
    place.mkdir(parents=True, exist_ok=True)
    before = os.path.realpath(place / _DATA) if (place / _DATA).is_symlink() else ""
    fresh = next(
        folder for number in itertools.count() if not (folder := place / f"..{number}").exists()
    )
    fresh.mkdir(mode=0o755)
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        credentials.write_private(target, file.content, file.mode)
        target.chmod(file.mode)  # whatever the umask
    _link(place / _DATA, fresh.name)
    names = {path.partition("/")[0] for path in files}
    for name in names:
        if not (place / name).is_symlink():
            _link(place / name, f"{_DATA}/{name}")
    for entry in place.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    if before and not keeps_old:
        shutil.rmtree(before, ignore_errors=True)


def _link(place: Path, target: str) -> None:
    partial = place.with_name(f"{place.name}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(target)
    partial.replace(place)

"""The application's source as a later release has it: what is here, with a few lines replaced.

A rehearsal of an upgrade needs two releases whose source really differs, while a working copy
holds one. ``app/releases/<version>.yaml`` says what the later one changes; the build is sent a
copy that has it. The copy is the same on every machine, and so is its digest. The application's
own folder is only read.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from azrunbook import contexts, documents, errors


class Replacement(documents.Model):
    """One text of one file, and what stands there instead."""

    file: str = Field(examples=["src/main.py"])
    find: str = Field(min_length=1, examples=["ARG APP_VERSION=1.0.0"])
    replace: str = Field(examples=["ARG APP_VERSION=1.0.1"])


class Patch(documents.Model):
    """What a release changes."""

    description: str = Field(examples=["The index page says which region answers."])
    changes: tuple[Replacement, ...] = Field(min_length=1)


def read(folder: Path, version: str) -> Patch:
    """Read what a release changes in an application's folder.

    Raises:
        EstateError: there is no such release, or its file is wrong.
    """
    return documents.read(Patch, folder / "releases" / f"{version}.yaml")


@contextlib.contextmanager
def copied(folder: Path, version: str) -> Iterator[Path]:
    """A copy of the build's context as the release has it, for as long as this lasts.

    Raises:
        EstateError: there is no such release, or a text to replace is not there exactly once.
    """
    patch = read(folder, version)
    with tempfile.TemporaryDirectory(prefix=f"azrunbook-{version}-") as name:
        copy = Path(name)
        contexts.copy(folder, copy)
        for change in patch.changes:
            _replace(copy, change, version)
        yield copy


def _replace(copy: Path, change: Replacement, version: str) -> None:
    path = copy / change.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if (found := text.count(change.find)) != 1:
        raise errors.EstateError(
            f"release {version} replaces {change.find!r} in {change.file}, which is there {found} "
            f"times: expected once. Correct releases/{version}.yaml to fit the source."
        )
    path.write_text(text.replace(change.find, change.replace), encoding="utf-8")


def digest(folder: Path, version: str) -> str:
    """SHA-256 (hexadecimal) of what the build of a release is sent.

    Raises:
        EstateError: as :func:`copied`.
    """
    with copied(folder, version) as copy:
        return contexts.digest(copy)

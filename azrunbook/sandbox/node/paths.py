"""Absolute paths of a container, translated to where their files really are. Pure but for `exists`.

There is no mount namespace, so ``/etc/config`` inside a container is a directory somewhere else.
How far the translation goes: absolute paths in arguments and in values of environment variables
are rewritten (alone, after ``=``, ``:``, ``,`` or a space, or in quotes) when they lie under a
volume's mount path or exist in the image's own tree; Python processes get the mount paths again
in ``inside/sitecustomize.py``, which covers what their code opens. A path that any other program
has built in, or reads out of a file, is not translated and names the machine's own file.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

_ABSOLUTE = re.compile(r"(^|[=:,;\s\"'(])(/(?!/)[^\s\"':;,=)]*)")
_SPECIAL = re.compile(r"[.*\[\]^$|\\]")
_escaped = r"\\\g<0>"


class PathMap:
    """The mounts of one container over the tree of its image.

    ``places`` are real folders of the container, which no mount path hides: where the sandbox
    itself stands in /tmp, a pod with a volume on /tmp still finds its own files.
    """

    def __init__(
        self, mounts: Mapping[str, Path], root: Path | None, places: Sequence[Path] = ()
    ) -> None:
        self.mounts = dict(sorted(mounts.items(), key=lambda item: -len(item[0])))
        self.root = root
        own = (*mounts.values(), *places, *(() if root is None else (root,)))
        self.places = tuple(str(place) for place in own)

    def find(self, path: str) -> Path | None:
        """Return the real place of an absolute path, or None if it is not this container's."""
        if any(path == place or path.startswith(place + "/") for place in self.places):
            return None
        for mount, real in self.mounts.items():
            if path == mount or path.startswith(mount.rstrip("/") + "/"):
                return real / path[len(mount) :].lstrip("/")
        if self.root is not None and path != "/":
            inside = self.root / path.lstrip("/")
            if inside.exists():
                return inside
        return None

    def translate(self, text: str) -> str:
        """Rewrite every absolute path of the container that occurs in a text."""

        def real(match: re.Match[str]) -> str:
            place = self.find(match[2])
            return match[1] + (str(place) if place is not None else match[2])

        return _ABSOLUTE.sub(real, text)


def keep_names(argv: Sequence[str], real: Sequence[str]) -> list[str]:
    """Return what ``tar`` needs besides, so that an archive has the container's own names. Pure.

    ``real`` is the translated command line. ``kubectl cp`` refuses names that it did not ask for.
    """
    if not argv or argv[0].rpartition("/")[2] != "tar":
        return []
    return [
        f"--transform=s|^/\\?{_SPECIAL.sub(_escaped, place.lstrip('/'))}|{path.lstrip('/')}|S"
        for path, place in zip(argv[1:], real, strict=True)
        if path != place and path.startswith("/")
    ]

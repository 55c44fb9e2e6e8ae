"""What an image is to a node: a command, an environment and a tree of files. Values only."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Adapt = Callable[[Sequence[str], str], list[str]]

_TAG = re.compile(r"[\w][\w.-]{0,127}")
_PATH_PART = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class ImagePullError(Exception):
    """An image cannot be had; the words are those of containerd, as the kubelet reports them.

    ``reason`` is the waiting reason: ``ErrImagePull``, ``InvalidImageName``, ``ErrImageNeverPull``.
    """

    def __init__(self, message: str, *, reason: str = "ErrImagePull") -> None:
        super().__init__(message)
        self.reason = reason


class PullRefusedError(ImagePullError):
    """The registry refuses the node: the image is there, so this is no reason to simulate it."""


def _unchanged(argv: Sequence[str], _address: str) -> list[str]:
    return list(argv)


@dataclass(frozen=True)
class Image:
    """A runnable image. Paths of ``workdir`` and ``env`` are the image's own, absolute in it.

    ``root`` is where its tree is (None: it has none), ``sites`` its Python package folders,
    ``search_path`` real folders in which its programs are. ``adapt`` moves a command line to the
    pod's address.
    """

    reference: str
    digest: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = ""
    stop_signal: str = "SIGTERM"
    root: Path | None = None
    sites: tuple[Path, ...] = ()
    search_path: tuple[Path, ...] = ()
    size_bytes: int = 0
    adapt: Adapt = _unchanged

    @property
    def argv(self) -> tuple[str, ...]:
        return (*self.entrypoint, *self.command)


@dataclass(frozen=True)
class Reference:
    """An image reference taken apart, with Docker's defaults filled in."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        suffix = f"@{self.digest}" if self.digest else f":{self.tag}"
        return f"{self.registry}/{self.repository}{suffix}"

    @property
    def version(self) -> str:
        """What names it in its repository: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def last_part(self) -> str:
        return self.repository.rsplit("/", 1)[-1]


def parse_reference(text: str) -> Reference:
    """Take a reference apart: ``traefik:v3.7`` is ``docker.io/library/traefik:v3.7``.

    Raises:
        ImagePullError: not a reference (reason InvalidImageName).
    """
    name, _, digest = text.partition("@")
    head, _, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    path = f"{head}/{last}" if head else last
    first, _, rest = path.partition("/")
    is_host = bool(rest) and ("." in first or ":" in first or first == "localhost")
    registry, repository = (first, rest) if is_host else ("docker.io", path)
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    parts_are_valid = all(_PATH_PART.fullmatch(part) for part in repository.split("/"))
    tag_is_valid = not tag or _TAG.fullmatch(tag)
    if not parts_are_valid or not tag_is_valid or (digest and not _DIGEST.fullmatch(digest)):
        raise ImagePullError(
            f'Failed to apply default image tag "{text}": couldn\'t parse image name "{text}": '
            "invalid reference format",
            reason="InvalidImageName",
        )
    return Reference(registry, repository, tag or "latest", digest)


def is_unrunnable(error: ImagePullError) -> bool:
    """Whether only this machine is to blame: an image that could be had, but not be run here."""
    return error.reason == "ErrImagePull" and not isinstance(error, PullRefusedError)


def say_unresolved(reference: Reference, why: str) -> str:
    """Say why a registry cannot be asked for it, as containerd says it."""
    return (
        f'rpc error: code = Unknown desc = failed to pull and unpack image "{reference}": '
        f'failed to resolve reference "{reference}": {why}'
    )


def not_found(reference: Reference) -> ImagePullError:
    """Say that a registry does not have it, as containerd says it."""
    return ImagePullError(
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{reference}": '
        f'failed to resolve reference "{reference}": {reference}: not found'
    )

"""The images that nodes can run: built and pushed ones by their digest, and Traefik.

The store is shared by all nodes of a sandbox, as a registry is; ``root/names.json`` says which
digest a name has. Writing a name replaces the file, so a reader never sees half of it.
"""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from azrunbook.sandbox.node import (
    builds,
    contexts,
    dockerfile as dockerfiles,
    image as images,
    pushed,
    python,
    requirements,
    traefik,
)

Image = images.Image
ImagePullError = images.ImagePullError


class BuildError(Exception):
    """An image cannot be built; the words are those of a builder, with what to do about it."""


class ImageStore:
    """Images by name and by digest, under one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._layers = requirements.LayerStore(root / "layers")
        self._lock = asyncio.Lock()

    def resolve(self, reference: str) -> Image:
        """Return what to run for an image reference.

        Raises:
            ImagePullError: not a reference, or nothing here can run it; a pushed one says why.
        """
        wanted = images.parse_reference(reference)
        digest = wanted.digest or self._read_names().get(str(wanted), "")
        if digest and self._folder(digest).exists():
            return self._load(str(wanted), digest)
        if wanted.last_part == "traefik" and not wanted.digest:
            binary = traefik.find_binary()
            if binary is not None:
                return traefik.describe_image(wanted, binary)
        raise images.not_found(wanted)

    def list_names(self) -> dict[str, str]:
        """Return the digest of every built image by its full name."""
        return self._read_names()

    async def build(
        self,
        context_tar: bytes,
        dockerfile: str,
        names: list[str],
        log: Callable[[str], None],
        *,
        arguments: Mapping[str, str] | None = None,
    ) -> str:
        """Build an image and give it names; the same input gives the same digest, at once.

        ``dockerfile`` is the path of a file in the context, or the text of a Dockerfile;
        ``arguments`` are ``--build-arg``. One build runs at a time.

        Raises:
            BuildError: the context, the Dockerfile or the requirements are wrong.
        """
        full_names = [str(images.parse_reference(name)) for name in names]
        async with self._lock:
            self._root.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=self._root))
            try:
                digest = await self._build(
                    scratch, context_tar, dockerfile, dict(arguments or {}), log
                )
            except (
                contexts.ContextError,
                dockerfiles.DockerfileError,
                requirements.InstallError,
            ) as error:
                raise BuildError(str(error)) from error
            finally:
                await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
            self._write_names(dict.fromkeys(full_names, digest))
        for name in full_names:
            log(f"naming to {name} done")
        return digest

    async def take(
        self, names: Sequence[str], digest: str, manifest: Mapping[str, Any], locate: pushed.Locate
    ) -> None:
        """Take over an image that was pushed, under its digest and names.

        What cannot run here is kept with the reason, for the node that pulls it.
        """
        async with self._lock:
            if not self._folder(digest).exists():
                self._root.mkdir(parents=True, exist_ok=True)
                await asyncio.to_thread(self._unpack, digest, manifest, locate)
            self._write_names({str(images.parse_reference(name)): digest for name in names})

    def _unpack(self, digest: str, manifest: Mapping[str, Any], locate: pushed.Locate) -> None:
        with tempfile.TemporaryDirectory(prefix=".push-", dir=self._root) as scratch:
            try:
                state = pushed.unpack(manifest, locate, Path(scratch) / "root")
            except pushed.NotRunnableError as error:
                fresh = Path(scratch) / "image"
                fresh.mkdir()
                (fresh / "image.json").write_text(json.dumps({"why_not": str(error)}))
                self._folder(digest).parent.mkdir(parents=True, exist_ok=True)
                fresh.rename(self._folder(digest))
            else:
                self._keep(state, digest)

    async def _build(
        self,
        scratch: Path,
        content: bytes,
        dockerfile: str,
        arguments: dict[str, str],
        log: Callable[[str], None],
    ) -> str:
        context = scratch / "context"
        await asyncio.to_thread(contexts.unpack, content, context)
        text = contexts.read_dockerfile(context, dockerfile)
        digest = contexts.hash_folder(
            context, builds.VERSION, python.TAG, text, json.dumps(arguments, sort_keys=True)
        )
        if self._folder(digest).exists():
            log(f"context unchanged: image {digest} taken from the store")
            return digest
        builder = builds.Builder(context, scratch, self._layers, log, arguments=arguments)
        state = await builder.build(dockerfiles.parse(text))
        await asyncio.to_thread(self._keep, state, digest)
        log(f"writing image {digest} done")
        return digest

    def _keep(self, state: builds.StageState, digest: str) -> None:
        folder = self._folder(digest)
        fresh = state.root.parent / "image"
        fresh.mkdir()
        sites = sorted(path for path in _find_sites(state.root) if path.is_dir())
        content = {
            "entrypoint": state.entrypoint,
            "command": state.command,
            "env": state.env,
            "workdir": state.workdir,
            "user": state.user,
            "stop_signal": state.stop_signal,
            "sites": [str(path.relative_to(state.root)) for path in sites],
            "size_bytes": sum(p.lstat().st_size for p in state.root.rglob("*") if p.is_file()),
        }
        (fresh / "image.json").write_text(json.dumps(content, indent=1))
        state.root.rename(fresh / "root")
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh.rename(folder)

    def _load(self, reference: str, digest: str) -> Image:
        folder = self._folder(digest)
        content: dict[str, Any] = json.loads((folder / "image.json").read_text())
        if why_not := content.get("why_not"):
            raise ImagePullError(f'failed to pull and unpack image "{reference}": {why_not}')
        root = folder / "root"
        sites = tuple(root / site for site in content.pop("sites"))
        for key in ("entrypoint", "command"):
            content[key] = tuple(content[key])
        return Image(reference=reference, digest=digest, root=root, sites=sites, **content)

    def _folder(self, digest: str) -> Path:
        return self._root / "images" / digest.removeprefix("sha256:")

    def _read_names(self) -> dict[str, str]:
        try:
            names: dict[str, str] = json.loads((self._root / "names.json").read_text())
        except FileNotFoundError:
            return {}
        return names

    def _write_names(self, added: dict[str, str]) -> None:
        names = {**self._read_names(), **added}
        handle, path = tempfile.mkstemp(prefix=".names-", dir=self._root)
        with os.fdopen(handle, "w") as file:
            json.dump(names, file, indent=1)
        Path(path).replace(self._root / "names.json")


def _find_sites(root: Path) -> set[Path]:
    names = ("site-packages", "dist-packages")
    return {
        path
        for depth in range(6)
        for name in names
        for path in root.glob("*/" * depth + name)
        if path.parent.name.startswith("python")
    }

"""What one registry holds: blobs in files named by their digest, manifests, tags. No HTTP.

A manifest that the registry's own build made has a digest and no bytes: the sandbox builds without
a base image, so there are no layers that anybody could pull.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEXES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class RegistryError(Exception):
    """A refusal in the protocol's words: HTTP status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Manifest:
    """A manifest; ``content`` is empty when the registry's own build made it."""

    digest: str
    media_type: str
    content: bytes

    def read(self) -> dict[str, Any]:
        return dict(json.loads(self.content))


class Content:
    """The content of one registry, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._uploads = folder / "uploads"
        self._manifests: dict[tuple[str, str], Manifest] = {}
        self._tags: dict[tuple[str, str], str] = {}
        for one in (self._blobs, self._uploads):
            one.mkdir(parents=True, exist_ok=True)

    def begin_upload(self) -> str:
        """Open an upload and return its name."""
        name = str(uuid.uuid4())
        (self._uploads / name).touch()
        return name

    def find_upload(self, name: str) -> Path:
        """Where an open upload is written to.

        Raises:
            RegistryError: 404, there is none of this name.
        """
        path = self._uploads / name
        if not re.fullmatch(r"[0-9a-f-]{36}", name) or not path.exists():
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", f"blob upload {name} is unknown")
        return path

    def finish_upload(self, name: str, digest: str) -> None:
        """Make a blob of an upload.

        Raises:
            RegistryError: 400, the content has another digest; the upload is gone.
        """
        path = self.find_upload(name)
        with path.open("rb") as file:
            found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
        if found != digest:
            path.unlink()
            raise RegistryError(400, "DIGEST_INVALID", f"the content is {found}, not {digest}")
        path.replace(self._locate(digest))

    def find_blob(self, digest: str) -> Path:
        """The file of a blob.

        Raises:
            RegistryError: 404, the registry does not have it.
        """
        path = self._locate(digest)
        if not path.exists():
            raise RegistryError(404, "BLOB_UNKNOWN", f"blob {digest} is unknown to the registry")
        return path

    def has_blob(self, digest: str) -> bool:
        return bool(_DIGEST.fullmatch(digest)) and self._locate(digest).exists()

    def put_manifest(
        self, repository: str, reference: str, media_type: str, content: bytes
    ) -> Manifest:
        """Keep a manifest under a tag or its digest.

        Raises:
            RegistryError: 400, it is none, has another digest, or names what was not pushed.
        """
        manifest = Manifest(f"sha256:{hashlib.sha256(content).hexdigest()}", media_type, content)
        if reference.startswith("sha256:") and reference != manifest.digest:
            text = f"the manifest is {manifest.digest}, not {reference}"
            raise RegistryError(400, "DIGEST_INVALID", text)
        try:
            missing = [one for one in _list_parts(manifest) if not self._has(repository, one)]
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(400, "MANIFEST_INVALID", f"not a manifest: {error}") from error
        if missing:
            text = f"blob {missing[0]} is unknown to the registry: push it first"
            raise RegistryError(400, "MANIFEST_BLOB_UNKNOWN", text)
        self._manifests[(repository, manifest.digest)] = manifest
        if not reference.startswith("sha256:"):
            self._tags[(repository, reference)] = manifest.digest
        return manifest

    def put_built(self, repository: str, tag: str, digest: str, media_type: str) -> None:
        """Note what the registry's own build made."""
        self._manifests[(repository, digest)] = Manifest(digest, media_type, b"")
        self._tags[(repository, tag)] = digest

    def get_manifest(self, repository: str, reference: str) -> Manifest:
        """Find a manifest by tag or digest.

        Raises:
            RegistryError: 404, there is none.
        """
        digest = self._tags.get((repository, reference), reference)
        found = self._manifests.get((repository, digest))
        if found is None:
            text = f"manifest tagged by {reference!r} of {repository} is not found"
            raise RegistryError(404, "MANIFEST_UNKNOWN", text)
        return found

    def delete_manifest(self, repository: str, reference: str) -> None:
        """Forget a manifest with its tags, or one tag."""
        if (repository, reference) in self._tags:
            del self._tags[(repository, reference)]
            return
        digest = self.get_manifest(repository, reference).digest
        del self._manifests[(repository, digest)]
        self._tags = {
            key: one for key, one in self._tags.items() if key[0] != repository or one != digest
        }

    def list_tags(self, repository: str) -> list[str]:
        return sorted(tag for known, tag in self._tags if known == repository)

    def list_repositories(self) -> list[str]:
        return sorted({repository for repository, _ in self._manifests})

    def _has(self, repository: str, digest: str) -> bool:
        return self.has_blob(digest) or (repository, digest) in self._manifests

    def _locate(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise RegistryError(400, "DIGEST_INVALID", f"{digest!r} is not sha256:<64 digits>")
        return self._blobs / digest.removeprefix("sha256:")


def _list_parts(manifest: Manifest) -> Iterator[str]:
    """The digests of all that a manifest is made of."""
    body = manifest.read()
    if manifest.media_type in INDEXES:
        yield from (one["digest"] for one in body["manifests"])
        return
    yield body["config"]["digest"]
    yield from (one["digest"] for one in body["layers"])

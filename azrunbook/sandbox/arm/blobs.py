"""Blobs behind signed URLs: build sources that clients upload, logs that they read. No HTTP.

A URL carries its own right to be used (``sig``), like a shared access signature; there is no
bearer token on it. Only what was announced by a signed URL can be written or read.
"""

import dataclasses
import hmac
import secrets
from collections.abc import Callable, Mapping

from azrunbook.sandbox.arm import errors


@dataclasses.dataclass(frozen=True)
class Blob:
    """What a reader gets."""

    content: bytes
    headers: Mapping[str, str]


class Blobs:
    """Uploads and downloads by signed name."""

    def __init__(self) -> None:
        self._signatures: dict[str, str] = {}
        self._contents: dict[str, bytes] = {}
        self._sources: dict[str, Callable[[], Blob]] = {}

    def sign_upload(self, name: str, origin: str) -> str:
        """Return the URL to PUT a blob of this name to."""
        return self._sign(name, origin)

    def sign_download(self, name: str, origin: str, source: Callable[[], Blob]) -> str:
        """Return the URL to GET a blob from that is made when asked for."""
        self._sources[name] = source
        return self._sign(name, origin)

    def take(self, name: str) -> bytes | None:
        """Return an uploaded blob and forget it; None when nothing was uploaded."""
        self._signatures.pop(name, None)
        return self._contents.pop(name, None)

    def put(
        self, name: str, query: Mapping[str, str], headers: Mapping[str, str], content: bytes
    ) -> None:
        """Accept an upload.

        Raises:
            errors.ArmError: 403 for a wrong signature, 400 without the blob type.
        """
        self._check(name, query)
        if headers.get("x-ms-blob-type") != "BlockBlob":
            raise errors.bad_request(
                "An HTTP header that's mandatory for this request is not specified: "
                "x-ms-blob-type, expected BlockBlob.",
                code="MissingRequiredHeader",
            )
        self._contents[name] = content

    def read(self, name: str, query: Mapping[str, str]) -> Blob:
        """Return a blob.

        Raises:
            errors.ArmError: 403 for a wrong signature, 404 when there is nothing to read.
        """
        self._check(name, query)
        if name not in self._sources:
            raise errors.ArmError(404, "BlobNotFound", "The specified blob does not exist.")
        return self._sources[name]()

    def _sign(self, name: str, origin: str) -> str:
        signature = self._signatures.setdefault(name, secrets.token_urlsafe(32))
        return f"{origin}/blobs/{name}?sig={signature}"

    def _check(self, name: str, query: Mapping[str, str]) -> None:
        wanted = self._signatures.get(name, "")
        if not wanted or not hmac.compare_digest(wanted, query.get("sig", "")):
            raise errors.ArmError(
                403, "AuthenticationFailed", "Server failed to authenticate the request."
            )

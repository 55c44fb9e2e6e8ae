"""What blobs are kept, and when they may be read and written. In memory; no HTTP and no clock.

Block blobs only. What a container is and who may read it is decided elsewhere: here are contents by
account, container and name. An account's contents are gone with the sandbox.
Source: the REST reference of the Blob service (Put Blob, Put Block List, "Specifying conditional
headers for Blob service operations").
"""

import base64
import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Headers = Mapping[str, str]
Place = tuple[str, str]


class BlobError(Exception):
    """The service refuses; ``status``, ``code`` and ``message`` are what its answer says."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Blob:
    """One version of a blob.

    Attributes:
        headers: what its readers get besides: Content-Type, Cache-Control, metadata and the like.
        etag: with quotes, as it stands in headers.
    """

    content: bytes
    headers: Headers
    modified: dt.datetime
    created: dt.datetime
    etag: str = field(default_factory=lambda: f'"0x{secrets.token_hex(8).upper()}"')

    @property
    def digest(self) -> str:
        """Content-MD5, as the service makes it of what was put whole."""
        return base64.b64encode(hashlib.md5(self.content, usedforsecurity=False).digest()).decode()


@dataclass(frozen=True)
class Page:
    """A part of a list; ``next_marker`` is empty on the last."""

    names: Sequence[str]
    prefixes: Sequence[str]
    next_marker: str


@dataclass
class _Container:
    blobs: dict[str, Blob] = field(default_factory=dict)
    blocks: dict[str, dict[str, bytes]] = field(default_factory=dict)


class Blobs:
    """Contents by account and container, both in lower case."""

    def __init__(self) -> None:
        self._containers: dict[Place, _Container] = {}

    def forget(self, account: str, container: str | None = None) -> None:
        """Drop what a container, or an account, held."""
        for place in list(self._containers):
            if place[0] == account and container in {None, place[1]}:
                del self._containers[place]

    def find(self, place: Place, name: str) -> Blob | None:
        found = self._containers.get(place)
        return found.blobs.get(name) if found else None

    def get(self, place: Place, name: str) -> Blob:
        """Return a blob.

        Raises:
            BlobError: 404, there is none.
        """
        if (found := self.find(place, name)) is None:
            raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")
        return found

    def put(
        self, place: Place, name: str, content: bytes, headers: Headers, now: dt.datetime
    ) -> Blob:
        """Write a blob whole, over one that was there."""
        before = self.find(place, name)
        moment = now.replace(microsecond=0)
        blob = Blob(content, headers, moment, before.created if before else moment)
        container = self._containers.setdefault(place, _Container())
        container.blobs[name] = blob
        container.blocks.pop(name, None)
        return blob

    def stage(self, place: Place, name: str, block: str, content: bytes) -> None:
        """Keep a block until a list of blocks makes a blob of it."""
        container = self._containers.setdefault(place, _Container())
        container.blocks.setdefault(name, {})[block] = content

    def join(
        self, place: Place, name: str, blocks: Sequence[str], headers: Headers, now: dt.datetime
    ) -> Blob:
        """Make a blob of staged blocks.

        Raises:
            BlobError: 400, one was never staged.
        """
        container = self._containers.setdefault(place, _Container())
        staged = container.blocks.get(name, {})
        if any(block not in staged for block in blocks):
            raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.")
        content = b"".join(staged[block] for block in blocks)
        return self.put(place, name, content, headers, now)

    def delete(self, place: Place, name: str) -> None:
        """Remove a blob.

        Raises:
            BlobError: 404, there is none.
        """
        self.get(place, name)
        del self._containers[place].blobs[name]

    def list(self, place: Place, *, prefix: str, delimiter: str, marker: str, limit: int) -> Page:
        """List names in order, from a marker on; what shares a name up to a delimiter as one."""
        found = self._containers.get(place, _Container())
        names: dict[str, bool] = {}
        for name in sorted(found.blobs):
            if not name.startswith(prefix):
                continue
            head, cut, _ = name.removeprefix(prefix).partition(delimiter or "\0")
            names[f"{prefix}{head}{cut}" if cut else name] = bool(cut)
        left = [name for name in names if name >= marker]
        shown, rest = left[:limit], left[limit:]
        return Page(
            names=[name for name in shown if not names[name]],
            prefixes=[name for name in shown if names[name]],
            next_marker=rest[0] if rest else "",
        )


def check_write(blob: Blob | None, headers: Headers) -> None:
    """Judge the conditions of a write.

    Raises:
        BlobError: 409 where nothing was to be there, 412 for every other that is not met.
    """
    none_match, match = headers.get("If-None-Match"), headers.get("If-Match")
    if none_match == "*" and blob is not None:
        raise BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    met = match is None or (blob is not None and match in {"*", blob.etag})
    if not met or (blob is not None and none_match == blob.etag):
        raise _not_met(412)


def check_read(blob: Blob, headers: Headers) -> None:
    """Judge the conditions of a read.

    Raises:
        BlobError: 304 when the reader has it already, 412 when it is another one.
    """
    match, none_match = headers.get("If-Match"), headers.get("If-None-Match")
    if match is not None and match not in {"*", blob.etag}:
        raise _not_met(412)
    if none_match is not None:
        tags = {tag.strip() for tag in none_match.split(",")}
        if tags & {"*", blob.etag}:
            raise _not_met(304)


def _not_met(status: int) -> BlobError:
    text = "The condition specified using HTTP conditional header(s) is not met."
    return BlobError(status, "ConditionNotMet", text)


def find_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return first and last byte of a ``Range``, None for all; one that is no range is ignored.

    Raises:
        BlobError: 416, it begins after the end.
    """
    kind, _, span = (text or "").partition("=")
    first, dash, last = span.partition("-")
    if kind != "bytes" or not dash or not first.isdigit() or (last and not last.isdigit()):
        return None
    start, end = int(first), min(int(last) if last else size - 1, size - 1)
    if start > end:
        raise BlobError(
            416,
            "InvalidRange",
            "The range specified is invalid for the current size of the resource.",
        )
    return start, end

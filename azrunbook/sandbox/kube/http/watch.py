"""Watches over HTTP: a stream of events with bookmarks.

Law: never holds events for a client. What is written next is read from the history when the client
has taken what was written before, so a client that does not read stalls itself alone.
"""

import asyncio
import random
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from azrunbook.sandbox.kube import conversion, errors, listing, tables, watching
from azrunbook.sandbox.kube.http import answers, objects, options
from azrunbook.sandbox.kube.http.context import Call
from azrunbook.sandbox.kube.http.negotiation import Representation
from azrunbook.sandbox.kube.store import Change
from azrunbook.sandbox.kube.watching import Cursor, Scope

Object = dict[str, Any]
BOOKMARK_SECONDS = 60.0
CHUNK_BYTES = 256 * 1024
INITIAL_END = "k8s.io/initial-events-end"


class Stream:
    """One watch of one client."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.form: Representation = call.representation()
        options.require_watch(call.query)
        self.scope: Scope = objects.scope_of(call)
        self.has_bookmarks = call.flag("allowWatchBookmarks")
        self.starts_with_list = _wants_list(call)
        self.has_end_mark = call.flag("sendInitialEvents")
        self.include = call.query.get("includeObject", "")

    def start(self) -> tuple[list[Object], Cursor]:
        """What exists first, and where the changes go on; raises StatusError."""
        store = self.call.registry.store
        version = self._version()
        if self.starts_with_list:
            if version is not None and version > store.revision:
                raise listing.too_large(version, store.revision)
            page = listing.list_page(store, self.scope, listing.Options())
            return page.objects, watching.cursor(store, self.scope, None)
        return [], watching.cursor(store, self.scope, version)

    def _version(self) -> int | None:
        text = self.call.query.get("resourceVersion", "")
        try:
            return listing.parse_version(text)
        except errors.StatusError as error:
            raise errors.internal(error.message) from None

    def encode(self, kind: str, obj: Object) -> bytes:
        """One line: the event with the object in the form asked for."""
        if self.form.shape == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            shown = tables.table(
                self.scope.resource, [obj], metadata, self.form.version, self.include
            )
        elif self.form.shape:
            shown = objects.metadata_only(obj, self.form.version)
        else:
            shown = obj
        return answers.encode({"type": kind, "object": shown})

    def encode_change(self, change: Change) -> bytes | None:
        """The line of a change, made once for all watches of this form."""
        kind = self.scope.type_of(change)
        if kind is None:
            return None
        resource = self.scope.resource
        key = (kind, resource.api_version, self.form.shape, self.form.version, self.include)
        line = change.encoded.get(key)
        if line is None:
            line = self.encode(kind, conversion.to_version(resource, change.last))
            if self.form.shape != "Table":
                change.encoded[key] = line
        return line

    def bookmark(self, *, is_end: bool = False) -> bytes:
        """A line that only says how far the client has seen."""
        metadata: Object = {"resourceVersion": str(self.call.registry.store.revision)}
        if is_end:
            metadata["annotations"] = {INITIAL_END: "true"}
        resource = self.scope.resource
        obj = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        if self.form.shape == "Table":
            rows = tables.table(resource, [], metadata, self.form.version, "None")
            return answers.encode({"type": "BOOKMARK", "object": rows})
        if self.form.shape:
            obj = objects.metadata_only(obj, self.form.version)
        return answers.encode({"type": "BOOKMARK", "object": obj})


def _wants_list(call: Call) -> bool:
    if "sendInitialEvents" in call.query:
        return call.flag("sendInitialEvents")
    return call.query.get("resourceVersion", "") in ("", "0")


async def watch(call: Call) -> web.StreamResponse:
    """Answer a watch until its time is over or the client has gone."""
    stream = Stream(call)
    seconds = options.integer(call.query, "timeoutSeconds")
    limit = seconds if seconds > 0 else random.uniform(1800, 3600)  # noqa: S311 - spread, no secret
    failure = None
    try:
        existing, cursor = stream.start()
    except errors.StatusError as error:
        if error.code != errors.GONE:
            raise
        failure = error
    response = web.StreamResponse()
    response.headers["Content-Type"] = stream.form.content_type
    response.headers["Cache-Control"] = "no-cache, private"
    response.enable_chunked_encoding()
    await response.prepare(call.request)
    try:
        async with asyncio.timeout(limit):
            if failure is not None:
                await response.write(_error_line(failure))
            else:
                await _send(stream, response, existing, cursor)
    except TimeoutError:
        pass
    except errors.StatusError as error:
        await response.write(_error_line(error))
    except (ConnectionError, RuntimeError):
        return response
    await response.write_eof()
    return response


def _error_line(error: errors.StatusError) -> bytes:
    return answers.encode({"type": "ERROR", "object": error.to_status()})


async def _send(
    stream: Stream, response: web.StreamResponse, existing: list[Object], cursor: Cursor
) -> None:
    for chunk in _chunks(stream.encode("ADDED", obj) for obj in existing):
        await response.write(chunk)
    existing.clear()
    if stream.has_end_mark:
        await response.write(stream.bookmark(is_end=True))
    while True:
        try:
            async with asyncio.timeout(BOOKMARK_SECONDS):
                await cursor.wait()
        except TimeoutError:
            if stream.has_bookmarks:
                await response.write(stream.bookmark())
            continue
        lines = map(stream.encode_change, cursor.take())
        for chunk in _chunks(line for line in lines if line is not None):
            await response.write(chunk)


def _chunks(lines: Iterator[bytes] | Any) -> Iterator[bytes]:
    """Lines joined to writes of a good size."""
    pending: list[bytes] = []
    size = 0
    for line in lines:
        pending.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            yield b"".join(pending)
            pending, size = [], 0
    if pending:
        yield b"".join(pending)

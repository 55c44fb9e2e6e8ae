"""One request: who asks for what, with which options."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from azrunbook.sandbox.kube import bodies, errors, patching
from azrunbook.sandbox.kube.http import negotiation, options, protobuf
from azrunbook.sandbox.kube.http.paths import Target
from azrunbook.sandbox.kube.identity import User
from azrunbook.sandbox.kube.resources import Resource, Subresource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
BODY_LIMIT_BYTES = 3 * 1024 * 1024
REQUEST_SECONDS = 60.0
"""How long a body may take to come: the real server's time for a request."""
JSON_TYPES = ("application/json", "")
YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml")
UNREADABLE = 30
"""Bytes of a body that are shown in an error."""


@dataclass
class Call:
    """A request for a resource, after authentication and authorization."""

    registry: "Registry"
    request: web.BaseRequest
    user: User
    target: Target
    resource: Resource
    subresource: Subresource | None
    warnings: list[str] = field(default_factory=list)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    @property
    def name(self) -> str:
        return self.target.name or ""

    def flag(self, name: str) -> bool:
        return options.flag(self.query, name)

    def representation(self) -> negotiation.Representation:
        form = negotiation.negotiate(self.request.headers.get("Accept", ""))
        if form.shape == "Table":
            options.require_table(self.query)
        return form

    def write(self, action: str) -> Write:
        """The options of a write; raises StatusError 422. `action` is Create, Update, ..."""
        options.require_write(self.query, action, self.content_type())
        return Write(
            manager=self.query.get("fieldManager") or self._agent(action),
            user=self.user,
            dry_run=self.query.get("dryRun") == "All",
            field_validation=self.query.get("fieldValidation") or "Warn",
            force=self.flag("force"),
            warn=self.warnings.append,
        )

    def _agent(self, action: str) -> str:
        """The manager of a client that names none: the start of its user agent."""
        if action == "Patch" and self.content_type() == patching.APPLY:
            return ""
        agent = self.request.headers.get("User-Agent", "").partition("/")[0]
        return "".join(char for char in agent if char.isprintable())[:128] or "unknown"

    def content_type(self) -> str:
        return self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    async def raw_body(self) -> bytes:
        """The body; raises StatusError 400, 413, or 504 when it does not come."""
        length = self.request.content_length
        if length is not None and length > BODY_LIMIT_BYTES:
            raise errors.too_large(BODY_LIMIT_BYTES)
        found = bytearray()
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                async for chunk in self.request.content.iter_any():
                    found += chunk
                    if len(found) > BODY_LIMIT_BYTES:
                        raise errors.too_large(BODY_LIMIT_BYTES)
        except TimeoutError:
            raise errors.timed_out() from None
        except web.RequestPayloadError as error:
            raise errors.bad_request(f"the body cannot be read: {error}") from None
        return bytes(found)

    async def body(self) -> Any:
        """The parsed body of a create or update; raises StatusError 400, 413 or 415."""
        text = await self.raw_body()
        kind = self.content_type()
        if kind == protobuf.MEDIA_TYPE:
            return protobuf.decode(text)
        if kind not in (*JSON_TYPES, *YAML_TYPES):
            raise errors.unsupported_media_type((*JSON_TYPES[:1], *YAML_TYPES[:1]))
        try:
            return bodies.parse_yaml(text) if kind in YAML_TYPES else bodies.parse_json(text)
        except errors.StatusError as error:
            raise errors.bad_request(
                f"the object provided is unrecognized (must be of type {self.resource.kind}): "
                f"couldn't get version/kind; json parse error: {error.message} ({_shown(text)})"
            ) from None

    async def deletion(self) -> Object:
        """The options of a deletion; raises StatusError 400, 413 or 422."""
        text = await self.raw_body()
        found: Any = {}
        if self.content_type() == protobuf.MEDIA_TYPE and text:
            found = protobuf.decode(text)
        elif text.strip():
            found = bodies.parse_yaml(text)
        return options.deletion(self.query, found)


def _shown(body: bytes) -> str:
    """The beginning of a body as the real server quotes it: text if it may be JSON, else hex."""
    start = body[:UNREADABLE]
    text = start.decode("utf-8", "replace") if body[:1] == b"{" else start.hex()
    return (text or "<empty>") + (" ..." if len(body) > UNREADABLE else "")

"""One request: who asks for what, with which options."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from azrunbook.sandbox.kube import decoding, errors, patching
from azrunbook.sandbox.kube.http import negotiation, protobuf
from azrunbook.sandbox.kube.http.paths import Target
from azrunbook.sandbox.kube.identity import User
from azrunbook.sandbox.kube.resources import Resource, Subresource
from azrunbook.sandbox.kube.writes import Write

if TYPE_CHECKING:
    from azrunbook.sandbox.kube.registry import Registry

Object = dict[str, Any]
BODY_LIMIT_BYTES = 3 * 1024 * 1024
JSON_TYPES = ("application/json", "")
YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml")
FIELD_VALIDATIONS = ("Ignore", "Warn", "Strict")
TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


class YamlLoader(yaml.CSafeLoader):
    """YAML as JSON has it: a timestamp is text."""


YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


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
        return self.query.get(name, "") in TRUE

    def representation(self) -> negotiation.Representation:
        return negotiation.negotiate(self.request.headers.get("Accept", ""))

    def write(self, action: str) -> Write:
        """The options of a write; raises StatusError 422. `action` is Create, Update, ..."""
        strictness = self.query.get("fieldValidation") or "Warn"
        if strictness not in FIELD_VALIDATIONS:
            raise _bad_option(action, "fieldValidation", strictness, FIELD_VALIDATIONS)
        for value in self.query.getall("dryRun", []) if hasattr(self.query, "getall") else []:
            if value != "All":
                raise _bad_option(action, "dryRun", value, ("All",))
        return Write(
            manager=self.query.get("fieldManager") or self._agent(action),
            user=self.user,
            dry_run=self.query.get("dryRun") == "All",
            field_validation=strictness,
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
        """The body; raises StatusError 413."""
        length = self.request.content_length
        if length is not None and length > BODY_LIMIT_BYTES:
            raise errors.too_large(BODY_LIMIT_BYTES)
        found = bytearray()
        async for chunk in self.request.content.iter_any():
            found += chunk
            if len(found) > BODY_LIMIT_BYTES:
                raise errors.too_large(BODY_LIMIT_BYTES)
        return bytes(found)

    async def body(self) -> Any:
        """The parsed body of a create or update; raises StatusError 400, 413 or 415."""
        text = await self.raw_body()
        kind = self.content_type()
        if kind in YAML_TYPES:
            return parse_yaml(text)
        if kind == protobuf.MEDIA_TYPE:
            return protobuf.decode(text)
        if kind not in JSON_TYPES:
            raise errors.unsupported_media_type((*JSON_TYPES[:1], *YAML_TYPES[:1]))
        return decoding.parse_json(text)

    async def options(self, kind: str) -> Object:
        """The options in the body of a deletion, with those of the query on top."""
        text = await self.raw_body()
        found: Any = {}
        if self.content_type() == protobuf.MEDIA_TYPE and text:
            found = protobuf.decode(text)
        elif text.strip():
            found = decoding.parse_json(text)
        if not isinstance(found, dict):
            raise errors.bad_request(f"{kind} in the body is not an object")
        if "propagationPolicy" in self.query:
            found["propagationPolicy"] = self.query["propagationPolicy"]
        if "orphanDependents" in self.query:
            found["orphanDependents"] = self.flag("orphanDependents")
        if "gracePeriodSeconds" in self.query:
            found["gracePeriodSeconds"] = number(self.query["gracePeriodSeconds"])
        if self.query.get("dryRun") == "All":
            found["dryRun"] = ["All"]
        return found


def number(text: str) -> int:
    """A number in the query; raises StatusError 400."""
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def parse_yaml(text: bytes) -> Any:
    """Parse YAML (JSON included); raises StatusError 400."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.load(text, Loader=YamlLoader)  # noqa: S506 - a safe loader, timestamps as text
    except yaml.YAMLError as error:
        raise errors.bad_request(f"error decoding YAML: {error}") from None


def _bad_option(
    action: str, name: str, value: str, supported: tuple[str, ...]
) -> errors.StatusError:
    choices = ", ".join(f'"{part}"' for part in supported)
    shown = f'["{value}"]' if name == "dryRun" else f'"{value}"'
    cause = errors.Cause(
        "FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {choices}", name
    )
    return errors.invalid(f"{action}Options", "meta.k8s.io", "", [cause])

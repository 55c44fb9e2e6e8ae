"""Paths that are no resources: discovery, OpenAPI, version, health."""

import datetime as dt
import gzip
import hashlib
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from azrunbook.sandbox.kube import discovery, errors, openapi, openapi_v2
from azrunbook.sandbox.kube.http import answers, negotiation
from azrunbook.sandbox.kube.resources import ResourceTable

Object = dict[str, Any]
HEALTH = frozenset({"healthz", "livez", "readyz"})
OPEN = frozenset({"version", *HEALTH})
"""First parts of paths that need no identity."""
CHECKS = ("ping", "log", "etcd", "poststarthook/start-apiextensions-controllers")
NOT_EMULATED = frozenset({".well-known", "debug", "logs", "metrics", "openid", "statusz", "flagz"})
"""First parts of paths that the real server knows as well."""
HASHED_FOR = dt.timedelta(days=365)
ROOT = ("/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz")


class Plain:
    """Answers for one cluster."""

    def __init__(self, resources: ResourceTable, address: str, version: str) -> None:
        self._discovery = discovery.Discovery(resources, address)
        self._openapi = openapi.OpenApi(resources)
        self._openapi_v2 = openapi_v2.OpenApiV2(resources)
        self._version = discovery.version_info(version)

    def answer(  # noqa: PLR0911 - one line per kind of path
        self, request: web.BaseRequest, path: str
    ) -> web.Response:
        """The answer of a GET; 404 in plain text for what is not known.

        Raises StatusError 406, and 501 for what the real server knows and this one does not.
        """
        parts = path.strip("/").split("/")
        head, rest = parts[0], parts[1:]
        if head in HEALTH:
            return _health(request, head, "/".join(rest))
        if head == "version":
            return self._json(request, self._version)
        if head == "openapi" and rest[:1] == ["v3"]:
            return self._open_api(request, rest[1:])
        if head == "openapi" and rest == ["v2"]:
            return self._open_api_v2(request)
        if head == "api":
            return self._api(request, rest)
        if head == "apis":
            return self._apis(request, rest)
        if head == "":
            return self._json(request, {"paths": [*ROOT, "/version"]})
        if head in NOT_EMULATED:
            raise errors.StatusError(501, "NotImplemented", _missing(path), {})
        return unknown(request)

    def _json(self, request: web.BaseRequest, body: Object | None) -> web.Response:
        if body is None:
            return unknown(request)
        form = negotiation.negotiate(request.headers.get("Accept", ""))
        return answers.respond(
            request, answers.encode(body, form.media_type), content_type=form.content_type
        )

    def _api(self, request: web.BaseRequest, rest: list[str]) -> web.Response:
        if rest:
            return self._json(request, self._discovery.resource_list("", "/".join(rest)))
        return self._aggregated(request, is_core=True) or self._json(
            request, self._discovery.api_versions()
        )

    def _apis(self, request: web.BaseRequest, rest: list[str]) -> web.Response:
        if not rest:
            return self._aggregated(request, is_core=False) or self._json(
                request, self._discovery.groups()
            )
        try:
            group = self._discovery.group(rest[0])
        except LookupError:
            return unknown(request)
        if len(rest) == 1:
            return self._json(request, group)
        return self._json(request, self._discovery.resource_list(rest[0], "/".join(rest[1:])))

    def _aggregated(self, request: web.BaseRequest, *, is_core: bool) -> web.Response | None:
        version = negotiation.wants_aggregated(request.headers.get("Accept", ""))
        if version is None:
            return None
        body, etag = self._discovery.aggregated(version, is_core=is_core)
        headers = {"ETag": etag, "Vary": "Accept"}
        kind = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        if _has(request, etag):
            return answers.respond(request, b"", status=304, content_type=kind, headers=headers)
        return answers.respond(request, body, content_type=kind, headers=headers)

    def _open_api(self, request: web.BaseRequest, rest: list[str]) -> web.Response:
        if not rest:
            body = answers.encode(self._openapi.index())
            etag = '"' + hashlib.sha512(body).hexdigest().upper() + '"'
            return _compressed(request, gzip.compress(body, 1), etag, {})
        group, version = ("", rest[-1]) if rest[0] == "api" else ("/".join(rest[1:-1]), rest[-1])
        found = self._openapi.document(group, version)
        if found is None:
            return unknown(request)
        body, etag = found
        digest = request.query.get("hash")
        if digest is None:
            return _compressed(request, body, etag, {})
        if digest != etag.strip('"'):
            where = f"/openapi/v3/{'/'.join(rest)}?hash={etag.strip(chr(34))}"
            headers = {"Location": where}
            return answers.respond(request, b"", status=301, headers=headers)
        expires = format_datetime(dt.datetime.now(dt.UTC) + HASHED_FOR, usegmt=True)
        headers = {"Cache-Control": "public, immutable", "Expires": expires}
        return _compressed(request, body, etag, headers)

    def _open_api_v2(self, request: web.BaseRequest) -> web.Response:
        """404 to those who read protobuf only: they go on without it, but fail when refused."""
        try:
            form = negotiation.negotiate(request.headers.get("Accept", ""))
        except errors.StatusError:
            return unknown(request)
        if form.media_type != negotiation.JSON:
            return unknown(request)
        return _compressed(request, *self._openapi_v2.document(), {})


def _missing(path: str) -> str:
    return (
        f"{path} is not emulated. Emulated paths: azrunbook/sandbox/kube/http/plain.py; "
        "add an answer there."
    )


def _has(request: web.BaseRequest, etag: str) -> bool:
    """Whether the client has kept just this answer."""
    kept = request.headers.get("If-None-Match", "").split(",")
    return any(one.strip() in (etag, "W/" + etag, "*") for one in kept)


def _compressed(
    request: web.BaseRequest, body: bytes, etag: str, extra: dict[str, str]
) -> web.Response:
    """A document that is kept compressed; 304 to those who have it."""
    headers = {"ETag": etag, "Vary": "Accept-Encoding, Accept", **extra}
    if _has(request, etag):
        return answers.respond(request, b"", status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    headers.setdefault("Cache-Control", "no-cache, private")
    return web.Response(body=body, headers={**headers, "Content-Type": negotiation.JSON})


def _health(request: web.BaseRequest, name: str, check: str) -> web.Response:
    """All checks of this process pass while it can answer; `exclude` and `verbose` as usual."""
    if check:
        return answers.respond_text(request, "ok") if check in CHECKS else unknown(request)
    excluded = set(request.query.getall("exclude", []))
    if "verbose" not in request.query:
        return answers.respond_text(request, "ok")
    lines = [f"[+]{one} {'excluded: ' if one in excluded else ''}ok\n" for one in CHECKS]
    foreign = sorted(excluded.difference(CHECKS))
    if foreign:
        names = ",".join(f'"{one}"' for one in foreign)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}\n")
    return answers.respond_text(request, "".join([*lines, f"{name} check passed\n"]))


def unknown(request: web.BaseRequest) -> web.Response:
    return answers.respond_text(request, "404 page not found\n", 404)

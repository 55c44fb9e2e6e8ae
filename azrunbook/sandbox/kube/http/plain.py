"""Paths that are no resources: discovery, OpenAPI, version, health."""

import gzip
from typing import Any

from aiohttp import web

from azrunbook.sandbox.kube import discovery, openapi
from azrunbook.sandbox.kube.http import answers, negotiation
from azrunbook.sandbox.kube.resources import ResourceTable

Object = dict[str, Any]
HEALTH = frozenset({"healthz", "livez", "readyz"})
OPEN = frozenset({"version", *HEALTH})
"""First parts of paths that need no identity."""


class Plain:
    """Answers for one cluster."""

    def __init__(self, resources: ResourceTable, address: str, version: str) -> None:
        self._discovery = discovery.Discovery(resources, address)
        self._openapi = openapi.OpenApi(resources)
        self._version = discovery.version_info(version)

    def answer(  # noqa: PLR0911 - one line per kind of path
        self, request: web.BaseRequest, path: str
    ) -> web.Response:
        """The answer of a GET; 404 in plain text for what is not known."""
        parts = path.strip("/").split("/")
        head, rest = parts[0], parts[1:]
        if head in HEALTH:
            return self._health(request, head)
        if head == "version":
            return self._json(request, self._version)
        if head == "openapi" and rest[:1] == ["v3"]:
            return self._open_api(request, rest[1:])
        if head == "api":
            return self._api(request, rest)
        if head == "apis":
            return self._apis(request, rest)
        if head == "":
            paths = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz"]
            return self._json(request, {"paths": [*paths, "/version"]})
        return unknown(request)

    def _json(self, request: web.BaseRequest, body: Object | None) -> web.Response:
        if body is None:
            return unknown(request)
        form = negotiation.negotiate(request.headers.get("Accept", ""))
        return answers.respond(
            request, answers.encode(body, form.media_type), content_type=form.content_type
        )

    def _health(self, request: web.BaseRequest, name: str) -> web.Response:
        if "verbose" in request.query:
            text = f"[+]ping ok\n[+]etcd ok\n{name} check passed\n"
            return answers.respond_text(request, text)
        return answers.respond_text(request, "ok")

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
        if request.headers.get("If-None-Match", "") == etag:
            return answers.respond(request, b"", status=304, content_type=kind, headers=headers)
        return answers.respond(request, body, content_type=kind, headers=headers)

    def _open_api(self, request: web.BaseRequest, rest: list[str]) -> web.Response:
        if not rest:
            return self._json(request, self._openapi.index())
        group, version = ("", rest[-1]) if rest[0] == "api" else ("/".join(rest[1:-1]), rest[-1])
        found = self._openapi.document(group, version)
        if found is None:
            return unknown(request)
        body, etag = found
        headers = {"ETag": etag, "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match", "") == etag:
            return answers.respond(request, b"", status=304, headers=headers)
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return answers.respond(request, gzip.decompress(body), headers=headers)
        response = web.Response(headers={**headers, "Content-Encoding": "gzip"}, body=body)
        response.headers["Content-Type"] = "application/json"
        return response


def unknown(request: web.BaseRequest) -> web.Response:
    return answers.respond_text(request, "404 page not found\n", 404)

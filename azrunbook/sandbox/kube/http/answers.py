"""Answers: objects to bytes, with the headers of the real server."""

import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from aiohttp import web

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.http.negotiation import JSON, YAML

HTTP_NOT_MODIFIED = 304
COMPRESSED_FROM_BYTES = 128 * 1024
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def encode(value: Any, media_type: str = JSON) -> bytes:
    """JSON without blanks and a newline at the end, or YAML."""
    if media_type == YAML:
        text = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True)
        return text.encode()
    return (_encoder.encode(value) + "\n").encode()


def encode_part(value: Any) -> bytes:
    """JSON of a part of an answer."""
    return _encoder.encode(value).encode()


def respond(
    request: web.BaseRequest,
    body: bytes,
    *,
    status: int = 200,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
    warnings: Iterable[str] = (),
) -> web.Response:
    """A whole answer; large ones are compressed for clients that can read that."""
    response = web.Response(status=status, headers=headers)
    if status != HTTP_NOT_MODIFIED:  # a client's cache would take it over the type it has kept
        response.headers["Content-Type"] = content_type
    response.headers["Cache-Control"] = "no-cache, private"
    for text in warnings:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    is_large = len(body) >= COMPRESSED_FROM_BYTES
    if is_large and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = gzip.compress(body, compresslevel=1)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    response.body = body
    return response


def respond_error(request: web.BaseRequest, error: errors.StatusError) -> web.Response:
    """The Status of a refused request."""
    headers = {}
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry:
        headers["Retry-After"] = str(retry)
    return respond(request, encode(error.to_status()), status=error.code, headers=headers)


def respond_text(request: web.BaseRequest, text: str, status: int = 200) -> web.Response:
    return respond(request, text.encode(), status=status, content_type="text/plain; charset=utf-8")
